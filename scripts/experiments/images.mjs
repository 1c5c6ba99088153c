// Real data: images of clothes as measures, damaged and recalled, beside a dense memory of their pixels.
import { concatenate, pack, unpack } from './clouds.mjs';
import { DenseMemory, MeasureMemory, Random } from './engram.mjs';
import {
  centred,
  choosePictures,
  cloudOf,
  jittered,
  occluded,
  pictureFrom,
  pictureOf,
  SIDE,
  spotsOf,
  thinned,
  THRESHOLD,
} from './fashion.mjs';
import { stagesFigure } from './image-stages.mjs';
import { judge } from './recall.mjs';
import { mean, median } from './statistics.mjs';
import { markdownTable, share, short } from './tables.mjs';

export const title = 'Fashion-MNIST';

const parameters = { seed: 1, epsilon: 0.25, beta: 100, denseSteps: 10 };
export const sizes = {
  full: { ...parameters, perClass: 20, queries: 100, steps: 20, shown: [1, 3, 8] },
  quick: { ...parameters, perClass: 1, queries: 2, steps: 3, shown: [1] },
};

/**
 * @typedef {import('./clouds.mjs').Cloud} Cloud
 * @typedef {import('./fashion.mjs').Spots} Spots
 * @typedef {import('./fashion.mjs').PictureSet} PictureSet
 * @typedef {typeof sizes.full} Sizes
 *
 * A memory of measures, and what its clouds went through before they were stored.
 * @typedef {{ memory: MeasureMemory, prepare: (cloud: Cloud) => Cloud }} Measures
 *
 * A calibrated dense memory of pixels.
 * @typedef {{ memory: DenseMemory, similarity: typeof SIMILARITIES[number] }} Dense
 */

/** @type {{ name: string, damage: (spots: Spots, random: Random) => Spots }[]} */
const DAMAGES = [
  { name: 'half of the pixels removed, at random', damage: thinned },
  { name: 'lower half removed', damage: occluded },
  { name: 'every pixel moved, sigma 1 px', damage: (spots, random) => jittered(spots, random, { shift: 0, noise: 1 }) },
  {
    name: 'all moved together by 2 px, and each, sigma 0.5 px',
    damage: (spots, random) => jittered(spots, random, { shift: 2, noise: 0.5 }),
  },
];

/** The dense memories: of how pixels are compared. */
const SIMILARITIES = /** @type {const} */ (['euclidean', 'cosine']);

/** The damage and the memory of each row of the figure; the first row has the first cue, the second the second. */
const EXAMPLES = [
  { damage: 0, measures: 'measures, centred' },
  { damage: 2, measures: 'measures' },
  { damage: 3, measures: 'measures, centred' },
];

/**
 * How often a picture is the right one, or of the right class; and how far the results are from the right one.
 * @param {PictureSet} set
 * @param {number[]} truth
 * @param {ArrayLike<number>} named
 * @param {number[]} divergences
 */
function scored({ labels }, truth, named, divergences) {
  return {
    picture: mean(truth.map((item, q) => named[q] === item)),
    ofClass: mean(truth.map((item, q) => labels[named[q]] === labels[item])),
    divergence: median(divergences),
  };
}

/**
 * Asks a memory of measures.
 * @param {Measures} measures
 * @param {PictureSet} set
 * @param {Cloud[]} clouds
 * @param {number[]} truth
 * @param {Sizes} sizes
 */
async function askMeasures({ memory, prepare }, set, clouds, truth, { steps, beta }) {
  const cues = clouds.map(prepare);
  const { index, clouds: recalled } = await memory.retrieve(pack(cues), { beta, steps });
  const { divergence } = await judge(memory, unpack(recalled, 2), truth);
  const before = await judge(memory, cues, truth);
  return {
    ...scored(set, truth, index, divergence),
    cue: { picture: mean(before.right), divergence: median(before.divergence) },
  };
}

/**
 * Asks a dense memory of pixels; its results are judged as measures, too.
 * @param {Dense} dense
 * @param {Measures} measures
 * @param {PictureSet} set
 * @param {Spots[]} spots
 * @param {number[]} truth
 * @param {Sizes} sizes
 */
async function askDense({ memory, similarity }, measures, set, spots, truth, { denseSteps }) {
  const cues = concatenate(spots.map(pictureFrom));
  const { patterns } = await memory.retrieve(cues, { steps: denseSteps, similarity });
  const { indices } = await memory.search(patterns, { k: 1, similarity });
  const clouds = truth.map((_, q) => cloudOf(spotsOf(pictureOf(patterns, q))));
  const { divergence } = await judge(measures.memory, clouds.map(measures.prepare), truth);
  return { ...scored(set, truth, indices, divergence), clouds, indices };
}

/**
 * The flow of one cue: its state at the start, after some of the steps, and at the end.
 * @param {Measures} measures
 * @param {Cloud} cloud
 * @param {Sizes} sizes
 */
