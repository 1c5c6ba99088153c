// Rows about dense memories: what is stored, who answers, how much work it is.
//
// @ts-check
import { configure } from './engram.mjs';
import { callContestants, concurrencyContestants } from './contestants/calls.mjs';
import { createMemory, engramContestants } from './contestants/engram.mjs';
import { javascript } from './contestants/javascript.mjs';
import { onnxruntime } from './contestants/onnxruntime.mjs';
import { pythonContestants } from './contestants/python.mjs';
import { usearch } from './contestants/usearch.mjs';
import { chooseBeta, fillPatterns, makeQueries } from './data.mjs';

/**
 * @typedef {import('./contestants/contestant.mjs').Task} Task
 * @typedef {import('./engram.mjs').DenseMemory} DenseMemory
 */

const inNode = { onnxruntime, usearch, javascript };
const inPython = ['numpy', 'faiss', 'torch'];

/**
 * @param {import('./rows.mjs').Row} row
 * @param {number} threads
 * @param {number} [fewBatches]
 */
function prepare(row, threads, fewBatches) {
  configure({ threads });
  const memory = createMemory(row.memory.count, row.memory.dim);
  const patterns = memory.patterns;
  fillPatterns(row, patterns);
  const batches = makeQueries(row, patterns, fewBatches ?? (row.queries === 1 ? 512 : 16));
  const beta = chooseBeta(row, patterns, batches[0] ?? new Float32Array());
  return { memory, task: { row, patterns, batches, beta, threads } };
}

/** The peers in Python. */
function python(/** @type {Task} */ { row, patterns, batches, beta, threads }) {
  const { kind, steps = 1, k = 1, queries, memory } = row;
  const load = { dim: memory.dim, queries, beta, steps, k };
  const arrays = { patterns: [patterns], queries: batches };
  return pythonContestants(
    { script: 'peers.py', arrays, load, kind, threads, slow: queries > 1 },
    row.peers.filter((peer) => inPython.includes(peer)),
  );
}

async function gather(/** @type {Task} */ task, /** @type {DenseMemory} */ memory) {
  const { row } = task;
  if (row.kind === 'calls') return { ...(await callContestants(task, memory)), versions: {}, end: () => {} };
  if (row.kind === 'concurrent') {
    return { contestants: concurrencyContestants(task, memory), absent: {}, versions: {}, end: () => {} };
  }
  const contestants = engramContestants(task, memory);
  /** @type {Record<string, string>} */
  const absent = {};
  for (const [name, create] of Object.entries(inNode)) {
    if (!row.peers.includes(name)) continue;
    try {
      contestants.push(await create(task));
    } catch (error) {
      absent[name] = error instanceof Error ? error.message : String(error);
    }
  }
  const peers = await python(task);
  return {
    ...peers,
    contestants: [...contestants, ...peers.contestants],
    absent: { ...absent, ...peers.absent },
  };
}

/**
 * By the direct method: multiplications and additions, and the memory read once for each update where it does
 * not stay in cache. Nothing is counted where calls are measured.
 * @param {import('./rows.mjs').Row} row
 * @returns {import('./summary.mjs').Work}
 */
function workOf({ kind, bound, queries, memory, steps = 1 }) {
  if (kind === 'calls') return { operations: 0, exps: 0, bytes: 0 };
  const numbers = memory.count * memory.dim;
  const products = kind === 'search' ? 1 : 2 * steps;
  const bytes = bound === 'cache' ? 0 : 4 * numbers * steps;
  return { operations: 2 * queries * numbers * products, exps: 0, bytes };
}

/** @type {import('./row.mjs').Prepare} */
export async function dense(row, { threads, turns }) {
  const { memory, task } = prepare(row, threads, row.kind === 'concurrent' ? turns : undefined);
  return {
    ...(await gather(task, memory)),
    batches: task.batches.length,
    parameters: { beta: task.beta },
    compared: row.kind === 'retrieve' || row.kind === 'search',
    work: () => workOf(row),
  };
}

/**
 * The contestant whose memory is measured, with few queries beside it.
 * @param {import('./rows.mjs').Row} row
 * @param {{ threads: number, memoryHeld?: string }} order
 */
export async function denseContestant(row, { threads, memoryHeld }) {
  const { memory, task } = prepare(row, threads, 4);
  return memoryHeld === 'engram' ? engramContestants(task, memory)[0] : await onnxruntime(task);
}
