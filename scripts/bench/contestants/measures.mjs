// engram's memories of measures through the public interface. Self terms of the stored clouds are made by the
// first call, before anything is timed.
//
// @ts-check
import { timed } from './contestant.mjs';

/**
 * @typedef {object} Task
 * @property {import('../rows.mjs').Row} row
 * @property {{ points: Float32Array, weights: Float32Array }[]} batches one query each
 * @property {number} threads
 *
 * @typedef {import('./contestant.mjs').Contestant} Contestant
 * @typedef {import('../engram.mjs').MeasureMemory} MeasureMemory
 */

const mostIterations = 100_000;

const mean = (/** @type {ArrayLike<number>} */ numbers) =>
  Array.from(numbers).reduce((sum, number) => sum + number, 0) / numbers.length;

/** @returns {Contestant} */
function divergence(/** @type {Task} */ { row, batches, threads }, /** @type {MeasureMemory} */ memory) {
  const { iterations: maxIterations = mostIterations, tolerance = 0 } = row;
  const call = (/** @type {number} */ batch) =>
    memory.divergence(batches[batch], { maxIterations, tolerance, threads });
  return {
    name: 'engram',
    turn: timed(call),
    answer: async (batch) => ({ output: (await call(batch)).values }),
    facts: async () => {
      const found = [];
      for (const batch of batches.keys()) found.push(await call(batch));
      return {
        'mean iterations': mean(found.map(({ iterations }) => mean(iterations))),
        'most iterations': Math.max(...found.map(({ iterations }) => Math.max(...iterations))),
        ...(tolerance && { converged: mean(found.map(({ converged }) => mean(converged))) }),
      };
    },
  };
}

/** @returns {Contestant} */
function recall(/** @type {Task} */ { row, batches, threads }, /** @type {MeasureMemory} */ memory) {
  const beta = (row.beta ?? 1) / memory.epsilon;
  const call = (/** @type {number} */ batch) => memory.retrieve(batches[batch], { beta, prune: row.prune, threads });
  return {
    name: 'engram',
    turn: timed(call),
    answer: () => Promise.reject(new Error('not compared')),
    facts: async () => {
      const found = [];
      for (const batch of batches.keys()) found.push(await call(batch));
      return {
        patterns: memory.count,
        'pairs evaluated': mean(found.map(({ work }) => work.pairsEvaluated)),
        'pairs pruned': mean(found.map(({ work }) => work.pairsPruned)),
        iterations: mean(found.map(({ work }) => work.iterations)),
        'mean steps': mean(found.map(({ steps }) => mean(steps))),
        converged: mean(found.map(({ converged }) => mean(converged))),
      };
    },
  };
}

export const measureContestant = (/** @type {Task} */ task, /** @type {MeasureMemory} */ memory) =>
  task.row.kind === 'recall' ? recall(task, memory) : divergence(task, memory);
