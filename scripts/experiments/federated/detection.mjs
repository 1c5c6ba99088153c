// Detection against theory: eigenvalues, overlaps and how often a memory says that there is something.
import { detectability, Random, SecondMoment, SumOperator, topEigenpairs } from '../engram.mjs';
import { mean, median } from '../statistics.mjs';
import { markdownTable } from '../tables.mjs';
import { encode, playRound, withFederation } from './federation.mjs';
import { bestOverlaps, dot, energyIn, rowsOf } from './judge.mjs';
import { drawExamples, flippedExamples, randomArchetypes, uniform } from './signs.mjs';
import { measured } from './text.mjs';

export const title = 'detection against theory';

export const sizes = {
  full: {
    thresholdTrials: 40,
    sizeTrials: 60,
    signTrials: 20,
    bbpTrials: 50,
    unequalTrials: 20,
    strengths: [0, 0.8, 1, 1.2, 1.5, 2, 3, 5, 10],
  },
  quick: { thresholdTrials: 1, sizeTrials: 1, signTrials: 1, bbpTrials: 1, unequalTrials: 1, strengths: [0, 3] },
};

const RANK = 8; // of messages: more than archetypes, and noise beside them

/**
 * Targets by strength: eigenvalue / noise variance, squared overlap, share detected.
 * @type {Record<number, number[]>}
 */
const THRESHOLD_TARGETS = {
  0: [2.885, 0.001, 0],
  0.8: [2.893, 0.014, 0.03],
  1: [2.905, 0.084, 0.18],
  1.2: [2.944, 0.208, 0.58],
  1.5: [3.036, 0.385, 0.98],
  2: [3.265, 0.556, 1],
  3: [3.855, 0.718, 1],
  5: [5.168, 0.84, 1],
  10: [8.607, 0.926, 1],
};

/** The quality at which kappa = N r^2 / (1 - r^2), of one archetype, is `strength` times the threshold. */
function qualityAt(/** @type {number} */ strength, /** @type {number} */ dim, /** @type {number} */ samples) {
  const kappa = strength * Math.sqrt(dim / samples);
  return Math.sqrt(kappa / (dim + kappa));
}

/**
 * One archetype, one client, one round.
 * @param {{ dim: number, samples: number, strength: number, seed: number }} trial
 */
async function detectOne({ dim, samples, strength, seed }) {
  const random = new Random(seed);
  const quality = qualityAt(strength, dim, samples);
  const truth = randomArchetypes(random, 1, dim);
  const examples = drawExamples(random, truth, { exposure: [1], count: samples, quality });
  const operator = await encode(examples, dim, { rank: RANK });
  const { detected } = await withFederation({ dim, falseAlarm: 0.05 }, (memory) => memory.round([operator]));
  return {
    eigenvalue: operator.eigenvalues[0] / (1 - quality ** 2),
    overlap: dot(operator.factor.subarray(0, dim), truth[0]) ** 2 / dim,
    detected: detected > 0,
  };
}

/** @param {{ dim: number, samples: number, strength: number, trials: number }} setup */
async function detectMany({ trials, ...setup }) {
  const all = [];
  for (let seed = 1; seed <= trials; ++seed) all.push(await detectOne({ ...setup, seed }));
  return {
    eigenvalue: mean(all.map(({ eigenvalue }) => eigenvalue)),
    overlap: mean(all.map(({ overlap }) => overlap)),
    detected: mean(all.map(({ detected }) => detected)),
  };
}

function theoryOf(/** @type {number} */ strength, /** @type {number} */ dim, /** @type {number} */ samples) {
  const ratio = dim / samples;
  const kappa = Math.max(strength, 1) * Math.sqrt(ratio);
  const overlap = strength > 1 ? (1 - ratio / kappa ** 2) / (1 + ratio / kappa) : 0;
  return { eigenvalue: (1 + kappa) * (1 + ratio / kappa), overlap };
}

async function threshold(/** @type {typeof sizes.full} */ { thresholdTrials: trials, strengths }) {
  const [dim, samples] = [784, 1568];
  const points = [];
  for (const strength of strengths) {
    const found = await detectMany({ dim, samples, strength, trials });
    points.push({ strength, ...found, theory: theoryOf(strength, dim, samples) });
  }
  const table = markdownTable(
    ['s', 'eigenvalue', 'theory', 'squared overlap', 'theory', 'detected'],
    points.map(({ strength, eigenvalue, overlap, detected, theory }) => {
      const [value, square, found] = THRESHOLD_TARGETS[strength];
      return [
        strength,
        measured(eigenvalue, value, 3),
        theory.eigenvalue.toFixed(3),
        measured(overlap, square, 3),
        theory.overlap.toFixed(3),
        measured(detected, found, 2),
      ];
    }),
  );
  return { points, table };
}

