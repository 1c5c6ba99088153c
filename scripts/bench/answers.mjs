// Contestants must give the same answer before they are timed.
//
// @ts-check

/** @typedef {import('./contestants/contestant.mjs').Answer} Answer */

/**
 * How far numbers may differ, relative to the largest number of the answer or to each number.
 * @typedef {{ allowed: number, relativeTo: 'largest' | 'each' }} Agreement
 */

/** @type {Agreement} */
const usual = { allowed: 1e-3, relativeTo: 'largest' };

const numbers = (/** @type {Answer} */ answer) => ('output' in answer ? answer.output : answer.scores);

/**
 * Largest difference of two answers; a shorter answer is compared as far as it goes. Searches are compared by
 * scores: near ties may be in either order.
 * @param {Answer} ours
 * @param {Answer} theirs
 * @param {Agreement['relativeTo']} relativeTo
 */
export function difference(ours, theirs, relativeTo) {
  const a = numbers(ours);
  const b = numbers(theirs);
  const length = Math.min(a.length, b.length);
  let largest = 0;
  for (let i = 0; i < length; i++) largest = Math.max(largest, Math.abs(b[i]));
  let most = 0;
  for (let i = 0; i < length; i++) {
    const gap = Math.abs(a[i] - b[i]) / (relativeTo === 'each' ? Math.abs(b[i]) : largest);
    if (!(gap <= most)) most = gap; // NaN counts as a difference
  }
  return most;
}

/**
 * @param {import('./contestants/contestant.mjs').Contestant[]} contestants all are compared with the first
 * @param {Agreement} [agreement]
 * @returns {Promise<Record<string, number>>}
 */
export async function compareAnswers(contestants, { allowed, relativeTo } = usual) {
  const [first, ...others] = contestants;
  /** @type {Record<string, number>} */
  const differences = {};
  if (!first) return differences;
  const ours = await first.answer(0);
  for (const other of others) {
    const found = difference(ours, await other.answer(0), relativeTo);
    differences[other.name] = found;
    if (!(found <= allowed)) {
      throw new Error(`answers of ${first.name} and ${other.name} differ by ${found} (allowed: ${allowed})`);
    }
  }
  return differences;
}
