// How near what was found comes to the truth.

/** Rows of a matrix, as views. @template {Int8Array | Float32Array} T */
export function rowsOf(/** @type {T} */ matrix, /** @type {number} */ dim) {
  const row = (/** @type {number} */ i) => /** @type {T} */ (matrix.subarray(i * dim, (i + 1) * dim));
  return Array.from({ length: matrix.length / dim }, (_, i) => row(i));
}

export function dot(/** @type {ArrayLike<number>} */ a, /** @type {ArrayLike<number>} */ b) {
  let sum = 0;
  for (let i = 0; i < a.length; ++i) sum += a[i] * b[i];
  return sum;
}

/**
 * For each archetype that there is, the largest overlap |<x, xi>| / N of what was found; 0 where nothing was.
 * @param {Int8Array} found rows
 * @param {readonly Int8Array[]} truth
 */
export function bestOverlaps(found, truth) {
  const rows = rowsOf(found, truth[0].length);
  return truth.map((xi) => Math.max(0, ...rows.map((row) => Math.abs(dot(row, xi)) / xi.length)));
}

/**
 * The share of an archetype that lies in the span of orthonormal rows: |V xi|^2 / N.
 * @param {Float32Array} vectors
 * @param {Int8Array} archetype
 */
export const energyIn = (vectors, archetype) =>
  rowsOf(vectors, archetype.length).reduce((sum, v) => sum + dot(v, archetype) ** 2, 0) / archetype.length;
