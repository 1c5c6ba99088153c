// What a message has to hold: the archetypes' energy in the subspace that the server finds.
import { Random, SecondMoment, SumOperator, topEigenpairs } from '../engram.mjs';
import { mean } from '../statistics.mjs';
import { markdownTable } from '../tables.mjs';
import { encode } from './federation.mjs';
import { signsIn } from './ica.mjs';
import { bestOverlaps, energyIn, rowsOf } from './judge.mjs';
import { drawExamples, randomArchetypes, uniform } from './signs.mjs';

export const title = 'messages';

const setup = { dim: 784, clients: 10, samples: 200, archetypes: 8 };

export const sizes = {
  full: { ...setup, trials: 6 },
  quick: { ...setup, clients: 3, trials: 1 },
};

/**
 * The clients of one trial.
 * @typedef {{ examples: Int8Array[], dim: number, count: number, random: Random }} Federation
 *
 * Finds orthonormal rows that should hold the archetypes.
 * @typedef {(federation: Federation) => Promise<Float32Array>} Method
 */

/** sum_c N J_c / L, exactly. @param {Federation} federation */
const whole = ({ examples, dim }) => {
  const weight = 1 / examples.length;
  return new SumOperator(examples.map((some) => ({ operator: SecondMoment.from(some, { dim }), weight })));
};

/** @type {Method} */
const full = async (federation) => (await topEigenpairs(whole(federation), { k: federation.count })).vectors;

/** Mode A: each client sends its leading eigenpairs. @returns {Method} */
const factors = (/** @type {number} */ rank) => async ({ examples, dim, count }) => {
  const terms = [];
  for (const some of examples) terms.push({ operator: await encode(some, dim, { rank }), weight: 1 / examples.length });
  return (await topEigenpairs(new SumOperator(terms), { k: count })).vectors;
};

/** Mode B: passes over the clients, each of which tells the sum of their products with a block. @returns {Method} */
const passes = (/** @type {number} */ block, /** @type {number} */ maxProducts) => async (federation) =>
  (await topEigenpairs(whole(federation), { k: federation.count, block, maxProducts, tolerance: 1e-12 })).vectors;

/** The leading eigenpairs of B^T B. @param {Float32Array} rows of B @param {number} dim @param {number} k */
const leading = (rows, dim, k) => topEigenpairs(SecondMoment.from(rows, { dim, scale: 1 }), { k });

