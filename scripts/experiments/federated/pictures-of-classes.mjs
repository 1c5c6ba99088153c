// Real data: templates of Fashion-MNIST's classes behind noise, and its images as they are.
import { HebbianOperator, Random } from '../engram.mjs';
import { mean } from '../statistics.mjs';
import { markdownTable, share } from '../tables.mjs';
import { encode, playRound, withFederation } from './federation.mjs';
import { bestOverlaps, dot, rowsOf } from './judge.mjs';
import { pictureRows } from './pictures.mjs';
import { drawLabels, flippedExamples, uniform } from './signs.mjs';
import { classMeans, decorrelated, imagesAt, openSigns, shuffledByClass } from './templates.mjs';
import { measured } from './text.mjs';

export const title = 'Fashion-MNIST';

export const sizes = {
  full: { seeds: 10, noiseSeeds: 5, noises: 3, cues: 30, perClass: 100 },
  quick: { seeds: 1, noiseSeeds: 1, noises: 1, cues: 2, perClass: 10 },
};

/**
 * @typedef {import('./templates.mjs').SignImages} SignImages
 * @typedef {import('../engram.mjs').FederatedMemory} FederatedMemory
 */

/** Templates of `count` classes, drawn at random. */
function drawTemplates(/** @type {Float64Array[]} */ means, /** @type {Random} */ random, /** @type {number} */ count) {
  return decorrelated(Array.from(random.sample(count, means.length), (label) => means[label]));
}

// ---- the silhouettes' set-up: hidden templates, flipped pixels ----

const SILHOUETTES = { archetypes: 3, clients: 3, rounds: 12, samples: 111 }; // 3 * 12 * 111 = 4000 examples

/**
 * Twelve rounds of three clients.
 * @template T
 * @param {Float64Array[]} means
 * @param {{ seed: number, quality: number }} setting
 * @param {(memory: FederatedMemory, truth: Int8Array[], random: Random) => Promise<T>} use
 */
function silhouette(means, { seed, quality }, use) {
  const { archetypes, clients, rounds, samples } = SILHOUETTES;
  const random = new Random(seed);
  const truth = drawTemplates(means, random, archetypes);
  return withFederation({ dim: truth[0].length, plasticity: 0.6 }, async (memory) => {
    for (let round = 0; round < rounds; ++round) {
      const examples = Array.from({ length: clients }, () =>
        flippedExamples(random, truth, drawLabels(random, uniform(archetypes), samples), quality),
      );
      await playRound(memory, examples);
    }
    return use(memory, truth, random);
  });
}

async function silhouettes(/** @type {Float64Array[]} */ means, /** @type {number} */ seeds) {
  const rows = [];
  for (const [quality, target] of /** @type {const} */ ([[0.6, undefined], [0.8, '> .9']])) {
    const found = [];
    for (let seed = 1; seed <= seeds; ++seed) {
      found.push(
        await silhouette(means, { seed, quality }, async (memory, truth) => ({
          overlap: mean(bestOverlaps(memory.archetypes, truth)),
          count: memory.count,
          among: Math.max(...[0, 1, 2].map((a) => Math.abs(dot(truth[a], truth[(a + 1) % 3])) / truth[a].length)),
        })),
      );
    }
    rows.push([
      quality,
      measured(mean(found.map(({ overlap }) => overlap)), target, 3),
      mean(found.map(({ count }) => count)).toFixed(2),
      share(Math.max(...found.map(({ among }) => among))),
    ]);
  }
  return markdownTable(['quality', 'overlap', 'known, of 3', 'largest overlap of two templates'], rows);
}

/** @type {{ name: string, damage: (template: Int8Array, random: Random) => Int8Array }[]} */
const DAMAGES = [
  {
    name: '35 % of the pixels flipped',
    damage: (xi, random) => xi.map((x) => (random.uniform() < 0.35 ? -x : x)),
  },
  {
    name: 'lower half random',
    damage: (xi, random) => xi.map((x, i) => (i < xi.length / 2 ? x : random.next() & 1 ? 1 : -1)),
  },
  { name: 'lower half dark', damage: (xi) => xi.map((x, i) => (i < xi.length / 2 ? x : -1)) },
];

