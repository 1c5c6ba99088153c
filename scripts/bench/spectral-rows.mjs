// What is measured of the spectral family: leading eigenpairs of examples, and the merging of messages.
//
// @ts-check

/** @typedef {import('./rows.mjs').Row} Row */

const number = (/** @type {number} */ count) => count.toLocaleString('en');

/** @returns {Row} */
const eigenpairs = (
  /** @type {number} */ dim,
  /** @type {number} */ count,
  /** @type {Row['aims']} */ aims,
) => ({
  id: `spectral-${dim}-${count}`,
  title: `64 eigenpairs, N = ${number(dim)}, ${number(count)} examples`,
  kind: 'eigenpairs',
  memory: { source: 'spiked', count, dim },
  queries: 1,
  k: 64,
  tolerance: 1e-6,
  peers: ['gram', 'eigsh', 'randomized_svd'],
  bound: 'fma',
  aims,
});

/** @type {Row[]} */
export const spectralRows = [
  eigenpairs(784, 60_000, { gram: 1.5, eigsh: 6 }),
  eigenpairs(100_000, 2_000, { gram: 2, eigsh: 6 }),
  eigenpairs(4_096, 20_000, { gram: 1, eigsh: 1 }),
  eigenpairs(20_000, 5_000, { gram: 1, eigsh: 1 }),
  {
    id: 'spectral-merge',
    title: 'a round of 1,000 messages of rank 64, N = 10,000',
    kind: 'merge',
    memory: { source: 'spiked', count: 1_000, dim: 10_000 },
    queries: 1,
    k: 64,
    peers: [],
    bound: 'fma',
    aims: {},
    memoryHeld: true,
    memoryAim: 2 ** 30,
  },
];
