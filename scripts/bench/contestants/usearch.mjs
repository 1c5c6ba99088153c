// usearch, exact: it goes through all vectors for each query.
//
// @ts-check
import { timed } from './contestant.mjs';

/**
 * @param {import('./contestant.mjs').Task} task
 * @returns {Promise<import('./contestant.mjs').Contestant>}
 */
export async function usearch({ row, patterns, batches, threads }) {
  const { exactSearch, MetricKind } = (await import('usearch')).default;
  const k = row.k ?? 1;
  const dataset = new Float32Array(patterns); // it takes no shared memory
  const call = (/** @type {number} */ batch) =>
    exactSearch(dataset, batches[batch] ?? new Float32Array(), row.memory.dim, k, MetricKind.IP, threads);
  return {
    name: 'usearch',
    slow: row.queries > 1,
    turn: timed(call),
    answer: async (batch) => {
      const { keys, distances } = call(batch);
      return {
        indices: Uint32Array.from(keys, Number),
        scores: Float32Array.from(distances, (distance) => 1 - distance),
      };
    },
  };
}