/** Damaged templates and what each dynamics makes of them. */
async function recall(/** @type {Float64Array[]} */ means, /** @type {number} */ cues) {
  return silhouette(means, { seed: 1, quality: 0.8 }, async (memory, truth, random) => {
    const rows = [];
    /** @type {Parameters<typeof pictureRows>[0]} */
    const pictures = [
      { name: 'templates', pictures: truth },
      { name: 'archetypes found', pictures: rowsOf(memory.archetypes, memory.dim) },
    ];
    for (const { name, damage } of DAMAGES) {
      const which = Array.from({ length: cues }, (_, i) => i % truth.length);
      const damaged = which.map((mu) => damage(truth[mu], random));
      const batch = new Int8Array(cues * memory.dim);
      damaged.forEach((cue, i) => batch.set(cue, i * memory.dim));
      const overlaps = (/** @type {Int8Array[]} */ states) =>
        mean(states.map((state, i) => Math.abs(dot(state, truth[which[i]])) / memory.dim)).toFixed(3);
      const cells = [overlaps(damaged)];
      pictures.push({ name: `cues: ${name}`, pictures: damaged.slice(0, 3) });
      for (const dynamics of /** @type {const} */ (['hebbian', 'pseudoInverse', 'glauber'])) {
        const { state } = await memory.retrieve(batch, { dynamics });
        cells.push(`**${overlaps(rowsOf(state, memory.dim))}**`);
        if (dynamics !== 'pseudoInverse') continue;
        pictures.push({ name: 'recalled', pictures: rowsOf(state, memory.dim).slice(0, 3) });
      }
      rows.push([name, ...cells]);
    }
    return {
      table: markdownTable(['cue', 'overlap of the cue', 'hebbian', 'pseudoInverse', 'glauber'], rows),
      figure: pictureRows(pictures),
    };
  });
}

// ---- noise that is not independent ----

/** Signs of a random field that changes slowly over the picture: averages of (2 reach + 1)^2 normal numbers. */
function field(/** @type {Random} */ random, /** @type {number} */ side, /** @type {number} */ reach) {
  const wide = side + 2 * reach;
  const noise = Float64Array.from({ length: wide * wide }, () => random.normal());
  const average = (/** @type {Float64Array} */ from, /** @type {number} */ step) =>
    from.map((_, at) => {
      let sum = 0;
      for (let k = -reach; k <= reach; ++k) sum += from[at + k * step] ?? 0;
      return sum / Math.sqrt(2 * reach + 1);
    });
  const smooth = average(average(noise, 1), wide);
  const inside = (/** @type {number} */ i) => (Math.floor(i / side) + reach) * wide + (i % side) + reach;
  return Float64Array.from({ length: side * side }, (_, i) => smooth[inside(i)]);
}

const FLIPPED = 0.2; // of pixels, at quality 0.6
const NORMAL_BELOW = -0.8416; // a normal number is below this with probability FLIPPED

/** @typedef {(random: Random, truth: Int8Array[], labels: Uint32Array) => Int8Array | Float32Array} MakeExamples */

/** @type {{ name: string, make: MakeExamples }[]} */
const NOISES = [
  { name: 'independent', make: (random, truth, labels) => flippedExamples(random, truth, labels, 1 - 2 * FLIPPED) },
  {
    name: 'patches: flips correlated over about 3 pixels',
    make: (random, truth, labels) => {
      const dim = truth[0].length;
      const examples = new Int8Array(labels.length * dim);
      labels.forEach((label, i) => {
        const smooth = field(random, Math.sqrt(dim), 1);
        for (let d = 0; d < dim; ++d) {
          examples[i * dim + d] = smooth[d] < NORMAL_BELOW ? -truth[label][d] : truth[label][d];
        }
      });
      return examples;
    },
  },
  {
    name: 'heavy tails: flips, and examples scaled by Student numbers, 3 degrees of freedom',
    make: (random, truth, labels) => {
      const dim = truth[0].length;
      const examples = Float32Array.from(flippedExamples(random, truth, labels, 1 - 2 * FLIPPED));
      labels.forEach((_, i) => {
        const squares = [0, 1, 2].reduce((sum) => sum + random.normal() ** 2, 0);
        const scale = Math.sqrt(3 / squares);
        for (let d = 0; d < dim; ++d) examples[i * dim + d] *= scale;
      });
      return examples;
    },
  },
];

