// One problem, put to the memory of measures and to the baselines, and judged by the same divergence.
import { recallPoints, recallVectors } from './baselines.mjs';
import { pack, unpack } from './clouds.mjs';
import { MeasureMemory } from './engram.mjs';

/**
 * @typedef {import('./clouds.mjs').Cloud} Cloud
 * @typedef {'SHK' | 'H_vec' | 'H_pt'} Method
 *
 * @typedef {object} Problem
 * @property {number} dim
 * @property {Cloud[]} stored
 * @property {Cloud[]} cues
 * @property {number[]} truth which stored cloud each cue was made of
 * @property {number} epsilon
 * @property {number} beta
 * @property {number} steps most steps of the flow, and updates of the baselines
 *
 * @typedef {object} Judgement
 * @property {boolean[]} right whether the stored cloud nearest to the result is the one the cue was made of
 * @property {number[]} divergence from the result to the cloud the cue was made of
 */

/**
 * Runs `ask` on the memory of the problem's stored clouds.
 * @template T
 * @param {Problem} problem
 * @param {(memory: MeasureMemory) => Promise<T>} ask
 * @returns {Promise<T>}
 */
export async function withMemory({ stored, dim, epsilon }, ask) {
  const memory = MeasureMemory.from(pack(stored), { dim, epsilon });
  try {
    return await ask(memory);
  } finally {
    memory.dispose();
  }
}

/**
 * Compares clouds with all that is stored.
 * @param {MeasureMemory} memory
 * @param {Cloud[]} clouds
 * @param {number[]} truth
 * @returns {Promise<Judgement>}
 */
export async function judge(memory, clouds, truth) {
  const { values } = await memory.divergence(pack(clouds));
  const rows = truth.map((_, q) => values.subarray(q * memory.count, (q + 1) * memory.count));
  return {
    right: truth.map((item, q) => rows[q][item] === Math.min(...rows[q])),
    divergence: truth.map((item, q) => rows[q][item]),
  };
}

/**
 * What every method makes of the cues. H_vec is absent where the clouds are of different sizes.
 * @param {Problem} problem
 * @param {Method[]} [methods]
 * @param {import('./engram.mjs').SinkhornOptions} [solve] how the flow solves its transport problems
 */
export function compare(problem, methods = ['SHK', 'H_vec', 'H_pt'], solve = {}) {
  const { stored, cues, truth, dim } = problem;
  return withMemory(problem, async (memory) => {
    const { beta, steps } = problem;
    const { clouds, trace = [] } = await memory.retrieve(pack(cues), { ...solve, beta, steps, trace: true });
    const results = {
      SHK: () => unpack(clouds, dim),
      H_vec: () => recallVectors(stored, cues, problem),
      H_pt: () => recallPoints(stored, cues, problem),
    };
    /** @type {Record<string, Judgement>} */
    const judged = { cue: await judge(memory, cues, truth) };
    for (const method of methods) judged[method] = await judge(memory, await results[method](), truth);
    return { judged, energies: trace.map(({ energy }) => [...energy]) };
  });
}
