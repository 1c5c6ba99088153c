/** Random memories of measures and queries for the property tests, degenerate ones among them. */
import fc from 'fast-check';
import { permutation } from './arbitraries.js';
import { type FullClouds, joined, slice } from './clouds.js';
import { MeasureMemory } from './engram.js';
import { gaussian, type Random, seeded } from './random.js';

const KINDS = ['plain', 'equal', 'collinear', 'single', 'light', 'massless', 'integers'] as const;

/** What is special about the points or weights of a cloud. */
export type Kind = (typeof KINDS)[number];

/** Stored clouds, queries, and parameters that suit them. */
export interface CloudScene {
  readonly stored: FullClouds;
  readonly queries: FullClouds;
  readonly count: number;
  readonly queryCount: number;
  readonly dim: number;
  readonly epsilon: number;
  readonly costScale: number;
  readonly beta: number;
  /** Mean cost between points: the unit of divergences. */
  readonly size: number;
  /** For further random choices that belong to the scene. */
  readonly seed: number;
}

export interface CloudSceneLimits {
  readonly count?: number;
  readonly kinds?: readonly Kind[];
  /** Epsilon in units of the mean cost. */
  readonly sharpness?: readonly number[];
  /** Distance between points. */
  readonly scale?: readonly number[];
}

/** A cloud of the kind around a centre. */
function cloudOf(random: Random, kind: Kind, dim: number, centre: Float32Array): Pick<FullClouds, 'points' | 'weights'> {
  const n = kind === 'single' ? 1 : 1 + random.below(14);
  const points = gaussian(random, n, dim).map((x, e) => x + centre[e % dim]!);
  const weights = Float32Array.from({ length: n }, () => 0.2 + random.uniform());
  if (kind === 'equal') points.copyWithin(dim, 0, Math.ceil(n / 2 - 1) * dim);
  if (kind === 'collinear') points.forEach((_, e) => (points[e] = points[e - (e % dim)]! * (1 + (e % dim))));
  if (kind === 'integers') points.forEach((x, e) => (points[e] = Math.round(x)));
  if (kind === 'light') weights.forEach((weight, i) => (weights[i] = i === 0 ? weight : weight * 10 ** -random.below(30)));
  if (kind === 'massless') weights.forEach((weight, i) => (weights[i] = i === 0 || random.uniform() < 0.6 ? weight : 0));
  return { points, weights };
}

/** Mean cost between the points of all clouds. */
function meanCost({ points }: FullClouds, dim: number, costScale: number): number {
  const n = points.length / dim;
  let variance = 0;
  for (let d = 0; d < dim; ++d) {
    const column = Array.from({ length: n }, (_, i) => points[i * dim + d]!);
    const mean = column.reduce((sum, x) => sum + x, 0) / n;
    variance += column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n;
  }
  return 2 * costScale * variance;
}

/** Scenes of 1 to `limits.count` clouds of 1 to 14 points, lengths from 1e-6 to 1e6, epsilon over six decades. */
export function cloudScenes(limits: CloudSceneLimits = {}): fc.Arbitrary<CloudScene> {
  return fc
    .record({
      count: fc.integer({ min: 1, max: limits.count ?? 5 }),
      queryCount: fc.integer({ min: 1, max: 3 }),
      dim: fc.constantFrom(1, 2, 3, 5, 17),
      kind: fc.constantFrom(...(limits.kinds ?? KINDS)),
      otherKind: fc.constantFrom(...(limits.kinds ?? KINDS)),
      sharpness: fc.constantFrom(...(limits.sharpness ?? [1e-3, 1e-2, 0.1, 1, 10, 1e3])),
      scale: fc.constantFrom(...(limits.scale ?? [1e-6, 1, 1, 1e6])),
      apart: fc.constantFrom(0, 1, 5),
      costScale: fc.constantFrom(0.5, 1, 3),
      seed: fc.nat(),
    })
    .map(({ count, queryCount, dim, kind, otherKind, sharpness, scale, apart, costScale, seed }) => {
      const random = seeded(seed);
      const scaled = (of: Kind, length: number) => {
        const set = joined(Array.from({ length }, () => cloudOf(random, of, dim, gaussian(random, 1, dim, apart))));
        return { ...set, points: set.points.map((x) => x * scale) };
      };
      const stored = scaled(kind, count);
      const queries = scaled(otherKind, queryCount);
      // All points may coincide.
      const size = meanCost(joined([stored, queries]), dim, costScale) || costScale * scale * scale;
      const beta = 10 / size;
      return { stored, queries, count, queryCount, dim, epsilon: sharpness * size, costScale, beta, size, seed };
    });
}

export const memoryOf = ({ stored, ...options }: Pick<CloudScene, 'stored' | 'dim' | 'epsilon' | 'costScale'>): MeasureMemory => {
  const { dim, epsilon, costScale } = options;
  return MeasureMemory.from(stored, { dim, epsilon, costScale });
};

/** What Float64 leaves of a divergence besides its bound: sums of costs and of logarithms times epsilon. */
export const errorOf = ({ size, epsilon }: CloudScene): number => 1e-11 * (100 * size + epsilon);

/** The points of each cloud in another order. */
export function permuted(clouds: FullClouds, seed: number): FullClouds {
  const dim = clouds.points.length / clouds.weights.length;
  return joined(
    Array.from({ length: clouds.offsets.length - 1 }, (_, k) => {
      const { points, weights } = slice(clouds, k, k + 1);
      const order = permutation(weights.length, seed + k);
      return {
        points: Float32Array.from(order.flatMap((i) => [...points.subarray(i * dim, (i + 1) * dim)])),
        weights: Float32Array.from(order, (i) => weights[i]!),
      };
    }),
  );
}
