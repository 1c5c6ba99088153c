// Signs out of a subspace that equal exposures leave without an order of its own.
import { Random } from '../engram.mjs';
import { mean } from '../statistics.mjs';
import { markdownTable } from '../tables.mjs';
import { encode, withFederation } from './federation.mjs';
import { bestOverlaps } from './judge.mjs';
import { drawExamples, randomArchetypes, uniform } from './signs.mjs';
import { measured } from './text.mjs';

export const title = 'unmixing';

export const sizes = { full: { trials: 3, most: 40 }, quick: { trials: 1, most: 10 } };

const FOUND = 0.95; // overlap from which on an archetype counts as found

/** Targets: shares of the archetypes that are found. */
const CASES = /** @type {{ dim: number, count: number, quality: number, targets: Record<string, number> }[]} */ ([
  { dim: 784, count: 10, quality: 0.5, targets: { ica: 1, lam: 1 } },
  { dim: 784, count: 20, quality: 0.5, targets: { ica: 1, lam: 0.55 } },
  { dim: 784, count: 40, quality: 0.5, targets: { ica: 0.97, signProjection: 0.97, lam: 0.07 } },
  { dim: 784, count: 40, quality: 0.3, targets: { signProjection: 0.97 } },
  { dim: 2000, count: 40, quality: 0.5, targets: { ica: 1, signProjection: 1 } },
]);
const METHODS = /** @type {const} */ (['ica', 'signProjection', 'lam']);

/** @param {typeof CASES[number]} setup @param {number} trials */
async function compare({ dim, count, quality, targets }, trials) {
  const samples = 100 * count;
  const alone = [];
  const results = Object.fromEntries(
    METHODS.map((method) => [method, { found: /** @type {number[]} */ ([]), seconds: /** @type {number[]} */ ([]) }]),
  );
  for (let seed = 1; seed <= trials; ++seed) {
    const random = new Random(seed);
    const truth = randomArchetypes(random, count, dim);
    const examples = drawExamples(random, truth, { exposure: uniform(count), count: samples, quality });
    const operator = await encode(examples, dim, { rank: count + 8 });
    const signs = Int8Array.from(operator.factor.subarray(0, count * dim), (x) => (x < 0 ? -1 : 1));
    alone.push(mean(bestOverlaps(signs, truth)));
    for (const unmixing of METHODS) {
      await withFederation({ dim, unmixing }, async (memory) => {
        const start = performance.now();
        await memory.round([operator]);
        results[unmixing].seconds.push((performance.now() - start) / 1e3);
        results[unmixing].found.push(mean(bestOverlaps(memory.archetypes, truth).map((m) => m > FOUND)));
      });
    }
  }
  return [
    `N = ${dim}, K = ${count}, r = ${quality}`,
    mean(alone).toFixed(2),
    ...METHODS.map((method) => {
      const target = targets[method];
      const { found, seconds } = results[method];
      return `${measured(mean(found), target, 2)}; ${mean(seconds).toFixed(2)} s`;
    }),
  ];
}

/** @param {typeof sizes.full} given */
export async function run({ trials, most }) {
  const rows = [];
  for (const setup of CASES.filter(({ count }) => count <= most)) rows.push(await compare(setup, trials));
  const head = ['', 'signs of the eigenvectors: mean overlap', 'ica', 'signProjection', 'lam'];
  return { tables: { unmixing: markdownTable(head, rows) }, figures: {} };
}