/** Where else the share detected has targets. */
const OTHER_SIZES = [
  { dim: 400, samples: 400, targets: [0.05, 0.13, 0.35, 0.78, 1] },
  { dim: 1600, samples: 800, targets: [0.05, 0.2, 0.4, 1, 1] },
];
const OTHER_STRENGTHS = [0.8, 1, 1.2, 1.5, 2];

async function otherSizes(/** @type {typeof sizes.full} */ { sizeTrials: trials }) {
  const rows = [];
  for (const { dim, samples, targets } of OTHER_SIZES) {
    const cells = [];
    for (const [i, strength] of OTHER_STRENGTHS.entries()) {
      const { detected } = await detectMany({ dim, samples, strength, trials });
      cells.push(measured(detected, targets[i], 2));
    }
    rows.push([`N = ${dim}, M = ${samples}`, ...cells]);
  }
  return markdownTable(['detected', ...OTHER_STRENGTHS.map((s) => `s = ${s}`)], rows);
}

/** Overlap of the archetypes found: four of equal exposure, N = M = 1000. */
async function signs(/** @type {typeof sizes.full} */ { signTrials }) {
  const [dim, samples, count] = [1000, 1000, 4];
  const targets = [
    { quality: 0.12, target: 0.89 },
    { quality: 0.15, target: 0.971 },
    { quality: 0.2, target: 0.996 },
    { quality: 0.3, target: 1 },
  ];
  const rows = [];
  for (const { quality, target } of targets) {
    const [overlaps, found] = [[], []].map(() => /** @type {number[]} */ ([]));
    for (let seed = 1; seed <= signTrials; ++seed) {
      const random = new Random(seed);
      const truth = randomArchetypes(random, count, dim);
      const examples = drawExamples(random, truth, { exposure: uniform(count), count: samples, quality });
      await withFederation({ dim }, async (memory) => {
        await playRound(memory, [examples], { rank: 2 * RANK });
        overlaps.push(mean(bestOverlaps(memory.archetypes, truth)));
        found.push(memory.count);
      });
    }
    const predicted = detectability({ dim, samples, quality, exposure: uniform(count) }).archetypeOverlap[0];
    rows.push([quality, measured(mean(overlaps), target, 3), predicted.toFixed(3), mean(found).toFixed(2)]);
  }
  return markdownTable(['quality', 'overlap of the archetypes', 'theory', 'found, of 4'], rows);
}

/** Share of the variance of `y` that is explained by y = x. */
function explained(/** @type {number[]} */ x, /** @type {number[]} */ y) {
  const centre = mean(y);
  const sum = (/** @type {number[]} */ list) => list.reduce((total, entry) => total + entry ** 2, 0);
  return 1 - sum(y.map((entry, i) => entry - x[i])) / sum(y.map((entry) => entry - centre));
}

/** Three strong archetypes and three weak ones, as many examples as clients of a round have. */
async function bbp(/** @type {typeof sizes.full} */ { bbpTrials }) {
  const [dim, quality] = [400, 0.95];
  const exposure = [0.4, 0.25, 0.15, 0.1, 0.06, 0.04];
  const rows = [];
  for (const samples of [400, 1600, 6400]) {
    const theory = detectability({ dim, samples, quality, exposure });
    const predicted = { values: /** @type {number[]} */ ([]), overlaps: /** @type {number[]} */ ([]) };
    const found = { values: /** @type {number[]} */ ([]), overlaps: /** @type {number[]} */ ([]) };
    for (let seed = 1; seed <= bbpTrials; ++seed) {
      const random = new Random(seed);
      const truth = randomArchetypes(random, exposure.length, dim);
      const labels = Uint32Array.from({ length: samples }, (_, i) => {
        const place = (i + 0.5) / samples; // exposures as they are said, without a draw
        let [label, end] = [0, exposure[0]];
        while (place > end) end += exposure[++label];
        return label;
      });
      const operator = await encode(flippedExamples(random, truth, labels, quality), dim, { rank: RANK });
      found.values.push(...operator.eigenvalues.subarray(0, exposure.length));
      const vectors = rowsOf(operator.factor, dim).slice(0, exposure.length);
      found.overlaps.push(...vectors.map((v, mu) => dot(v, truth[mu]) ** 2 / dim));
      predicted.values.push(...theory.eigenvalues);
      predicted.overlaps.push(...theory.subspaceOverlap);
    }
    const gaps = found.overlaps.map((overlap, i) => Math.abs(overlap - predicted.overlaps[i]));
    rows.push([samples, explained(predicted.values, found.values).toFixed(4), median(gaps).toFixed(3)]);
  }
  return markdownTable(['M', 'R^2 of eigenvalues', 'median gap of squared overlaps'], rows);
}

