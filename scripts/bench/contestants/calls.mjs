// Calls whose work is next to nothing: what is measured is the way in and out.
//
// @ts-check
import { softmax } from '../engram.mjs';
import { onnxruntime } from './onnxruntime.mjs';

/**
 * @typedef {import('./contestant.mjs').Task} Task
 * @typedef {import('./contestant.mjs').Contestant} Contestant
 * @typedef {import('../engram.mjs').DenseMemory} DenseMemory
 */

const calls = 2000;
const inFlight = 32;

/**
 * Seconds for each of `calls` calls, `width` under way at a time, after as many to warm up.
 * @param {string} name
 * @param {(batch: number) => unknown} call
 * @param {number} batches
 * @param {number} [width] 0: synchronous
 * @returns {Contestant}
 */
function averaged(name, call, batches, width = 0) {
  const run = async () => {
    if (width === 0) {
      for (let i = 0; i < calls; i++) call(i % batches);
      return;
    }
    for (let i = 0; i < calls; i += width) {
      if (width === 1) await call(i % batches);
      else await Promise.all(Array.from({ length: width }, (_, j) => call((i + j) % batches)));
    }
  };
  return {
    name,
    slow: true,
    turn: async () => {
      await run();
      const start = performance.now();
      await run();
      return [(performance.now() - start) / 1e3 / calls];
    },
    answer: () => Promise.reject(new Error('not compared')),
  };
}

/**
 * @param {Task} task
 * @param {DenseMemory} memory
 * @returns {Promise<{ contestants: Contestant[], absent: Record<string, string> }>}
 */
export async function callContestants(task, memory) {
  const { batches, beta, row } = task;
  const options = {
    separation: softmax({ beta }),
    similarity: /** @type {const} */ ('dot'),
    energy: false,
    out: new Float32Array(row.memory.dim),
  };
  const several = { ...options, out: undefined }; // each call under way needs an output of its own
  const query = (/** @type {number} */ batch) => batches[batch] ?? new Float32Array();
  const contestants = [
    averaged('engram sync', (i) => memory.retrieveSync(query(i), options), batches.length),
    averaged('engram async, one by one', (i) => memory.retrieve(query(i), options), batches.length, 1),
    averaged(
      `engram async, ${inFlight} in flight`,
      (i) => memory.retrieve(query(i), several),
      batches.length,
      inFlight,
    ),
    averaged(
      'engram top-1 sync',
      (i) => memory.searchSync(query(i), { k: 1, similarity: 'dot' }),
      batches.length,
    ),
  ];
  /** @type {Record<string, string>} */
  const absent = {};
  const peers = { onnxruntime: onnxruntimeCalls, usearch: usearchCalls };
  for (const [name, create] of Object.entries(peers)) {
    try {
      contestants.push(await create(task));
    } catch (error) {
      absent[name] = error instanceof Error ? error.message : String(error);
    }
  }
  return { contestants, absent };
}

async function onnxruntimeCalls(/** @type {Task} */ task) {
  const { turn } = await onnxruntime(task);
  return averaged('onnxruntime', (i) => turn([i]), task.batches.length, 1);
}

/** usearch, synchronous, in an index of one item: its cost of a call. */
async function usearchCalls(/** @type {Task} */ { row, patterns, batches }) {
  const { Index, MetricKind } = (await import('usearch')).default;
  const index = new Index(row.memory.dim, MetricKind.IP);
  index.add(0n, new Float32Array(patterns.subarray(0, row.memory.dim)));
  const call = (/** @type {number} */ i) => index.search(batches[i] ?? new Float32Array(), 1, 1);
  return averaged('usearch, one item', call, batches.length);
}

/**
 * Ten thousand single queries under way at once, against awaiting one after the other.
 * @param {Task} task
 * @param {DenseMemory} memory
 * @returns {Contestant[]}
 */
export function concurrencyContestants({ batches, beta, row }, memory) {
  const { dim } = row.memory;
  const options = { separation: softmax({ beta }), similarity: /** @type {const} */ ('dot'), energy: false };
  const query = (/** @type {number} */ batch, /** @type {number} */ i) =>
    (batches[batch] ?? new Float32Array()).subarray(i * dim, (i + 1) * dim);
  const sample = 200;
  const timeOf = async (/** @type {() => Promise<unknown>} */ work) => {
    const start = performance.now();
    await work();
    return (performance.now() - start) / 1e3;
  };
  const atOnce = (/** @type {number} */ batch) =>
    Promise.all(Array.from({ length: row.queries }, (_, i) => memory.retrieve(query(batch, i), options)));
  const oneByOne = async (/** @type {number} */ batch) => {
    for (let i = 0; i < sample; i++) await memory.retrieve(query(batch, i), options);
  };
  const answer = () => Promise.reject(new Error('not compared'));
  return [
    {
      name: 'engram',
      slow: true,
      turn: async ([batch = 0]) => [await timeOf(() => atOnce(batch))],
      answer,
    },
    {
      name: 'one by one',
      slow: true,
      note: `${sample} queries measured, times ${row.queries / sample}`,
      turn: async ([batch = 0]) => [((await timeOf(() => oneByOne(batch))) * row.queries) / sample],
      answer,
    },
  ];
}
