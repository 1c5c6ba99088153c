// What is measured: one entry for each row of the table. Adding a row is adding an entry.
//
// @ts-check

import { measureRows } from './measure-rows.mjs';
import { spectralRows } from './spectral-rows.mjs';

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} title
 * @property {'retrieve' | 'search' | 'calls' | 'concurrent' | 'divergence' | 'recall' | 'eigenpairs' | 'merge'} kind
 * @property {{ source: 'random' | 'fashion-mnist' | 'clouds' | 'spiked', count: number, dim: number, points?: number }} memory
 *   points: of each cloud; count of a merge: messages
 * @property {number} queries in a batch
 * @property {'flat' | 'sharp'} [sharpness] of a softmax. Flat: beta is 1 / (standard deviation of the
 *   scores), so that every item counts and no work can be skipped. Sharp: 20 times that, one item
 *   takes nearly all of the weight, and queries are damaged stored items.
 * @property {number} [steps] updates of a retrieval
 * @property {number} [tolerance] at which a query counts as converged; of divergences: L1 residual of a marginal;
 *   of eigenpairs: residual relative to the largest eigenvalue
 * @property {number} [iterations] of divergences, instead of a tolerance
 * @property {number} [epsilon] of transport, in units of the mean cost of the memory
 * @property {number} [beta] of a recall, in units of one over epsilon
 * @property {number} [prune] of a recall, instead of the default
 * @property {number} [k] of a search; eigenpairs; rank of messages
 * @property {'read' | 'fma' | 'cache' | 'call'} bound what limits the work: reading memory, arithmetic,
 *   arithmetic on a memory that lives in cache, or the cost of a call
 * @property {string[]} peers measured side by side, where they are installed
 * @property {import('./answers.mjs').Agreement} [agreement] of answers that is asked for
 * @property {Record<string, number>} aims of ratios to peers (time of the peer / time of engram)
 * @property {Record<string, number>} [microseconds] aimed at, of a contestant's call
 * @property {number} [share] aimed at: of the limit of the machine
 * @property {boolean} [memoryHeld] whether the memory held beyond inputs and outputs is measured
 * @property {number} [memoryAim] most bytes of it, instead of the usual
 */

/** Most bytes engram may hold beyond inputs and outputs. */
export const memoryAim = 16e6;

const random = (/** @type {number} */ count, /** @type {number} */ dim) => ({
  source: /** @type {const} */ ('random'),
  count,
  dim,
});
const fashion = { source: /** @type {const} */ ('fashion-mnist'), count: 60_000, dim: 784 };

/** @returns {Row} */
const retrieveOne = (/** @type {string} */ id, /** @type {number} */ count, /** @type {number} */ dim) => ({
  id,
  title: `retrieve, 1 query, ${count.toLocaleString('en')} x ${dim}`,
  kind: 'retrieve',
  memory: random(count, dim),
  queries: 1,
  sharpness: 'flat',
  bound: 'read',
  peers: ['onnxruntime', 'numpy', 'javascript'],
  aims: { onnxruntime: 1.7 },
  share: 0.85,
  memoryHeld: true,
});

/**
 * @param {string} id
 * @param {Row['memory']} memory
 * @param {number} queries
 * @param {'flat' | 'sharp'} [sharpness]
 * @returns {Row}
 */
const retrieveBatch = (id, memory, queries, sharpness = 'flat') => ({
  id,
  title:
    `retrieve, ${queries.toLocaleString('en')} queries, ` +
    (memory.source === 'random' ? `${memory.count.toLocaleString('en')} x ${memory.dim}` : 'Fashion-MNIST') +
    (sharpness === 'sharp' ? ', sharp' : ''),
  kind: 'retrieve',
  memory,
  queries,
  sharpness,
  bound: 'fma',
  peers: sharpness === 'flat' ? ['onnxruntime', 'torch', 'javascript'] : ['onnxruntime'],
  aims: { onnxruntime: 1.1 },
  share: sharpness === 'flat' ? 0.85 : undefined,
  memoryHeld: sharpness === 'flat',
});

