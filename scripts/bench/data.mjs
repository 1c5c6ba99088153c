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
  /** An integer in [0, below). */
  below(/** @type {number} */ below) {
    return Math.floor(((this.#next() >>> 0) / 2 ** 32) * below);
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
