/**
 * Sums in fixed point, modulo 2^32, where masks hide perfectly.
 *
 * Client c has numbers of magnitude at most b_c and contributes round(x s) with one scale s for all. Then
 *   |sum_c round(x_c s)| <= s sum_c b_c + n / 2 <= 2^31 - 1   for   s = (2^31 - 1 - n) / sum_c b_c,
 * so that the sum of any of the n clients, read as a signed number, is the true one: there is no overflow. (The half of n
 * that is left over covers the rounding of the products x s themselves, each below 2^31 * 2^-52.)
 */
import { EngramError } from '../errors.js';

const MOST = 0x7fff_ffff;

/** s, for these bounds of all clients; each >= 0, their sum positive and finite. */
export function scaleOf(bounds: readonly number[]): number {
  return (MOST - bounds.length) / bounds.reduce((sum, bound) => sum + bound, 0);
}

/** Numbers of at most `bound` as elements of the ring. */
export function toRing(op: string, values: Float32Array | Float64Array, scale: number, bound: number): Uint32Array {
  const ring = new Uint32Array(values.length);
  for (let at = 0; at < values.length; ++at) {
    const value = values[at]!;
    if (!(Math.abs(value) <= bound)) {
      const code = Number.isFinite(value) ? 'ERR_ENGRAM_RANGE' : 'ERR_ENGRAM_NONFINITE';
      throw new EngramError(code, op, `number ${at} of the input is ${value}; expected at most ${bound} in magnitude`);
    }
    ring[at] = Math.round(value * scale) | 0;
  }
  return ring;
}

/** The sum that ring elements stand for. */
export function fromRing(ring: Uint32Array, scale: number): Float64Array {
  return Float64Array.from(ring, (word) => (word | 0) / scale);
}

/** sum += words, or sum -= words. */
export function accumulate(sum: Uint32Array, words: Uint32Array, sign: 1 | -1): void {
  for (let at = 0; at < sum.length; ++at) sum[at] = sum[at]! + sign * words[at]!;
}
