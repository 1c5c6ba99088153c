// Signs out of a subspace in plain JavaScript, apart from engram's own: symmetric FastICA with the cubic rule
// (Hyvarinen & Oja 1997). It judges subspaces that did not come from a FederatedMemory.
import { dot, rowsOf } from './judge.mjs';
import { Random } from '../engram.mjs';

/** @typedef {Float64Array[]} Square rows */

function multiply(/** @type {Square} */ a, /** @type {Square} */ b) {
  return a.map((row) => {
    const out = new Float64Array(row.length);
    for (let k = 0; k < row.length; ++k) for (let j = 0; j < out.length; ++j) out[j] += row[k] * b[k][j];
    return out;
  });
}

const transpose = (/** @type {Square} */ a) => a.map((_, i) => Float64Array.from(a, (row) => row[i]));

/** The nearest orthogonal matrix, by Newton's iteration from a multiple that is small enough. */
function orthogonal(/** @type {Square} */ w) {
  const length = Math.sqrt(w.reduce((sum, row) => sum + dot(row, row), 0));
  let x = w.map((row) => row.map((entry) => entry / length));
  for (let step = 0; step < 60; ++step) {
    const cubed = multiply(multiply(x, transpose(x)), x);
    let change = 0;
    x = x.map((row, i) =>
      row.map((entry, j) => {
        const next = 1.5 * entry - 0.5 * cubed[i][j];
        change = Math.max(change, Math.abs(next - entry));
        return next;
      }),
    );
    if (change < 1e-10) break;
  }
  return x;
}

/** W x for each coordinate's x, the column of the rows. */
function mixtures(/** @type {Square} */ w, /** @type {Float32Array[]} */ rows, /** @type {number} */ scale) {
  return w.map((weights) => {
    const out = new Float64Array(rows[0].length);
    rows.forEach((row, k) => {
      const weight = weights[k] * scale;
      for (let i = 0; i < out.length; ++i) out[i] += weight * row[i];
    });
    return out;
  });
}

/**
 * As many rows of signs as the subspace has dimensions.
 * @param {Float32Array} vectors orthonormal rows of `dim` numbers
 * @param {number} dim
 * @param {number} [seed]
 * @returns {Int8Array}
 */
export function signsIn(vectors, dim, seed = 1) {
  const rows = rowsOf(vectors, dim);
  const scale = Math.sqrt(dim);
  const random = new Random(seed);
  let w = orthogonal(rows.map(() => Float64Array.from(rows, () => random.normal())));
  for (let step = 0; step < 200; ++step) {
    const sources = mixtures(w, rows, scale);
    const next = orthogonal(
      sources.map((source, k) => {
        const cubes = source.map((s) => s ** 3);
        return Float64Array.from(rows, (row, j) => (dot(cubes, row) * scale) / dim - 3 * w[k][j]);
      }),
    );
    // Rows may have changed their signs, which is no change.
    const turned = Math.max(...next.map((row, k) => 1 - Math.abs(dot(row, w[k]))));
    w = next;
    if (turned < 1e-9) break;
  }
  return Int8Array.from(mixtures(w, rows, scale).flatMap((source) => Array.from(source, (s) => (s < 0 ? -1 : 1))));
}
