// Stored items and queries: random ones from a seed, or the images of Fashion-MNIST.
//
// @ts-check
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const fashionFolder = '/usr/share/datasets/fashion-mnist';
const fashionFile = {
  train: `${fashionFolder}/train-images-idx3-ubyte.gz`,
  test: `${fashionFolder}/t10k-images-idx3-ubyte.gz`,
};

/** Uniform numbers of mean 0 and variance 1: xorshift32, fast enough for 10^8 of them. */
export class Random {
  #state;
  constructor(/** @type {number} */ seed) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  }
  #next() {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x;
  }
  fill(/** @type {Float32Array} */ to) {
    const scale = Math.sqrt(3) / 2 ** 31;
    for (let i = 0; i < to.length; i++) to[i] = this.#next() * scale;
    return to;
  }
  /** +1 or -1 each. */
  signs(/** @type {Int8Array} */ to) {
    for (let i = 0; i < to.length; i++) to[i] = this.#next() & 1 ? 1 : -1;
    return to;
  }
  /** Changes the sign of each with this probability, to one part in 65,536. */
  flip(/** @type {Int8Array} */ signs, /** @type {number} */ probability) {
    const threshold = Math.round(probability * 65536);
    for (let i = 0; i < signs.length; i += 2) {
      const bits = this.#next() >>> 0;
      if (bits >>> 16 < threshold) signs[i] = -(signs[i] ?? 0);
      if ((bits & 65535) < threshold && i + 1 < signs.length) signs[i + 1] = -(signs[i + 1] ?? 0);
    }
  }
  /** An integer in [0, below). */
  below(/** @type {number} */ below) {
    return Math.floor(((this.#next() >>> 0) / 2 ** 32) * below);
  }
}

/**
 * Examples of +-1 from hidden archetypes, whose shares fall from one and a half times the mean to half of it. Each entry
 * is the archetype's with probability (1 + quality) / 2.
 */
export class Spikes {
  #random;
  #archetypes;
  #dim;
  #flips;
  constructor(/** @type {{ dim: number, archetypes: number, quality: number, seed: number }} */ options) {
    const { dim, archetypes, quality, seed } = options;
    this.#random = new Random(seed);
    this.#archetypes = Array.from({ length: archetypes }, () => this.#random.signs(new Int8Array(dim)));
    this.#dim = dim;
    this.#flips = (1 - quality) / 2;
  }
  draw(/** @type {number} */ count) {
    const examples = new Int8Array(count * this.#dim);
    for (let i = 0; i < count; i++) {
      const row = examples.subarray(i * this.#dim, (i + 1) * this.#dim);
      row.set(this.#archetypes[this.#label()] ?? row);
      this.#random.flip(row, this.#flips);
    }
    return examples;
  }
  /** Shares of 1.5 ... 0.5 are a uniform share, and as much again that favours the first. */
  #label() {
    const count = this.#archetypes.length;
    const [a, b] = [this.#random.below(count), this.#random.below(count)];
    return this.#random.below(2) ? a : Math.min(a, b);
  }
}

/** Why a row cannot be measured, or undefined where its data is there. */
export function missingData(/** @type {import('./rows.mjs').Row} */ row) {
  if (row.memory.source !== 'fashion-mnist' || existsSync(fashionFile.train)) return undefined;
  return 'needs the Debian package dataset-fashion-mnist';
}

function readImages(/** @type {string} */ file) {
  const bytes = gunzipSync(readFileSync(file)).subarray(16); // after the IDX header of four numbers
  return Float32Array.from(bytes, (byte) => byte / 255);
}

/**
 * Fills `patterns` with the stored items of the row.
 * @param {import('./rows.mjs').Row} row
 * @param {Float32Array} patterns
 */
export function fillPatterns(row, patterns) {
  if (row.memory.source === 'random') new Random(1).fill(patterns);
  else patterns.set(readImages(fashionFile.train));
}

/**
 * `batches` query batches of the row, no two alike. Random memories are asked fresh random queries,
 * or for a sharp softmax stored items with noise; Fashion-MNIST is asked test images with noise.
 * @param {import('./rows.mjs').Row} row
 * @param {Float32Array} patterns
 * @param {number} batches
 */
export function makeQueries(row, patterns, batches) {
  const { dim } = row.memory;
  const random = new Random(2);
  const source =
    row.memory.source === 'fashion-mnist'
      ? readImages(fashionFile.test)
      : row.sharpness === 'sharp'
        ? patterns
        : undefined;
  const noise = row.memory.source === 'fashion-mnist' ? 0.1 : 0.3;
  return Array.from({ length: batches }, () => {
    const queries = random.fill(new Float32Array(row.queries * dim));
    if (!source) return queries;
    for (let q = 0; q < row.queries; q++) {
      const from = random.below(source.length / dim) * dim;
      for (let d = 0; d < dim; d++) {
        queries[q * dim + d] = (source[from + d] ?? 0) + noise * (queries[q * dim + d] ?? 0);
      }
    }
    return queries;
  });
}

/**
 * The inverse temperature of the row, from the spread of the dot products of a sample.
 * @param {import('./rows.mjs').Row} row
 * @param {Float32Array} patterns
 * @param {Float32Array} queries one batch
 */
export function chooseBeta(row, patterns, queries) {
  const { count, dim } = row.memory;
  const random = new Random(3);
  const sample = 4096;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < sample; i++) {
    const x = random.below(count) * dim;
    const q = random.below(row.queries) * dim;
    let dot = 0;
    for (let d = 0; d < dim; d++) dot += (patterns[x + d] ?? 0) * (queries[q + d] ?? 0);
    sum += dot;
    squares += dot * dot;
  }
  const deviation = Math.sqrt(squares / sample - (sum / sample) ** 2);
  return Math.fround((row.sharpness === 'sharp' ? 20 : 1) / deviation);
}