async function stagesOf({ memory, prepare }, cloud, { steps, beta, shown }) {
  const { trace = [], index } = await memory.retrieve(pack([prepare(cloud)]), { beta, steps, trace: true });
  const { points, weights } = trace[0];
  const n = cloud.weights.length;
  const last = weights.length / n - 1;
  const stages = [0, ...shown.filter((step) => step < last), last].map((step) => ({
    step,
    cloud: {
      points: points.subarray(2 * n * step, 2 * n * (step + 1)),
      weights: weights.subarray(n * step, n * (step + 1)),
    },
  }));
  return { stages, named: index[0] };
}

/**
 * All memories on one damage.
 * @param {{ set: PictureSet, dense: Dense[], kinds: Record<string, Measures> }} memories
 * @param {(spots: Spots, random: Random) => Spots} damage
 * @param {Sizes} sizes
 */
async function measureDamage({ set, dense, kinds }, damage, sizes) {
  const random = new Random(sizes.seed + 1);
  const truth = Array.from({ length: sizes.queries }, (_, q) => q % set.count);
  const spots = truth.map((item) => damage(spotsOf(pictureOf(set.pictures, item)), random));
  const clouds = spots.map(cloudOf);
  /** @type {Record<string, Awaited<ReturnType<typeof askMeasures>>>} */
  const asked = {};
  for (const [kind, measures] of Object.entries(kinds)) {
    asked[kind] = await askMeasures(measures, set, clouds, truth, sizes);
  }
  /** @type {Record<string, Awaited<ReturnType<typeof askDense>>>} */
  const askedDense = {};
  for (const one of dense) {
    askedDense[one.similarity] = await askDense(one, kinds.measures, set, spots, truth, sizes);
  }
  return { clouds, asked, askedDense };
}

/** @typedef {Awaited<ReturnType<typeof measureDamage>>} Outcome */

/** @param {Outcome[]} outcomes */
function table(outcomes) {
  const cells = (/** @type {ReturnType<typeof scored>} */ { picture, ofClass, divergence }) => [
    share(picture),
    share(ofClass),
    short(divergence),
  ];
  const rows = outcomes.flatMap(({ asked, askedDense }, i) => [
    ...Object.entries(asked).map(([kind, { cue, ...result }]) => [
      DAMAGES[i].name,
      kind,
      ...cells(result),
      short(cue.divergence),
      share(cue.picture),
    ]),
    ...Object.entries(askedDense).map(([similarity, result]) => [
      DAMAGES[i].name,
      `dense, ${similarity}`,
      ...cells(result),
      '',
      '',
    ]),
  ]);
  const results = ['right picture', 'right class', 'S of the result'];
  return markdownTable(['cue', 'memory', ...results, 'S of the cue', 'right picture nearest to the cue'], rows);
}

/**
 * Some cues on their way.
 * @param {Record<string, Measures>} kinds
 * @param {PictureSet} set
 * @param {Outcome[]} outcomes
 * @param {Sizes} sizes
 */
async function figure(kinds, set, outcomes, sizes) {
  const rows = [];
  for (const [item, { damage, measures }] of EXAMPLES.slice(0, sizes.queries).entries()) {
    const { clouds, askedDense } = outcomes[damage];
    const { stages, named } = await stagesOf(kinds[measures], clouds[item], sizes);
    rows.push({
      name: `${DAMAGES[damage].name} (${measures})`,
      stages,
      isRight: named === item,
      stored: cloudOf(spotsOf(pictureOf(set.pictures, item))),
      dense: { cloud: askedDense.cosine.clouds[item], isRight: askedDense.cosine.indices[item] === item },
    });
  }
  return stagesFigure(rows);
}

/**
 * Memories of measures: as the pictures lie, and with their means at the origin.
 * @param {PictureSet} set
 * @param {Sizes} sizes
 * @returns {Record<string, Measures>}
 */
function measuresOf({ pictures, count }, { epsilon }) {
  const stored = Array.from({ length: count }, (_, i) => cloudOf(spotsOf(pictureOf(pictures, i))));
  const options = { width: SIDE, height: SIDE, threshold: THRESHOLD, epsilon };
  return {
    measures: { memory: MeasureMemory.fromImages(pictures, options), prepare: (cloud) => cloud },
    'measures, centred': {
      memory: MeasureMemory.from(pack(stored.map(centred)), { dim: 2, epsilon }),
      prepare: centred,
    },
  };
}

/**
 * @param {PictureSet} set
 * @returns {Promise<Dense[]>}
 */
const denseOf = ({ pictures }) =>
  Promise.all(
    SIMILARITIES.map(async (similarity) => {
      const memory = DenseMemory.from(pictures, { dim: SIDE ** 2 });
      await memory.calibrate({ similarity });
      return { memory, similarity };
    }),
  );

/** @param {Sizes} sizes */
export async function run(sizes) {
  const set = await choosePictures(new Random(sizes.seed), sizes.perClass);
  const kinds = measuresOf(set, sizes);
  const dense = await denseOf(set);
  try {
    const outcomes = [];
    for (const { damage } of DAMAGES) outcomes.push(await measureDamage({ set, dense, kinds }, damage, sizes));
    return { tables: { images: table(outcomes) }, figures: { images: await figure(kinds, set, outcomes, sizes) } };
  } finally {
    for (const { memory } of [...Object.values(kinds), ...dense]) memory.dispose();
  }
}
