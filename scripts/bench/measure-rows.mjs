// What is measured of memories of measures: rows of the table about weighted point clouds.
//
// @ts-check

/** @typedef {import('./rows.mjs').Row} Row */

/**
 * Stored clouds, the points of each, their dims, and epsilon in units of the mean cost.
 * @typedef {Pick<Row['memory'], 'count' | 'dim'> & { points: number, epsilon: number } & Pick<Row, 'aims'>} Setting
 */

/** @type {Setting[]} */
const settings = [
  { count: 1000, points: 64, dim: 3, epsilon: 0.1, aims: { torch: 20 } },
  { count: 256, points: 32, dim: 2, epsilon: 0.1, aims: { torch: 20 } },
  { count: 100, points: 128, dim: 16, epsilon: 0.1, aims: { torch: 20 } },
  { count: 100, points: 256, dim: 64, epsilon: 0.05, aims: { torch: 10, pot: 10 } },
  { count: 100, points: 256, dim: 64, epsilon: 0.01, aims: { torch: 10, pot: 10 } },
  { count: 10, points: 1024, dim: 3, epsilon: 0.05, aims: { 'torch-blocked': 10, pot: 10 } },
  { count: 10, points: 1024, dim: 3, epsilon: 0.01, aims: { 'torch-blocked': 10, pot: 10 } },
];

const shape = (/** @type {{ count: number, points: number, dim: number }} */ { count, points, dim }) =>
  `${count.toLocaleString('en')} clouds of ${points.toLocaleString('en')} points, ${dim} dims`;

/**
 * @param {Setting} setting
 * @param {{ iterations?: number, tolerance?: number }} end
 * @returns {Row}
 */
function divergences({ epsilon, aims, ...memory }, { iterations, tolerance }) {
  const small = epsilon < 0.05;
  const name = `measures-${memory.points}-${memory.dim}-${epsilon}`;
  return {
    id: `${name}-${iterations ?? 'converged'}`,
    title:
      `divergences, ${shape(memory)}, epsilon ${epsilon}, ` +
      (iterations ? `${iterations} iterations` : `residual ${tolerance?.toExponential()}`),
    kind: 'divergence',
    memory: { source: 'clouds', ...memory },
    queries: 1,
    epsilon,
    iterations,
    tolerance,
    // Large clouds leave the cache and take a tensor of all pairs ten times as long as blocks: too long to wait.
    // At a small epsilon the scaling form of PyTorch underflows, and 100 plain iterations do not converge.
    peers: [
      ...(memory.points < 1024 ? ['torch'] : []),
      'torch-blocked',
      ...(small ? [] : ['torch-scaling']),
      'pot',
    ],
    agreement: { allowed: small && iterations ? 1e-2 : 1e-4, relativeTo: 'each' },
    bound: 'fma',
    aims,
  };
}

/** @returns {Row} */
function recall(/** @type {{ skipping: boolean }} */ { skipping }) {
  const memory = { count: 1000, points: 64, dim: 3 };
  return {
    id: skipping ? 'measures-recall' : 'measures-recall-all',
    title: `recall of a moved cloud, ${shape(memory)}${skipping ? '' : ', no cloud skipped'}`,
    kind: 'recall',
    memory: { source: 'clouds', ...memory },
    queries: 1,
    epsilon: 0.1,
    beta: 50,
    prune: skipping ? undefined : 0,
    peers: [],
    bound: 'fma',
    aims: {},
  };
}

/** @type {Row[]} */
export const measureRows = [
  ...settings.map((setting) => divergences(setting, { iterations: 100 })),
  ...settings.map((setting) => divergences(setting, { tolerance: 1e-5 })),
  recall({ skipping: true }),
  recall({ skipping: false }),
];