/** The lower triangle L of L L^T = a, row by row. */
function cholesky(/** @type {number[][]} */ a) {
  /** @type {number[][]} */
  const l = [];
  for (const [i, row] of a.entries()) {
    l.push([]);
    for (let j = 0; j <= i; ++j) {
      let sum = row[j];
      for (let k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      l[i].push(i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / l[j][j]);
    }
  }
  return l;
}

/** One pass, Nystrom's way: W is taken for Y (Omega^T Y)^-1 Y^T with Y = W Omega. @returns {Method} */
const nystrom = (/** @type {number} */ width) => async (federation) => {
  const { dim, count, random } = federation;
  const omega = Float32Array.from({ length: dim * width }, () => random.normal());
  const y = await whole(federation).apply(omega, width);
  const column = (/** @type {Float32Array} */ block, /** @type {number} */ k) =>
    Float64Array.from({ length: dim }, (_, i) => block[i * width + k]);
  const omegas = Array.from({ length: width }, (_, k) => column(omega, k));
  const products = Array.from({ length: width }, (_, k) => column(y, k));
  const inner = omegas.map((a) => products.map((b) => a.reduce((sum, x, i) => sum + x * b[i], 0)));
  const l = cholesky(inner);
  // Rows of B = L^-1 Y^T, so that B^T B is the approximation.
  const rows = products.map((row, k) => {
    for (let j = 0; j < k; ++j) row.forEach((_, i) => (row[i] -= l[k][j] * products[j][i]));
    return row.map((_, i) => (row[i] /= l[k][k]));
  });
  return (await leading(Float32Array.from(rows.flatMap((row) => Array.from(row))), dim, count)).vectors;
};

/**
 * A sketch of bounded rank of all rows that go by.
 * @param {number} rank
 * @param {number} batch rows that are taken in at a time
 * @param {(eigenvalues: Float64Array) => number} loss taken from each eigenvalue; there is one more than the rank
 * @returns {Method}
 */
const sketch = (rank, batch, loss) => async ({ examples, dim, count }) => {
  let rows = new Float32Array(0);
  for (const some of examples) {
    for (let first = 0; first < some.length; first += batch * dim) {
      const next = some.subarray(first, first + batch * dim);
      const stacked = new Float32Array(rows.length + next.length);
      stacked.set(rows);
      stacked.set(next, rows.length);
      const { eigenvalues, vectors } = await leading(stacked, dim, Math.min(rank + 1, stacked.length / dim));
      const less = loss(eigenvalues);
      const kept = vectors.slice(0, rank * dim);
      rowsOf(kept, dim).forEach((row, k) => {
        const length = Math.sqrt(Math.max(eigenvalues[k] - less, 0));
        row.forEach((x, i) => (row[i] = x * length));
      });
      rows = kept;
    }
  }
  return (await leading(rows, dim, count)).vectors;
};
const incrementalSvd = (/** @type {number} */ rank) => sketch(rank, setup.samples, () => 0);
const frequentDirections = (/** @type {number} */ rank) =>
  sketch(rank, setup.samples, (eigenvalues) => eigenvalues[rank] ?? 0);

/** Targets: energy / overlap, near the threshold (r = 0.12) and above it (r = 0.2). */
const METHODS = /** @type {{ name: string, method: Method, sent: string, targets: (string | undefined)[] }[]} */ ([
  { name: 'everything', method: full, sent: '2458', targets: ['.633 / .79', '.891 / .995'] },
  ...[8, 16, 32, 64, 128].map((rank) => ({
    name: `factors of rank ${rank}`,
    method: factors(rank),
    sent: ((setup.dim * rank * 4) / 1e3).toFixed(0),
    targets: [
      { 8: '.362 / .36', 32: '.540 / .68', 64: '.591 / .72', 128: '.627 / .78' }[rank],
      { 16: '.874 / .989' }[rank],
    ],
  })),
  { name: 'products, block 16, 3 passes', method: passes(16, 3), sent: '151', targets: ['.553 / .67', undefined] },
  { name: 'products, block 16, 4 passes', method: passes(16, 4), sent: '201', targets: [] },
  { name: 'products, block 16, 5 passes', method: passes(16, 5), sent: '251', targets: ['.628 / .79', undefined] },
  { name: 'products, block 16, 6 passes', method: passes(16, 6), sent: '301', targets: [] },
  { name: 'products, block 8, 3 passes', method: passes(8, 3), sent: '75', targets: [undefined, '.879 / .992'] },
  { name: 'products, block 8, 4 passes', method: passes(8, 4), sent: '100', targets: [] },
  { name: 'one pass, Nystrom, 128 wide', method: nystrom(128), sent: '401', targets: ['.305 / .31', '.725 / .885'] },
  { name: 'incremental SVD of rank 32', method: incrementalSvd(32), sent: '', targets: ['.523 / .66', undefined] },
  { name: 'frequent directions of rank 32', method: frequentDirections(32), sent: '', targets: ['.102 / .17'] },
]);

/** @param {typeof sizes.full} given */
export async function run({ dim, clients, samples, archetypes, trials }) {
  const rows = [];
  for (const { name, method, sent, targets } of METHODS) {
    const cells = [];
    for (const [i, quality] of [0.12, 0.2].entries()) {
      const [energies, overlaps] = [[], []].map(() => /** @type {number[]} */ ([]));
      for (let seed = 1; seed <= trials; ++seed) {
        const random = new Random(seed);
        const truth = randomArchetypes(random, archetypes, dim);
        const share = { exposure: uniform(archetypes), count: samples, quality };
        const examples = Array.from({ length: clients }, () => drawExamples(random, truth, share));
        const vectors = await method({ examples, dim, count: archetypes, random });
        energies.push(mean(truth.map((xi) => energyIn(vectors, xi))));
        overlaps.push(mean(bestOverlaps(signsIn(vectors, dim), truth)));
      }
      const target = targets[i] ? ` (${targets[i]})` : '';
      cells.push(`**${mean(energies).toFixed(3)} / ${mean(overlaps).toFixed(2)}**${target}`);
    }
    rows.push([name, sent, ...cells]);
  }
  const head = ['what is sent', 'kB from each client', 'r = 0.12: energy / overlap', 'r = 0.2: energy / overlap'];
  return { tables: { messages: markdownTable(head, rows) }, figures: {} };
}
