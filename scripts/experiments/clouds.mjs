// Weighted point clouds drawn at random, and what is asked of clouds one by one.

/**
 * A weighted point cloud: n points row by row (n x dim), and n weights that sum to 1.
 * @typedef {{ points: Float32Array, weights: Float32Array }} Cloud
 * @typedef {import('./engram.mjs').Random} Random
 */

/** The number of points of a cloud. */
export const sizeOf = (/** @type {Cloud} */ cloud) => cloud.weights.length;

export const uniformWeights = (/** @type {number} */ n) => new Float32Array(n).fill(1 / n);

const normals = (/** @type {Random} */ random, /** @type {number} */ count) =>
  Float32Array.from({ length: count }, () => random.normal());

/**
 * n points of N(0, I), all of the same weight.
 * @param {Random} random
 * @param {number} n
 * @param {number} dim
 * @returns {Cloud}
 */
export function isotropicCloud(random, n, dim) {
  return { points: normals(random, n * dim), weights: uniformWeights(n) };
}

/**
 * n points of N(c, A A^T), all of the same weight: A has entries of N(0, 1 / dim), so that a coordinate has
 * variance 1 on average, and c is of N(0, spread^2 I). Every cloud has an A and a c of its own.
 * @param {Random} random
 * @param {number} n
 * @param {number} dim
 * @param {number} spread
 * @returns {Cloud}
 */
export function anisotropicCloud(random, n, dim, spread) {
  const shape = normals(random, dim * dim);
  const centroid = normals(random, dim);
  const { points, weights } = isotropicCloud(random, n, dim);
  const shaped = points.map((_, at) => {
    const row = at - (at % dim);
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += shape[(at % dim) * dim + k] * points[row + k];
    return sum / Math.sqrt(dim) + spread * centroid[at % dim];
  });
  return { points: shaped, weights };
}

/**
 * Many clouds as the arrays engram takes.
 * @param {Cloud[]} clouds
 */
export function pack(clouds) {
  const offsets = new Uint32Array(clouds.length + 1);
  clouds.forEach((cloud, i) => (offsets[i + 1] = offsets[i] + sizeOf(cloud)));
  return {
    points: concatenate(clouds.map(({ points }) => points)),
    weights: concatenate(clouds.map(({ weights }) => weights)),
    offsets,
  };
}

/**
 * The clouds in arrays of engram; the inverse of {@link pack}.
 * @param {{ points: Float32Array, weights: Float32Array, offsets: Uint32Array }} packed
 * @param {number} dim
 * @returns {Cloud[]}
 */
export function unpack({ points, weights, offsets }, dim) {
  return Array.from(offsets.subarray(1), (end, i) => ({
    points: points.subarray(offsets[i] * dim, end * dim),
    weights: weights.subarray(offsets[i], end),
  }));
}

/** @param {Float32Array[]} parts */
export function concatenate(parts) {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
