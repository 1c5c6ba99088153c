// Capacity against dimension: how many random Gaussian clouds can be stored before recall fails.
import { pack } from './clouds.mjs';
import { storedClouds } from './cases.mjs';
import { cuesFrom } from './damage.mjs';
import { Random } from './engram.mjs';
import { withMemory } from './recall.mjs';
import { mean, median } from './statistics.mjs';
import { markdownTable, share } from './tables.mjs';

export const title = 'capacity';

export const sizes = {
  full: {
    seeds: [1, 2, 3],
    dims: [2, 3, 4, 6, 8, 12, 16, 24, 32],
    jitters: [0.5, 1, 1.5, 2],
    most: 4096,
    queries: 64,
    steps: 15,
  },
  quick: { seeds: [1], dims: [2, 8], jitters: [0.75], most: 8, queries: 4, steps: 3 },
};

/** Recall is asked to name the right cloud for this share of the cues. */
const RECOVERY = 0.9;
const ATOMS = 8;

/**
 * The largest memory whose recovery rate is at least `wanted`, interpolated over the logarithm of the size.
 * `rates` are of rising sizes, the first of which reaches it; the last size where all do.
 * @param {{ count: number, rate: number }[]} rates
 * @param {number} wanted
 */
export function largestAt(rates, wanted) {
  const first = rates.findIndex(({ rate }) => rate < wanted);
  if (first < 0) return rates[rates.length - 1].count;
  const [below, above] = [rates[first - 1], rates[first]];
  const part = (below.rate - wanted) / (below.rate - above.rate);
  return below.count * (above.count / below.count) ** part;
}

/**
 * @param {import('./recall.mjs').Problem} problem
 * @returns {Promise<number>}
 */
const recoveryRate = (problem) =>
  withMemory(problem, async (memory) => {
    const { index } = await memory.retrieve(pack(problem.cues), { beta: problem.beta, steps: problem.steps });
    return mean(problem.truth.map((item, q) => index[q] === item));
  });

/**
 * Rates for memories of 1, 2, 4, 8 .. clouds, up to the first that fails.
 * @param {number} dim
 * @param {number} jitter
 * @param {number} seed
 * @param {typeof sizes.full} sizes
 */
async function ratesOf(dim, jitter, seed, { most, queries, steps }) {
  const rates = [{ count: 1, rate: 1 }]; // there is no other cloud to name
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

/**
 * Capacities for every jitter and dimension, up to the dimension where even the largest memory succeeds.
 * @param {typeof sizes.full} sizes
 */
async function measure(sizes) {
  const points = [];
  for (const jitter of sizes.jitters) {
    for (const dim of sizes.dims) {
      const found = [];
      for (const seed of sizes.seeds) {
        const rates = await ratesOf(dim, jitter, seed, sizes);
        const reached = rates[rates.length - 1].rate >= RECOVERY;
        found.push({ dim, jitter, seed, capacity: largestAt(rates, RECOVERY), reached });
      }
      points.push(...found);
      if (found.every(({ reached }) => reached)) break;
    }
  }
  return points;
}

/** @typedef {Awaited<ReturnType<typeof measure>>} Points */

/**
 * Medians over the seeds, and their range.
 * @param {Points} points
 * @param {typeof sizes.full} sizes
 */
function summaries(points, { dims, jitters }) {
  return jitters.flatMap((jitter) =>
    dims.flatMap((dim) => {
      const found = points.filter((point) => point.dim === dim && point.jitter === jitter);
      if (found.length === 0) return [];
      const capacities = found.map(({ capacity }) => capacity);
      const reached = found.some((point) => point.reached);
      const [low, high] = [Math.min(...capacities), Math.max(...capacities)];
      return [{ dim, jitter, low, middle: median(capacities), high, reached }];
    }),
  );
}

/** @param {ReturnType<typeof summaries>} values */
function figure(values) {
  const y = (/** @type {string} */ field) => ({
    field,
    type: 'quantitative',
    title: `stored clouds, ${100 * RECOVERY} % of cues recovered`,
    scale: { type: 'log' },
    axis: { values: [1, 10, 100, 1000, 4096], format: 'd' },
  });
  const triangles = { domain: [false, true], range: ['circle', 'triangle-up'] };
  return {
    data: { values },
    width: 460,
    height: 280,
    encoding: {
      x: { field: 'dim', type: 'quantitative', title: 'dimension' },
      color: { field: 'jitter', type: 'nominal', legend: { title: 'jitter', titleOrient: 'left' } },
    },
    layer: [
      { mark: { type: 'area', opacity: 0.15 }, encoding: { y: y('low'), y2: { field: 'high' } } },
      { mark: 'line', encoding: { y: y('middle') } },
      {
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: {
          y: y('middle'),
          shape: { field: 'reached', type: 'nominal', scale: triangles, legend: null },
        },
      },
    ],
  };
}

/**
 * @param {Points} points
 * @param {typeof sizes.full} sizes
 */
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
  return { tables: { capacity: table(points, sizes) }, figures: { capacity: figure(summaries(points, sizes)) } };
}
