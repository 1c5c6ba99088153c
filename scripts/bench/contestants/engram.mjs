// engram through its public interface. The memory is allocated by engram and shared with it.
//
// @ts-check
import { DenseMemory, softmax } from '../engram.mjs';
import { timed } from './contestant.mjs';

/**
 * @typedef {import('./contestant.mjs').Task} Task
 * @typedef {import('./contestant.mjs').Contestant} Contestant
 */

export const createMemory = (/** @type {number} */ count, /** @type {number} */ dim) =>
  DenseMemory.allocate(count, dim);

/**
 * Retrieval with dot products, as the peers do it.
 * @param {Task} task
 * @param {DenseMemory} memory
 * @param {{ energy?: boolean, sync?: boolean }} variant
 * @returns {Contestant}
 */
function retrieval({ row, batches, beta, threads }, memory, { energy = false, sync = false }) {
  const out = new Float32Array(row.queries * row.memory.dim).fill(1); // its pages are there before the call
  const options = {
    separation: softmax({ beta }),
    similarity: /** @type {const} */ ('dot'),
    steps: row.steps ?? 1,
    tolerance: row.tolerance ?? 0,
    threads,
    energy,
    out,
  };
  /** @type {Uint32Array | undefined} */
  let steps;
  const queries = (/** @type {number} */ batch) => batches[batch] ?? new Float32Array();
  const call = sync
    ? (/** @type {number} */ batch) => memory.retrieveSync(queries(batch), options)
    : (/** @type {number} */ batch) => memory.retrieve(queries(batch), options);
  return {
    name: 'engram' + (sync ? ' sync' : '') + (energy ? ' with energies' : ''),
    turn: timed(call),
    answer: async (batch) => {
      steps = (await call(batch)).steps;
      return { output: out.slice() };
    },
    facts: () => ({ 'mean steps': steps ? steps.reduce((sum, s) => sum + s, 0) / steps.length : 0 }),
  };
}

/**
 * @param {Task} task
 * @param {DenseMemory} memory
 * @param {{ sync?: boolean }} variant
 * @returns {Contestant}
 */
function search({ row, batches, threads }, memory, { sync = false }) {
  const options = { k: row.k ?? 1, similarity: /** @type {const} */ ('dot'), threads };
  const queries = (/** @type {number} */ batch) => batches[batch] ?? new Float32Array();
  const call = sync
    ? (/** @type {number} */ batch) => memory.searchSync(queries(batch), options)
    : (/** @type {number} */ batch) => memory.search(queries(batch), options);
  return {
    name: 'engram' + (sync ? ' sync' : ''),
    turn: timed(call),
    answer: async (batch) => {
      const { indices, scores } = await call(batch);
      return { indices, scores };
    },
  };
}

/**
 * The first one is what peers are compared with.
 * @param {Task} task
 * @param {DenseMemory} memory
 * @returns {Contestant[]}
 */
export function engramContestants(task, memory) {
  const inCache = task.row.bound === 'cache';
  if (task.row.kind === 'search') {
    return inCache
      ? [search(task, memory, { sync: true }), search(task, memory, {})]
      : [search(task, memory, {})];
  }
  return inCache
    ? [retrieval(task, memory, { sync: true }), retrieval(task, memory, {})]
    : [retrieval(task, memory, {}), retrieval(task, memory, { energy: true })];
}