/** @type {Row[]} */
export const rows = [
  retrieveOne('retrieve-1-100k-128', 100_000, 128),
  retrieveOne('retrieve-1-1m-128', 1_000_000, 128),
  retrieveOne('retrieve-1-100k-768', 100_000, 768),

  retrieveBatch('retrieve-64-1m-128', random(1_000_000, 128), 64),
  retrieveBatch('retrieve-256-100k-128', random(100_000, 128), 256),
  retrieveBatch('retrieve-256-100k-768', random(100_000, 768), 256),
  retrieveBatch('retrieve-1024-fashion', fashion, 1024),
  retrieveBatch('retrieve-256-100k-128-sharp', random(100_000, 128), 256, 'sharp'),
  retrieveBatch('retrieve-1024-fashion-sharp', fashion, 1024, 'sharp'),

  {
    id: 'updates-5-fashion',
    title: 'five updates, 256 queries, Fashion-MNIST, none converges early',
    kind: 'retrieve',
    memory: fashion,
    queries: 256,
    sharpness: 'flat',
    steps: 5,
    bound: 'fma',
    peers: ['onnxruntime', 'torch'],
    aims: { onnxruntime: 1.1 },
  },
  {
    id: 'updates-converge-fashion',
    title: 'up to five updates, 256 queries, Fashion-MNIST, converged queries stop',
    kind: 'retrieve',
    memory: fashion,
    queries: 256,
    sharpness: 'sharp',
    steps: 5,
    tolerance: 1e-3,
    bound: 'fma',
    peers: ['onnxruntime', 'torch'],
    aims: { onnxruntime: 1.1 },
  },

  {
    id: 'search-1-1m-128',
    title: 'top-10, 1 query, 1,000,000 x 128',
    kind: 'search',
    memory: random(1_000_000, 128),
    queries: 1,
    k: 10,
    bound: 'read',
    peers: ['numpy', 'faiss', 'usearch', 'javascript'],
    aims: { numpy: 1.2, faiss: 1.8, usearch: 2.2 },
    share: 0.9,
  },
  {
    id: 'search-1-100k-768',
    title: 'top-10, 1 query, 100,000 x 768',
    kind: 'search',
    memory: random(100_000, 768),
    queries: 1,
    k: 10,
    bound: 'read',
    peers: ['numpy', 'faiss', 'usearch', 'javascript'],
    aims: { numpy: 1.2, faiss: 1.8, usearch: 2.2 },
    share: 0.9,
  },
  {
    id: 'search-1024-fashion',
    title: 'top-10, 1,024 queries, Fashion-MNIST',
    kind: 'search',
    memory: fashion,
    queries: 1024,
    k: 10,
    bound: 'fma',
    peers: ['faiss', 'usearch', 'numpy'],
    aims: { faiss: 1.1, usearch: 20 },
  },
  {
    id: 'search-256-100k-128',
    title: 'top-10, 256 queries, 100,000 x 128',
    kind: 'search',
    memory: random(100_000, 128),
    queries: 256,
    k: 10,
    bound: 'fma',
    peers: ['torch', 'numpy', 'faiss', 'usearch'],
    aims: { torch: 3, numpy: 3 },
  },

  {
    id: 'cache-retrieve-10k-128',
    title: 'retrieve, 1 query, 10,000 x 128 (in cache)',
    kind: 'retrieve',
    memory: random(10_000, 128),
    queries: 1,
    sharpness: 'flat',
    bound: 'cache',
    peers: ['onnxruntime', 'numpy', 'javascript'],
    aims: { onnxruntime: 2, numpy: 2 },
  },
  {
    id: 'cache-search-10k-128',
    title: 'top-10, 1 query, 10,000 x 128 (in cache)',
    kind: 'search',
    memory: random(10_000, 128),
    queries: 1,
    k: 10,
    bound: 'cache',
    peers: ['numpy', 'faiss', 'usearch', 'javascript'],
    aims: { numpy: 2 },
  },

  {
    id: 'calls',
    title: 'cost of a call: 64-dim query against 256 items',
    kind: 'calls',
    memory: random(256, 64),
    queries: 1,
    sharpness: 'flat',
    bound: 'call',
    peers: ['onnxruntime', 'usearch'],
    aims: {},
    microseconds: {
      'engram sync': 4,
      'engram async, one by one': 40,
      'engram async, 32 in flight': 8,
    },
  },
  {
    id: 'concurrent-10k',
    title: '10,000 single queries at once, 100,000 x 128, against one by one',
    kind: 'concurrent',
    memory: random(100_000, 128),
    queries: 10_000,
    sharpness: 'flat',
    bound: 'fma',
    peers: [],
    aims: { 'one by one': 15 },
  },

  ...measureRows,
  ...spectralRows,
];