/** How many archetypes are detected behind three kinds of noise, and how many of these a second half confirms. */
async function noises(
  /** @type {Float64Array[]} */ means,
  /** @type {typeof sizes.full} */ { noises: kinds, noiseSeeds: seeds },
) {
  const [clients, samples] = [6, 300];
  const rows = [];
  for (const { name, make } of NOISES.slice(0, kinds)) {
    const cells = [];
    for (const replicate of [false, true]) {
      const [counts, overlaps] = [[], []].map(() => /** @type {number[]} */ ([]));
      for (let seed = 1; seed <= seeds; ++seed) {
        const random = new Random(seed);
        const truth = drawTemplates(means, random, 3);
        await withFederation({ dim: truth[0].length, replicate }, async (memory) => {
          const operators = [];
          for (let c = 0; c < clients; ++c) {
            const examples = make(random, truth, drawLabels(random, uniform(3), samples));
            operators.push(await HebbianOperator.fromExamples(examples, { dim: memory.dim, client: `client ${c}` }));
          }
          const { detected } = await memory.round(operators);
          counts.push(detected);
          overlaps.push(mean(bestOverlaps(memory.archetypes, truth)));
        });
      }
      cells.push(mean(counts).toFixed(1), mean(overlaps).toFixed(3));
    }
    rows.push([name, ...cells]);
  }
  return markdownTable(['noise', 'detected, of 3', 'overlap', 'detected twice', 'overlap'], rows);
}

// ---- images as they are ----

/**
 * Ten clients with three classes each; every class is seen by three clients.
 * @param {SignImages} source
 * @param {Float64Array[]} means
 * @param {number} perClass
 */
async function raw(source, means, perClass) {
  const { dim } = source;
  const order = shuffledByClass(source, new Random(1));
  const clients = order.map((_, c) => {
    const some = (/** @type {number} */ k) => order[(c + k) % order.length].slice(k * perClass, (k + 1) * perClass);
    return imagesAt(source, [0, 1, 2].flatMap((k) => Array.from(some(k))));
  });
  const classes = means.map((image) => Int8Array.from(image, (x) => (x > 0 ? 1 : -1)));
  const rows = /** @type {(string | number)[][]} */ ([]);
  /** @type {Parameters<typeof pictureRows>[0]} */
  const pictures = [{ name: 'signs of the class means', pictures: classes }];
  for (const [name, replicate] of /** @type {const} */ ([
    ['any', false],
    ['those in both halves of the clients', true],
  ])) {
    await withFederation({ dim, replicate }, async (memory) => {
      const operators = [];
      for (const [c, examples] of clients.entries()) {
        operators.push(await encode(examples, dim, { client: `client ${c}` }));
      }
      const report = await memory.round(operators);
      const nearest = rowsOf(memory.archetypes, dim).map((row) =>
        Math.max(...classes.map((image) => Math.abs(dot(row, image)) / dim)),
      );
      rows.push([
        name,
        report.detected,
        memory.count,
        `${report.edge.toFixed(2)}; ${report.cut.toFixed(2)}`,
        Array.from(report.eigenvalues.subarray(0, 6), (x) => x.toFixed(1)).join(', '),
        nearest.length > 0 ? mean(nearest).toFixed(2) : '',
      ]);
      if (memory.count === 0) return;
      pictures.push({ name: `archetypes: ${name}`, pictures: rowsOf(memory.archetypes, dim).slice(0, 10) });
    });
  }
  return {
    table: markdownTable(
      [
        'outliers',
        'detected',
        'archetypes',
        'edge; cut',
        'largest eigenvalues',
        'overlap of an archetype with the nearest class mean',
      ],
      rows,
    ),
    figure: pictureRows(pictures),
  };
}

/** @param {typeof sizes.full} given */
export async function run(given) {
  const { seeds, cues, perClass } = given;
  const source = await openSigns();
  const means = classMeans(source);
  const recalled = await recall(means, cues);
  const images = await raw(source, means, perClass);
  return {
    tables: {
      silhouettes: await silhouettes(means, seeds),
      recall: recalled.table,
      noises: await noises(means, given),
      raw: images.table,
    },
    figures: { silhouettes: recalled.figure, 'raw-images': images.figure },
  };
}
