// What a message gives away, and what differential privacy costs.
import {
  detectability,
  FederatedMemory,
  gaussianMechanism,
  ProductAggregation,
  ProductClient,
  Random,
} from '../engram.mjs';
import { mean } from '../statistics.mjs';
import { markdownTable } from '../tables.mjs';
import { encode } from './federation.mjs';
import { bestOverlaps, dot, rowsOf } from './judge.mjs';
import { drawExamples, randomArchetypes, uniform } from './signs.mjs';
import { measured } from './text.mjs';

export const title = 'privacy';

export const sizes = {
  full: { leakTrials: 3, leakSamples: [10, 20, 40, 80], privacyTrials: 5 },
  quick: { leakTrials: 1, leakSamples: [10], privacyTrials: 1 },
};

/**
 * Signs in the range of a message: random mixtures are projected on it and made signs, again and again, with noise
 * that dies away. Examples are fixed points of that.
 * @param {Float32Array} vectors orthonormal rows
 * @param {{ dim: number, starts: number, random: Random }} search
 * @returns {Int8Array} rows
 */
function signsInRange(vectors, { dim, starts, random }) {
  const basis = rowsOf(vectors, dim);
  const found = new Int8Array(starts * dim);
  const field = new Float64Array(dim);
  const addParts = (/** @type {(v: Float32Array) => number} */ part) => {
    for (const v of basis) {
      const c = part(v);
      for (let i = 0; i < dim; ++i) field[i] += c * v[i];
    }
  };
  for (const signs of rowsOf(found, dim)) {
    field.fill(0);
    addParts(() => random.normal());
    for (let step = 0; step < MOST_STEPS; ++step) {
      let changed = 0;
      for (let i = 0; i < dim; ++i) {
        const next = field[i] < 0 ? -1 : 1;
        changed += next === signs[i] ? 0 : 1;
        signs[i] = next;
      }
      if (changed === 0 && step > NOISY_STEPS) break;
      const noise = 0.3 * Math.max(0, 1 - step / NOISY_STEPS);
      for (let i = 0; i < dim; ++i) field[i] = noise > 0 ? noise * random.normal() : 0;
      addParts((v) => dot(v, signs));
    }
  }
  return found;
}
const [NOISY_STEPS, MOST_STEPS] = [20, 60];

/** Reads examples off one message of full rank, which only `allowLeak` makes. */
async function leak(/** @type {number} */ trials, /** @type {number[]} */ sampleCounts) {
  const [dim, quality] = [784, 0.8];
  const targets = /** @type {Record<number, number>} */ ({ 20: 1, 40: 0.94, 80: 0.05 });
  const rows = [];
  for (const samples of sampleCounts) {
    const exact = [];
    for (let seed = 1; seed <= trials; ++seed) {
      const random = new Random(seed);
      const truth = randomArchetypes(random, 3, dim);
      const examples = drawExamples(random, truth, { exposure: uniform(3), count: samples, quality });
      const { factor } = await encode(examples, dim, { rank: samples });
      const read = signsInRange(factor, { dim, starts: 20 * samples, random });
      const overlaps = bestOverlaps(read, rowsOf(examples, dim));
      exact.push(mean(overlaps.map((overlap) => overlap === 1)));
    }
    rows.push([samples, measured(mean(exact), targets[samples], 2)]);
  }
  return markdownTable(['examples of the client', 'share read off its message, bit for bit'], rows);
}

/** Clients that add noise to their parts of the sums. */
async function privacy(/** @type {number} */ trials) {
  const [dim, count, quality, clients, delta] = [256, 4, 0.5, 10, 1e-5];
  const samples = new Array(clients).fill(200);
  const rows = [];
  for (const [epsilon, target] of /** @type {const} */ ([[1, '.60 to .84'], [2, '>= .99'], [4, '1.00'], [8, '1.00']])) {
    const options = { epsilon, delta };
    const mechanism = gaussianMechanism({ ...options, dim, samples });
    const theory = detectability({ dim, samples, quality, exposure: uniform(count), privacy: options });
    const overlaps = [];
    const found = [];
    for (let seed = 1; seed <= trials; ++seed) {
      const random = new Random(seed);
      const truth = randomArchetypes(random, count, dim);
      const members = new Map();
      for (const [c, size] of samples.entries()) {
        const examples = drawExamples(random, truth, { exposure: uniform(count), count: size, quality });
        const client = `client ${c}`;
        const rules = { dim, client, privacy: { mechanism, survivors: clients } };
        members.set(client, await ProductClient.create(examples, rules));
      }
      const memory = new FederatedMemory({ dim });
      await memory.round(
        new ProductAggregation({
          dim,
          clients: Array.from(members.values(), ({ summary }) => summary),
          leastClients: clients,
          exchange: ({ client, message }) => members.get(client).answer(message),
        }),
      );
      overlaps.push(mean(bestOverlaps(memory.archetypes, truth)));
      found.push(memory.count);
      memory.dispose();
    }
    rows.push([
      epsilon,
      mechanism.edge.toFixed(1),
      measured(mean(overlaps), target, 3),
      theory.archetypeOverlap[0].toFixed(3),
      mean(found).toFixed(1),
    ]);
  }
  return markdownTable(['epsilon', 'edge of the noise', 'overlap', 'predicted', 'found, of 4'], rows);
}

/** @param {typeof sizes.full} given */
export async function run({ leakTrials, leakSamples, privacyTrials }) {
  return { tables: { leak: await leak(leakTrials, leakSamples), privacy: await privacy(privacyTrials) }, figures: {} };
}
