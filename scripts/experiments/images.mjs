// Real data: images of clothes as measures, damaged and recalled, beside a dense memory of their pixels.
import { concatenate, pack, unpack } from './clouds.mjs';
import { DenseMemory, MeasureMemory, Random } from './engram.mjs';
import {
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
import { renderStages } from './image-stages.mjs';
import { mean, median } from './statistics.mjs';
import { markdownTable, share, short } from './tables.mjs';

export const title = 'Fashion-MNIST';

export const sizes = {
  full: { seed: 1, perClass: 50, queries: 100, steps: 40, epsilon: 0.25, beta: 20, denseSteps: 10, shown: [1, 3, 8] },
  quick: { seed: 1, perClass: 1, queries: 3, steps: 3, epsilon: 0.25, beta: 20, denseSteps: 2, shown: [1] },
};

/**
 * @typedef {import('./clouds.mjs').Cloud} Cloud
 * @typedef {import('./fashion.mjs').Spots} Spots
 * @typedef {import('./fashion.mjs').PictureSet} PictureSet
 * @typedef {typeof sizes.full} Sizes
 */

/** @type {Record<string, (spots: Spots, random: Random) => Spots>} */
const DAMAGES = {
  'lower half removed': occluded,
  'random half removed': thinned,
  'shifted 2 px, noise 0.5 px': jittered,
};

/** How often a method names the right picture, or one of its class; and how near its result is to the right one. */
function scored(/** @type {PictureSet} */ { labels }, /** @type {number[]} */ truth, /** @type {ArrayLike<number>} */ named, /** @type {number[]} */ divergence) {
  return {
    picture: mean(truth.map((item, q) => named[q] === item)),
    ofClass: mean(truth.map((item, q) => labels[named[q]] === labels[item])),
    divergence: median(divergence),
  };
}

/** Divergences of clouds to the stored ones they ought to be. @param {MeasureMemory} memory @param {Cloud[]} clouds @param {number[]} truth */
async function toTruth(memory, clouds, truth) {
  const { values } = await memory.divergence(pack(clouds));
  return truth.map((item, q) => values[q * memory.count + item]);
}

/** What the dense memory of pixels recalls: pictures, and the stored ones they are nearest to. @param {DenseMemory} dense @param {Float32Array} cues @param {number} steps */
async function recallPictures(dense, cues, steps) {
  const { patterns } = await dense.retrieve(cues, { steps });
  const { indices } = await dense.search(patterns, { k: 1 });
  return { patterns, indices };
}

/** @param {MeasureMemory} memory @param {DenseMemory} dense @param {PictureSet} set @param {(spots: Spots, random: Random) => Spots} damage @param {Sizes} sizes */
async function measureDamage(memory, dense, set, damage, { seed, queries, steps, beta, denseSteps, shown }) {
  const random = new Random(seed + 1);
  const truth = Array.from({ length: queries }, (_, q) => q % set.count);
  const spots = truth.map((item) => damage(spotsOf(pictureOf(set.pictures, item)), random));
  const cues = spots.map(cloudOf);
  const flow = await memory.retrieve(pack(cues), { beta, steps });
  const recalled = await recallPictures(dense, concatenate(spots.map(pictureFrom)), denseSteps);
  const denseClouds = truth.map((_, q) => cloudOf(spotsOf(pictureOf(recalled.patterns, q))));
  const example = await memory.retrieve(cues[0], { beta, steps, trace: true });
  return {
    cue: median(await toTruth(memory, cues, truth)),
    SHK: scored(set, truth, flow.index, await toTruth(memory, unpack(flow.clouds, 2), truth)),
    dense: scored(set, truth, recalled.indices, await toTruth(memory, denseClouds, truth)),
    example: {
      stages: stagesOf(cues[0], example.trace[0], shown),
      stored: cloudOf(spotsOf(pictureOf(set.pictures, truth[0]))),
      dense: denseClouds[0],
    },
  };
}

/** The cue, the states after some of the steps, and the last state. @param {Cloud} cue @param {any} trace @param {number[]} shown */
function stagesOf(cue, { points, weights }, shown) {
  const n = cue.weights.length;
  const last = weights.length / n - 1;
  const steps = [0, ...shown.filter((step) => step < last), last];
  return steps.map((step) => ({
    step,
    cloud: { points: points.subarray(2 * n * step, 2 * n * (step + 1)), weights: weights.subarray(n * step, n * (step + 1)) },
  }));
}

/** @param {Record<string, Awaited<ReturnType<typeof measureDamage>>>} results */
function table(results) {
  const cells = (/** @type {ReturnType<typeof scored>} */ { picture, ofClass, divergence }) => [
    share(picture),
    share(ofClass),
    short(divergence),
  ];
  const rows = Object.entries(results).flatMap(([damage, { cue, SHK, dense }]) => [
    [damage, 'measures', ...cells(SHK), short(cue)],
    ['', 'dense, pixels', ...cells(dense), ''],
  ]);
  return markdownTable(['cue', 'memory', 'right picture', 'right class', 'S of the result', 'S of the cue'], rows);
}

/** @param {Sizes} sizes */
export async function run(sizes) {
  const set = await choosePictures(new Random(sizes.seed), sizes.perClass);
  const memory = MeasureMemory.fromImages(set.pictures, { width: SIDE, height: SIDE, threshold: THRESHOLD, epsilon: sizes.epsilon });
  const dense = DenseMemory.from(set.pictures, { dim: SIDE ** 2 });
  try {
    await dense.calibrate();
    /** @type {Record<string, Awaited<ReturnType<typeof measureDamage>>>} */
    const results = {};
    for (const [name, damage] of Object.entries(DAMAGES)) {
      results[name] = await measureDamage(memory, dense, set, damage, sizes);
    }
    const examples = Object.entries(results).map(([name, { example }]) => ({ name, ...example }));
    return { tables: { images: table(results) }, figures: { images: renderStages(examples) } };
  } finally {
    memory.dispose();
    dense.dispose();
  }
}
