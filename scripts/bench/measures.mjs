// Rows about memories of measures: random clouds, who answers, how much work it is.
//
// @ts-check
import { MeasureMemory, configure } from './engram.mjs';
import { measureContestant } from './contestants/measures.mjs';
import { pythonContestants } from './contestants/python.mjs';
import { Random } from './data.mjs';

/**
 * @typedef {import('./rows.mjs').Row} Row
 * @typedef {import('./contestants/contestant.mjs').Facts} Facts
 */

/**
 * Clouds of equal size.
 * @typedef {object} Clouds
 * @property {Float32Array} points count x size x dim
 * @property {Float32Array} weights count x size, not normalised
 * @property {Uint32Array} offsets count + 1
 */

const queryCount = 16;
const costScale = 0.5;

/** Clouds around centres half as far apart as their points, all weights between 1/2 and 3/2. */
function makeClouds(/** @type {Row['memory']} */ { count, points: size = 1, dim }) {
  const random = new Random(1);
  const points = random.fill(new Float32Array(count * size * dim));
  const centres = random.fill(new Float32Array(count * dim));
  for (let i = 0; i < points.length; i++) {
    points[i] += 0.5 * centres[Math.floor(i / (size * dim)) * dim + (i % dim)];
  }
  const weights = random.fill(new Float32Array(count * size));
  const scale = 0.5 / Math.sqrt(3); // what fill() gives lies within +-sqrt(3)
  for (let i = 0; i < weights.length; i++) weights[i] = 1 + scale * weights[i];
  return { points, weights, offsets: Uint32Array.from({ length: count + 1 }, (_, k) => k * size) };
}

/** Queries: stored clouds with noise on their points, as a memory is asked. */
function makeQueries(/** @type {Clouds} */ stored, /** @type {Row['memory']} */ { count, points = 1, dim }) {
  const random = new Random(2);
  return Array.from({ length: queryCount }, () => {
    const k = random.below(count);
    const moved = random.fill(new Float32Array(points * dim));
    for (let i = 0; i < moved.length; i++) {
      moved[i] = (stored.points[k * points * dim + i] ?? 0) + 0.3 * moved[i];
    }
    return { points: moved, weights: stored.weights.slice(k * points, (k + 1) * points) };
  });
}

/**
 * What one call takes in the kernel form: for each pair its costs (a product of two sets of points), its Gibbs
 * kernel, and two products with that in each iteration. A recall makes barycentres too. Points and weights of
 * the stored clouds are read once for each pair; kernels stay in cache.
 * @param {Row} row
 * @param {Facts} facts
 * @returns {import('./summary.mjs').Work}
 */
function workOf({ kind, memory, iterations }, facts) {
  const { count, points: size = 1, dim } = memory;
  const entries = size * size;
  const pairs = facts['pairs evaluated'] ?? count;
  const sweeps = facts['iterations'] ?? (iterations ?? facts['mean iterations'] ?? 0) * count;
  const products = kind === 'recall' ? 2 : 1;
  return {
    operations: pairs * products * 2 * entries * dim + sweeps * 4 * entries,
    exps: pairs * entries,
    bytes: pairs * size * (4 * dim + 8),
  };
}

/** @type {import('./row.mjs').Prepare} */
export async function measures(row, { threads }) {
  configure({ threads });
  const stored = makeClouds(row.memory);
  const batches = makeQueries(stored, row.memory);
  const { count, points: size = 1, dim } = row.memory;
  const memory = MeasureMemory.from(stored, { dim, costScale, epsilon: { relative: row.epsilon ?? 1 } });
  const { epsilon } = memory;
  const ours = measureContestant({ row, batches, threads }, memory);
  const { iterations = 0, tolerance = 0 } = row;
  const load = { count, size, dim, epsilon, cost_scale: costScale, iterations, tolerance };
  const arrays = {
    stored: [stored.points],
    stored_weights: [stored.weights],
    queries: batches.map(({ points }) => points),
    queries_weights: batches.map(({ weights }) => weights),
  };
  const peers = await pythonContestants(
    { script: 'peers_transport.py', arrays, load, kind: row.kind, threads, slow: true },
    row.peers,
  );
  return {
    ...peers,
    contestants: [ours, ...peers.contestants],
    batches: batches.length,
    parameters: { epsilon },
    compared: row.kind === 'divergence',
    work: (facts) => workOf(row, facts),
  };
}
