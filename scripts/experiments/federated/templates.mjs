// Fashion-MNIST in black and white, and templates of its classes.
import { dataFolder, openImages, Random } from '../engram.mjs';

const BLACK = 0.5; // grey values above this are +1

/**
 * Images as rows of signs.
 * @typedef {{ images: Int8Array, labels: Uint32Array, dim: number, count: number }} SignImages
 */

/** The training images in black and white. @returns {Promise<SignImages>} */
export async function openSigns() {
  const { count, dim, labels, fill } = await openImages(dataFolder(), 'train');
  const grey = new Float32Array(count * dim);
  await fill(grey);
  const images = new Int8Array(grey.length);
  for (let i = 0; i < images.length; ++i) images[i] = grey[i] > BLACK ? 1 : -1;
  return { images, labels: Uint32Array.from(labels.rows), dim, count };
}

/** Mean image of each class, in [-1, 1]. @param {SignImages} source @returns {Float64Array[]} */
export function classMeans({ images, labels, dim }) {
  const classes = Math.max(...labels) + 1;
  const sums = Array.from({ length: classes }, () => new Float64Array(dim));
  const counts = new Array(classes).fill(0);
  labels.forEach((label, i) => {
    ++counts[label];
    const sum = sums[label];
    for (let d = 0; d < dim; ++d) sum[d] += images[i * dim + d];
  });
  return sums.map((sum, label) => sum.map((x) => x / counts[label]));
}

/**
 * Signs of images made orthogonal one after the other (Gram and Schmidt): templates that overlap little.
 * @param {readonly Float64Array[]} means
 * @returns {Int8Array[]}
 */
export function decorrelated(means) {
  /** @type {Float64Array[]} */
  const units = [];
  return means.map((image) => {
    const rest = image.map((x) => x - image.reduce((sum, each) => sum + each, 0) / image.length);
    for (const unit of units) {
      const part = unit.reduce((sum, x, i) => sum + x * rest[i], 0);
      unit.forEach((x, i) => (rest[i] -= part * x));
    }
    const signs = Int8Array.from(rest, (x) => (x < 0 ? -1 : 1));
    // What the next ones must avoid are the signs themselves.
    const unit = Float64Array.from(signs);
    for (const other of units) {
      const part = other.reduce((sum, x, i) => sum + x * unit[i], 0);
      other.forEach((x, i) => (unit[i] -= part * x));
    }
    const length = Math.sqrt(unit.reduce((sum, x) => sum + x * x, 0));
    units.push(unit.map((x) => x / length));
    return signs;
  });
}

/** Which images of each class, in random order. @param {SignImages} source @param {Random} random */
export function shuffledByClass({ labels, count }, random) {
  const order = random.sample(count, count);
  const classes = Math.max(...labels) + 1;
  return Array.from({ length: classes }, (_, label) => order.filter((i) => labels[i] === label));
}

/** Rows of the images. @param {SignImages} source @param {ArrayLike<number>} chosen */
export function imagesAt({ images, dim }, chosen) {
  const rows = new Int8Array(chosen.length * dim);
  Array.from(chosen).forEach((i, to) => rows.set(images.subarray(i * dim, (i + 1) * dim), to * dim));
  return rows;
}
