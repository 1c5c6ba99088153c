// What the timing loop knows of a contestant.
//
// @ts-check

/**
 * Of a row about a dense memory.
 * @typedef {object} Task
 * @property {import('../rows.mjs').Row} row
 * @property {Float32Array} patterns count x dim
 * @property {Float32Array[]} batches of queries, all different
 * @property {number} beta
 * @property {number} threads
 */

/** Numbers worth telling about the calls, by what they count. @typedef {Record<string, number>} Facts */

/** @typedef {{ output: Float32Array | Float64Array } | { indices: ArrayLike<number>, scores: Float32Array }} Answer */

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {(batches: number[]) => Promise<number[]>} turn answers these batches, one after the other,
 *   and returns the seconds each took
 * @property {(batch: number) => Promise<Answer>} answer of a batch, for the comparison of answers
 * @property {boolean} [slow] measured fewer times
 * @property {string} [note]
 * @property {() => Facts | Promise<Facts>} [facts]
 */

/**
 * Times calls within this process.
 * @param {(batch: number) => unknown} call synchronous or not
 * @returns {Contestant['turn']}
 */
export const timed = (call) => async (batches) => {
  const seconds = [];
  for (const batch of batches) {
    const start = performance.now();
    const pending = call(batch);
    // A synchronous answer is not awaited: that would add a turn of the microtask queue.
    if (pending instanceof Promise) await pending;
    seconds.push((performance.now() - start) / 1e3);
  }
  return seconds;
};
