// Capacity against dimension: how many random Gaussian clouds can be stored before recall fails.
import { pack } from './clouds.mjs';
import { storedClouds } from './cases.mjs';
import { cuesFrom } from './damage.mjs';
import { Random } from './engram.mjs';
import { withMemory } from './recall.mjs';
import { mean } from './statistics.mjs';
import { markdownTable, share } from './tables.mjs';

export const title = 'capacity';

export const sizes = {
  full: { seeds: [1, 2, 3], dims: [2, 4, 6, 8, 12, 16, 24, 32], jitters: [0.75, 1], most: 4096, queries: 64, steps: 15 },
  quick: { seeds: [1], dims: [2, 8], jitters: [0.75], most: 8, queries: 4, steps: 3 },
};

/** Recall is asked to name the right cloud for this share of the cues. */
const RECOVERY = 0.9;
const ATOMS = 8;

/**
 * The largest memory whose recovery rate is at least `wanted`, interpolated over the logarithm of the size;
 * `rates` are of sizes rising from one that reaches it. The last size where all reach it.
 * @param {{ count: number, rate: number }[]} rates
 * @param {number} wanted
 */
export function largestAt(rates, wanted) {
  const first = rates.findIndex(({ rate }) => rate < wanted);
  if (first < 0) return rates[rates.length - 1].count;
  if (first === 0) return rates[0].count;
  const [below, above] = [rates[first - 1], rates[first]];
  const part = (below.rate - wanted) / (below.rate - above.rate);
  return below.count * (above.count / below.count) ** part;
}

/** @param {import('./recall.mjs').Problem} problem @returns {Promise<number>} */
const recoveryRate = (problem) =>
  withMemory(problem, async (memory) => {
    const { index } = await memory.retrieve(pack(problem.cues), { beta: problem.beta, steps: problem.steps });
    return mean(problem.truth.map((item, q) => index[q] === item));
  });

/** Rates for memories of 2, 4, 8 .. clouds, up to the first that fails. @param {number} dim @param {number} jitter @param {number} seed @param {typeof sizes.full} sizes */
async function ratesOf(dim, jitter, seed, { most, queries, steps }) {
  const rates = [];
  for (let count = 2; count <= most; count *= 2) {
    const random = new Random(seed);
    const stored = storedClouds(random, { count, atoms: ATOMS, dim });
    const cues = cuesFrom(random, stored, dim, queries, { jitter, weightNoise: 0.5 });
    const rate = await recoveryRate({ dim, epsilon: dim / 10, beta: 100 / dim, steps, stored, ...cues });
    rates.push({ count, rate });
    if (rate < RECOVERY) break;
  }
  return rates;
}

/** @param {typeof sizes.full} sizes */
async function measure(sizes) {
  const points = [];
  for (const jitter of sizes.jitters) {
    for (const dim of sizes.dims) {
      for (const seed of sizes.seeds) {
        const rates = await ratesOf(dim, jitter, seed, sizes);
        const last = rates[rates.length - 1];
        points.push({ dim, jitter, seed, capacity: largestAt(rates, RECOVERY), reached: last.rate >= RECOVERY });
      }
    }
  }
  return points;
}

/** @typedef {Awaited<ReturnType<typeof measure>>} Points */

/** @param {Points} points */
function figure(points) {
  const encoding = {
    x: { field: 'dim', type: 'quantitative', title: 'dimension' },
    color: { field: 'jitter', type: 'ordinal', title: 'jitter', legend: { title: 'jitter' } },
  };
  const y = { field: 'capacity', type: 'quantitative', title: `stored clouds at ${share(RECOVERY)} recovery`, scale: { type: 'log' } };
  return {
    data: { values: points },
    width: 420,
    height: 260,
    encoding,
    layer: [
      { mark: { type: 'area', opacity: 0.15 }, encoding: { y: { ...y, aggregate: 'min' }, y2: { field: 'capacity', aggregate: 'max' } } },
      { mark: { type: 'line', point: true }, encoding: { y: { ...y, aggregate: 'median' } } },
    ],
  };
}

/** @param {Points} points @param {typeof sizes.full} sizes */
function table(points, { dims, jitters }) {
  const cell = (/** @type {number} */ dim, /** @type {number} */ jitter) =>
    points
      .filter((point) => point.dim === dim && point.jitter === jitter)
      .map(({ capacity, reached }) => `${reached ? '>= ' : ''}${Math.round(capacity)}`)
      .join(', ');
  const rows = dims.map((dim) => [dim, ...jitters.map((jitter) => cell(dim, jitter))]);
  return markdownTable(['dimension', ...jitters.map((jitter) => `jitter ${jitter}`)], rows);
}

/** @param {typeof sizes.full} sizes */
export async function run(sizes) {
  const points = await measure(sizes);
  return { tables: { capacity: table(points, sizes) }, figures: { capacity: figure(points) } };
}
