/**
 * How far Float32 arithmetic may lie from the Float64 reference.
 *
 * A Float32 sum of n products has a relative error of at most n u in the worst case (u = 2^-24) and,
 * as rounding errors are as good as independent, of at most lambda sqrt(n) u with probability
 * 1 - 2 n exp(-lambda^2 / 2) (Higham & Mary 2019, "A new approach to probabilistic rounding error
 * analysis"). lambda = 6 makes a false alarm less likely than 1e-7 n; a wrong kernel is off by far more.
 */
import { dot, largestNorm, liveItems, norm, readout, weights, type Similarity, type Stored } from './reference.js';

/** Unit roundoff of Float32. */
export const U = 2 ** -24;

const LAMBDA = 6;

/** Relative error of a Float32 sum of n terms. */
export const sumError = (n: number): number => LAMBDA * Math.sqrt(n) * U;

/** Size of the numbers that a score is made of, largest over the live items: errors are relative to it. */
export function scoreMagnitude(stored: Stored, kind: Similarity, q: ArrayLike<number>): number {
  if (kind === 'cosine') return 1;
  const largest = largestNorm(stored);
  // A squared distance is computed as a dot product with biases: |q - x|^2 / 2 = |q|^2/2 - <q,x> + |x|^2/2.
  return norm(q) * largest + (kind === 'euclidean' ? 0.5 * largest * largest : 0);
}

/** Absolute error of a score: the dot product, the norm beside it, and their few last roundings. */
export function scoreError(stored: Stored, kind: Similarity, q: ArrayLike<number>): number {
  return (2 * sumError(stored.dim) + 4 * U) * scoreMagnitude(stored, kind, q);
}

/** Absolute error of log(weight): the scaled score, and an exp good to a few units in the last place. */
export function exponentError(stored: Stored, kind: Similarity, beta: number, q: ArrayLike<number>): number {
  return beta * scoreError(stored, kind, q) + 8 * U;
}

/** Relative error of a weight p_j: numerator and denominator each carry the exponent's error. */
export function weightError(stored: Stored, kind: Similarity, beta: number, q: ArrayLike<number>): number {
  return Math.expm1(2 * exponentError(stored, kind, beta, q)) + sumError(liveItems(stored).length);
}

/** Error of an energy: lse / beta inherits the exponent's error; the constants round once each. */
export function energyError(stored: Stored, kind: Similarity, beta: number, q: ArrayLike<number>): number {
  const lse = exponentError(stored, kind, beta, q) + sumError(liveItems(stored).length);
  return lse / beta + scoreError(stored, kind, q) + 4 * U * dot(q, q);
}

interface Spread {
  /** sum_j p_j |v_j - r|: how far a relative error of the weights moves the readout. */
  readonly radius: number;
  /** sum_j p_j |v_j|: what the readout sums up. */
  readonly size: number;
}

function spread(p: Float64Array, matrix: ArrayLike<number>, width: number): Spread {
  const mean = readout(p, matrix, width);
  let radius = 0;
  let size = 0;
  p.forEach((weight, j) => {
    if (weight === 0) return;
    let square = 0;
    let squareDistance = 0;
    for (let c = 0; c < width; ++c) {
      const v = matrix[j * width + c]!;
      square += v * v;
      squareDistance += (v - mean[c]!) * (v - mean[c]!);
    }
    size += weight * Math.sqrt(square);
    radius += weight * Math.sqrt(squareDistance);
  });
  return { radius, size };
}

/** Error (2-norm) of a readout over `matrix` at the exact state q. */
export function readoutError(
  stored: Stored,
  kind: Similarity,
  beta: number,
  q: ArrayLike<number>,
  matrix: ArrayLike<number>,
  width: number,
): number {
  const { radius, size } = spread(weights(stored, kind, beta, q), matrix, width);
  const sums = sumError(liveItems(stored).length) + 4 * U;
  return weightError(stored, kind, beta, q) * radius + sums * size;
}
