/** A symmetric Gaussian matrix from the system's random numbers: noise that hides a client's part of a sum. */
import { randomFillSync } from 'node:crypto';
import { breathe } from './breathe.js';
import { EngramError } from './errors.js';
import type { LinearOperator } from './linear-operator.js';

/** Largest length whose matrix is kept, as dim x dim Float32 numbers: 256 MiB. */
export const MOST_NOISE_DIM = 8192;

/** Numbers drawn, or products added, between two looks at the event loop: some 10 ms. */
const BURST = 1 << 23;

/**
 * Deviation sigma off the diagonal, sqrt(2) sigma on it (the Gaussian orthogonal ensemble). One matrix serves all products of
 * a round, so that everything that is computed of them is computed of one noisy operator.
 *
 * The numbers are Float32, made by Box and Muller's transform of 53 random bits: what is proved of real numbers holds of them
 * but for rounding, which an attacker who sees single noisy entries in full precision could use (Mironov 2012). Sums in fixed
 * point, whose unit is far above that of Float32 here, do not show it.
 */
export class SymmetricNoise implements LinearOperator {
  readonly #entries: Float32Array;

  private constructor(
    readonly dim: number,
    readonly sigma: number,
    entries: Float32Array,
  ) {
    this.#entries = entries;
  }

  /** @throws {EngramError} `ERR_ENGRAM_RANGE`: dim above 8192; `ERR_ENGRAM_OUT_OF_MEMORY`. */
  static async draw(op: string, dim: number, sigma: number): Promise<SymmetricNoise> {
    checkNoiseDim(op, dim);
    const entries = allocate(op, dim);
    let drawn = 0;
    for (let row = 0; row < dim; ++row) {
      const numbers = gaussians(row + 1);
      for (let column = 0; column < row; ++column) {
        entries[row * dim + column] = entries[column * dim + row] = sigma * numbers[column]!;
      }
      entries[row * dim + row] = Math.SQRT2 * sigma * numbers[row]!;
      drawn += row + 1;
      if (drawn >= BURST / 8) {
        drawn = 0;
        await breathe();
      }
    }
    return new SymmetricNoise(dim, sigma, entries);
  }

  async apply(block: Float32Array, columns: number): Promise<Float32Array> {
    const { dim } = this;
    const product = new Float32Array(dim * columns);
    const rowsAtOnce = Math.max(1, Math.floor(BURST / (dim * columns)));
    for (let row = 0; row < dim; ++row) {
      const sums = new Float64Array(columns);
      for (let at = 0; at < dim; ++at) {
        const entry = this.#entries[row * dim + at]!;
        for (let column = 0; column < columns; ++column) sums[column]! += entry * block[at * columns + column]!;
      }
      product.set(sums, row * columns);
      if ((row + 1) % rowsAtOnce === 0) await breathe();
    }
    return product;
  }
}

/** @throws {EngramError} `ERR_ENGRAM_RANGE`. */
export function checkNoiseDim(op: string, dim: number): void {
  if (dim <= MOST_NOISE_DIM) return;
  const reason = `noise for privacy is kept as a matrix, for dim of at most ${MOST_NOISE_DIM}; dim is ${dim}`;
  throw new EngramError('ERR_ENGRAM_RANGE', op, reason, { detail: dim });
}

/**
 * No product of such noise with a unit vector has a larger entry: rows have the mean length sigma sqrt(N + 1) at most, and are
 * 15 sigma longer with a probability below exp(-15^2 / 4) < 1e-24 (concentration of a function of slope sqrt(2) sigma).
 */
export const noiseBound = (dim: number, sigma: number): number => sigma * (Math.sqrt(dim + 1) + 15);

function allocate(op: string, dim: number): Float32Array {
  try {
    return new Float32Array(dim * dim);
  } catch (cause) {
    throw new EngramError('ERR_ENGRAM_OUT_OF_MEMORY', op, `there is no memory for ${dim} x ${dim} numbers of noise`, { cause });
  }
}

/** Independent standard normal numbers. */
function gaussians(count: number): Float64Array {
  const pairs = Math.ceil(count / 2);
  const words = randomFillSync(new Uint32Array(4 * pairs));
  const uniform = (at: number): number => ((words[at]! >>> 5) * 2 ** 26 + (words[at + 1]! >>> 6)) / 2 ** 53;
  const numbers = new Float64Array(2 * pairs);
  for (let pair = 0; pair < pairs; ++pair) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(4 * pair)));
    const angle = 2 * Math.PI * uniform(4 * pair + 2);
    numbers[2 * pair] = radius * Math.cos(angle);
    numbers[2 * pair + 1] = radius * Math.sin(angle);
  }
  return numbers;
}
