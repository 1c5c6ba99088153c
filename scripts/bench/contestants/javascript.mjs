// Plain JavaScript over typed arrays, one thread: what one writes without a library. Only the first
// query of a batch is answered, and the time multiplied by their number.
//
// @ts-check
import { timed } from './contestant.mjs';

/**
 * scores[j] = <query, patterns[j]>, with four sums so that they do not wait for each other.
 * @param {Float32Array} patterns
 * @param {Float32Array} query
 * @param {Float32Array} scores
 */
function dotProducts(patterns, query, scores) {
  const dim = query.length;
  for (let j = 0; j < scores.length; j++) {
    const x = j * dim;
    let a = 0;
    let b = 0;
    let c = 0;
    let e = 0;
    let d = 0;
    for (; d + 3 < dim; d += 4) {
      a += patterns[x + d] * query[d];
      b += patterns[x + d + 1] * query[d + 1];
      c += patterns[x + d + 2] * query[d + 2];
      e += patterns[x + d + 3] * query[d + 3];
    }
    for (; d < dim; d++) a += patterns[x + d] * query[d];
    scores[j] = a + b + (c + e);
  }
}

/**
 * @param {Float32Array} patterns
 * @param {Float32Array} query
 * @param {number} beta
 */
function softmaxUpdate(patterns, query, beta) {
  const scores = new Float32Array(patterns.length / query.length);
  dotProducts(patterns, query, scores);
  let max = -Infinity;
  for (let j = 0; j < scores.length; j++) if (scores[j] > max) max = scores[j];
  const sums = new Float64Array(query.length);
  let total = 0;
  for (let j = 0; j < scores.length; j++) {
    const weight = Math.exp(beta * (scores[j] - max));
    total += weight;
    const x = j * query.length;
    for (let d = 0; d < query.length; d++) sums[d] += weight * patterns[x + d];
  }
  return Float32Array.from(sums, (sum) => sum / total);
}

/**
 * @param {Float32Array} patterns
 * @param {Float32Array} query
 * @param {number} k
 */
function topK(patterns, query, k) {
  const scores = new Float32Array(patterns.length / query.length);
  dotProducts(patterns, query, scores);
  /** @type {number[]} */
  const best = [];
  for (let j = 0; j < scores.length; j++) {
    if (best.length === k && scores[j] <= scores[best[k - 1]]) continue;
    let at = best.length === k ? k - 1 : best.length;
    for (; at > 0 && scores[best[at - 1]] < scores[j]; at--) best[at] = best[at - 1];
    best[at] = j;
  }
  return { indices: best, scores: Float32Array.from(best, (j) => scores[j]) };
}

/**
 * @param {import('./contestant.mjs').Task} task
 * @returns {import('./contestant.mjs').Contestant}
 */
export function javascript({ row, patterns, batches, beta }) {
  const first = (/** @type {number} */ batch) =>
    (batches[batch] ?? new Float32Array()).subarray(0, row.memory.dim);
  const call =
    row.kind === 'search'
      ? (/** @type {number} */ batch) => topK(patterns, first(batch), row.k ?? 1)
      : (/** @type {number} */ batch) => ({ output: softmaxUpdate(patterns, first(batch), beta) });
  const turn = timed(call);
  return {
    name: 'javascript',
    slow: true,
    note: row.queries > 1 ? 'one query measured, times their number' : undefined,
    turn: async (batches) => (await turn(batches)).map((seconds) => seconds * row.queries),
    answer: async (batch) => call(batch),
  };
}
