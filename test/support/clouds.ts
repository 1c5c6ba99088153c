/** Weighted point clouds for tests. */
import type { Clouds } from './engram.js';
import { gaussian, type Random } from './random.js';

/** A cloud, or several, with everything spelled out. */
export type FullClouds = Required<Clouds>;

/** Several clouds as one set. */
export function joined(clouds: readonly Pick<FullClouds, 'points' | 'weights'>[]): FullClouds {
  const offsets = new Uint32Array(clouds.length + 1);
  clouds.forEach(({ weights }, k) => (offsets[k + 1] = offsets[k]! + weights.length));
  return {
    points: Float32Array.from(clouds.flatMap(({ points }) => [...points])),
    weights: Float32Array.from(clouds.flatMap(({ weights }) => [...weights])),
    offsets,
  };
}

/**
 * The clouds of the reference cases: x_ik = sin(1.7 i + 2.3 k + s) + cos(0.9 i k + s) / 2 with i, k from 1, and
 * weights in proportion to 1 + ((7 (i - 1) + floor(s)) mod 5).
 */
export function waves(n: number, dim: number, s: number): FullClouds {
  const points = Float32Array.from({ length: n * dim }, (_, e) => {
    const i = Math.floor(e / dim) + 1;
    const k = (e % dim) + 1;
    return Math.sin(1.7 * i + 2.3 * k + s) + 0.5 * Math.cos(0.9 * i * k + s);
  });
  const weights = Float32Array.from({ length: n }, (_, i) => 1 + ((7 * i + Math.floor(s)) % 5));
  return { points, weights, offsets: Uint32Array.of(0, n) };
}

/** `count` clouds of `least` to `most` points each, around centres of their own, with weights from 0.5 to 1.5. */
export function randomClouds(random: Random, count: number, dim: number, least: number, most: number): FullClouds {
  return joined(
    Array.from({ length: count }, () => {
      const size = least + random.below(most - least + 1);
      const centre = gaussian(random, 1, dim, 2);
      const points = gaussian(random, size, dim).map((x, e) => x + centre[e % dim]!);
      const weights = Float32Array.from({ length: size }, () => 0.5 + random.uniform());
      return { points, weights };
    }),
  );
}

/** Clouds first to last - 1 of a set, in arrays of their own. */
export function slice({ points, weights, offsets }: FullClouds, first: number, last: number): FullClouds {
  const dim = points.length / weights.length;
  const [begin, end] = [offsets[first]!, offsets[last]!];
  return {
    points: points.slice(begin * dim, end * dim),
    weights: weights.slice(begin, end),
    offsets: offsets.slice(first, last + 1).map((offset) => offset - begin),
  };
}
