// Measures one row in a process of its own: `node --expose-gc row.mjs`, forked by main.mjs, which
// sends what to do and receives the result.
//
// @ts-check
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { configure } from './engram.mjs';
import { compareAnswers } from './answers.mjs';
import { callContestants, concurrencyContestants } from './contestants/calls.mjs';
import { createMemory, engramContestants } from './contestants/engram.mjs';
import { javascript } from './contestants/javascript.mjs';
import { onnxruntime } from './contestants/onnxruntime.mjs';
import { pythonContestants } from './contestants/python.mjs';
import { usearch } from './contestants/usearch.mjs';
import { chooseBeta, fillPatterns, makeQueries } from './data.mjs';
import { memoryHeldBy } from './memory-held.mjs';
import { rows } from './rows.mjs';
import { summarise } from './summary.mjs';
import { measureInTurns } from './timing.mjs';

/**
 * @typedef {import('./contestants/contestant.mjs').Contestant} Contestant
 * @typedef {{ id: string, threads: number, turns: number, memoryHeld?: string }} Order
 */

const inNode = { onnxruntime, usearch, javascript };
const inPython = ['numpy', 'faiss', 'torch'];

/** The internal measurement of the machine's limits; see native/kernels/machine_limits.h. */
function limitsProbe(/** @type {number} */ threads) {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const measure = createRequire(import.meta.url)('node-gyp-build')(root).limitsProbe(threads);
  return () => {
    // The best of a few rounds: what disturbs one can only make it slower.
    const rounds = [measure(), measure(), measure()];
    const best = (/** @type {number} */ i) => Math.max(...rounds.map((round) => round[i]));
    return { fmaGflops: best(0), readGbps: best(1) };
  };
}

function prepare(/** @type {Order} */ { id, threads }, /** @type {number | undefined} */ fewBatches) {
  const row = rows.find((candidate) => candidate.id === id);
  if (!row) throw new Error(`no row ${id}`);
  configure({ threads });
  const memory = createMemory(row.memory.count, row.memory.dim);
  const patterns = memory.patterns;
  fillPatterns(row, patterns);
  const batches = makeQueries(row, patterns, fewBatches ?? (row.queries === 1 ? 512 : 16));
  const beta = chooseBeta(row, patterns, batches[0] ?? new Float32Array());
  return { memory, task: { row, patterns, batches, beta, threads } };
}

/**
 * @param {import('./contestants/contestant.mjs').Task} task
 * @param {import('./engram.mjs').DenseMemory} memory
 */
async function gather(task, memory) {
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
  const python = await pythonContestants(task, row.peers.filter((peer) => inPython.includes(peer)));
  return {
    contestants: [...contestants, ...python.contestants],
    absent: { ...absent, ...python.absent },
    versions: python.versions,
    end: python.end,
  };
}

async function measureRow(/** @type {Order} */ order) {
  const { memory, task } = prepare(order, order.id.startsWith('concurrent') ? order.turns : undefined);
  const { contestants, absent, versions, end } = await gather(task, memory);
  try {
    const compared = task.row.kind === 'retrieve' || task.row.kind === 'search';
    const differences = compared ? await compareAnswers(contestants) : {};
    const facts = contestants[0]?.facts?.();
    const { limits, timings } = await measureInTurns(contestants, {
      turns: order.turns,
      batches: task.batches.length,
      limits: limitsProbe(order.threads),
    });
    const notes = Object.fromEntries(contestants.flatMap(({ name, note }) => (note ? [[name, note]] : [])));
    const summary = summarise(task.row, timings, limits);
    return { ...summary, beta: task.beta, differences, facts, absent, versions, notes };
  } finally {
    end();
  }
}

async function measureMemory(/** @type {Order} */ order) {
  const { memory, task } = prepare(order, 4);
  const contestant =
    order.memoryHeld === 'engram' ? engramContestants(task, memory)[0] : await onnxruntime(task);
  return contestant && memoryHeldBy(contestant);
}

process.once('message', async (/** @type {Order} */ order) => {
  try {
    process.send?.({ result: await (order.memoryHeld ? measureMemory(order) : measureRow(order)) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  process.disconnect();
});
process.once('disconnect', () => process.exit()); // done, or the parent is gone
