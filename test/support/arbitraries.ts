/** Random memories and queries for the property tests. */
import fc from 'fast-check';
import { gaussian, noisyRows, seeded } from './random.js';
import type { Similarity, Stored } from './reference.js';

/** A memory's content, queries near it, and a beta that suits its scores. */
export interface Scene {
  readonly stored: Stored & { readonly keys: Float32Array };
  readonly queries: Float32Array;
  readonly queryCount: number;
  readonly similarity: Similarity;
  readonly beta: number;
  readonly count: number;
  readonly dim: number;
  /** For further random choices that belong to the scene. */
  readonly seed: number;
}

export interface SceneLimits {
  readonly count?: number;
  readonly dim?: number;
  readonly queries?: number;
  readonly minCount?: number;
  readonly similarities?: readonly Similarity[];
}

/** Scenes from one item to `limits.count`, elements from 1e-9 to 1e9, soft to sharp. */
export function scenes(limits: SceneLimits = {}): fc.Arbitrary<Scene> {
  return fc
    .record({
      count: fc.integer({ min: limits.minCount ?? 1, max: limits.count ?? 150 }),
      dim: fc.integer({ min: 1, max: limits.dim ?? 70 }),
      queryCount: fc.integer({ min: 1, max: limits.queries ?? 20 }),
      similarity: fc.constantFrom(...(limits.similarities ?? (['euclidean', 'cosine', 'dot'] as const))),
      magnitude: fc.integer({ min: -9, max: 9 }),
      sharpness: fc.constantFrom(0.05, 0.5, 2, 10, 40),
      seed: fc.nat(),
    })
    .map(({ count, dim, queryCount, similarity, magnitude, sharpness, seed }) => {
      const scale = 10 ** magnitude;
      const random = seeded(seed);
      const keys = gaussian(random, count, dim, scale);
      const queries = noisyRows(random, keys, dim, queryCount, 0.5 * scale);
      const spread = similarity === 'cosine' ? 1 / Math.sqrt(dim) : scale * scale * Math.sqrt(dim);
      const beta = sharpness / spread;
      return { stored: { keys, dim }, queries, queryCount, similarity, beta, count, dim, seed };
    });
}

/** A random order of 0 .. count - 1. */
export function permutation(count: number, seed: number): number[] {
  const random = seeded(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; --i) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Rows of a matrix in another order. */
export function reordered(matrix: Float32Array, dim: number, order: readonly number[]): Float32Array {
  const result = new Float32Array(order.length * dim);
  order.forEach((from, to) => result.set(matrix.subarray(from * dim, (from + 1) * dim), to * dim));
  return result;
}
