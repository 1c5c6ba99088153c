/** Cues: what the memory is shown instead of the stored images. */
import type { Random } from './random.js';

/** Standard deviation of the noise, where black is 0 and white is 1. */
export const NOISE = 0.5;

/** Images the memory is asked about, and what it ought to answer. */
export interface Cues {
  readonly title: string;
  readonly count: number;
  /** What the memory is shown, count x dim. */
  readonly images: Float32Array;
  /** The class of each. */
  readonly labels: Uint32Array;
  /** For damaged stored images: the whole ones, and their numbers in the memory. */
  readonly truth?: { readonly images: Float32Array; readonly items: Uint32Array };
}

/** Images with their classes, row by row. */
export interface Labelled {
  readonly images: Float32Array;
  readonly labels: Uint32Array;
  readonly dim: number;
}

/** Stored images whose lower half is black. */
export function occludedCues(stored: Labelled, items: Uint32Array): Cues {
  const truth = rows(stored, items);
  const images = truth.slice();
  const { dim } = stored;
  for (let row = 0; row < items.length; ++row) images.fill(0, row * dim + dim / 2, (row + 1) * dim);
  return { title: 'lower half blanked', ...cuesOf(stored, items, images), truth: { images: truth, items } };
}

/** Stored images with normal noise on every pixel. */
export function noisyCues(stored: Labelled, items: Uint32Array, random: Random): Cues {
  const truth = rows(stored, items);
  const images = truth.map((pixel) => pixel + NOISE * random.normal());
  return { title: `noise, sigma ${NOISE}`, ...cuesOf(stored, items, images), truth: { images: truth, items } };
}

/** The first `count` images of a set that is not stored. */
export function unseenCues(unseen: Labelled, count: number): Cues {
  const images = unseen.images.subarray(0, count * unseen.dim);
  return { title: 'never seen', count, images, labels: unseen.labels.subarray(0, count) };
}

function cuesOf({ labels }: Labelled, items: Uint32Array, images: Float32Array) {
  return { count: items.length, images, labels: items.map((item) => labels[item]!) };
}

function rows({ images, dim }: Labelled, items: Uint32Array): Float32Array {
  const chosen = new Float32Array(items.length * dim);
  items.forEach((item, row) => chosen.set(images.subarray(item * dim, (item + 1) * dim), row * dim));
  return chosen;
}