/** Four clients that differ in everything; section 1.6 of the theory, not of the paper. */
async function unequal(/** @type {typeof sizes.full} */ { unequalTrials }) {
  const dim = 600;
  const samples = [150, 300, 600, 1200];
  const quality = [0.3, 0.2, 0.12, 0.06];
  const exposure = [
    [0.6, 0.4, 0],
    [0.4, 0.4, 0.2],
    [0.4, 0.3, 0.3],
    [0.2, 0.1, 0.7],
  ];
  const weakest = 2;
  const informative = samples.map((count, c) => count * quality[c] ** 2);
  const rules = /** @type {{ name: string, weights: any, targets: (number | undefined)[] }[]} */ ([
    { name: 'equal', weights: 'equal', targets: [3.777, 0.765] },
    { name: 'by size', weights: 'size', targets: [undefined, 0.843] },
    { name: 'by size times squared quality', weights: informative, targets: [undefined, 0.636] },
    { name: 'maximin', weights: 'maximin', targets: [undefined, undefined] },
  ]);
  const rows = [];
  for (const { name, weights, targets } of rules) {
    const theory = detectability({ dim, samples, quality, exposure, weights });
    const [values, overlaps, found] = [[], [], []].map(() => /** @type {number[]} */ ([]));
    for (let seed = 1; seed <= unequalTrials; ++seed) {
      const random = new Random(seed);
      const truth = randomArchetypes(random, exposure[0].length, dim);
      const clients = samples.map((count, c) =>
        drawExamples(random, truth, { exposure: exposure[c], count, quality: quality[c] }),
      );
      const terms = clients.map((examples, c) => ({
        operator: SecondMoment.from(examples, { dim }),
        weight: theory.clientWeights[c],
      }));
      const { eigenvalues, vectors } = await topEigenpairs(new SumOperator(terms), { k: exposure[0].length });
      values.push(eigenvalues[weakest]);
      overlaps.push(energyIn(vectors, truth[weakest]));
      await withFederation({ dim, weights: Float64Array.from(theory.clientWeights) }, async (memory) => {
        found.push((await playRound(memory, clients)).detected);
      });
    }
    rows.push([
      name,
      measured(mean(values), targets[0], 3),
      theory.eigenvalues[weakest].toFixed(3),
      measured(mean(overlaps), targets[1], 3),
      theory.subspaceOverlap[weakest].toFixed(3),
      mean(found).toFixed(2),
    ]);
  }
  return markdownTable(
    ['weights of clients', 'third eigenvalue', 'theory', 'squared overlap of the weakest', 'theory', 'detected, of 3'],
    rows,
  );
}

const KINDS = { domain: ['theory', 'measured'], range: ['#999', '#0072b2'] };

/** @param {Awaited<ReturnType<typeof threshold>>['points']} points */
function figure(points) {
  const panel = (/** @type {string} */ field, /** @type {string} */ label) => ({
    width: 230,
    height: 180,
    layer: ['theory', 'measured'].map((kind) => ({
      data: {
        values: points.map(({ strength, theory, ...found }) => ({
          strength,
          kind,
          value: /** @type {any} */ (kind === 'theory' ? theory : found)[field],
        })),
      },
      mark: kind === 'theory' ? { type: 'line' } : { type: 'point', filled: true, size: 50 },
      encoding: {
        x: { field: 'strength', type: 'quantitative', title: 'kappa / sqrt(q)' },
        y: { field: 'value', type: 'quantitative', title: label, scale: { zero: false } },
        color: { field: 'kind', type: 'nominal', scale: KINDS },
      },
    })),
  });
  const detected = {
    width: 230,
    height: 180,
    data: { values: points.filter(({ strength }) => strength <= 3) },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'strength', type: 'quantitative', title: 'kappa / sqrt(q)' },
      y: { field: 'detected', type: 'quantitative', title: 'detected', scale: { domain: [0, 1] } },
    },
  };
  return {
    hconcat: [panel('eigenvalue', 'largest eigenvalue / noise'), panel('overlap', 'squared overlap'), detected],
  };
}

/** @param {typeof sizes.full} given */
export async function run(given) {
  const { points, table } = await threshold(given);
  return {
    tables: {
      threshold: table,
      'other-sizes': await otherSizes(given),
      signs: await signs(given),
      bbp: await bbp(given),
      unequal: await unequal(given),
    },
    figures: { detection: figure(points) },
  };
}
