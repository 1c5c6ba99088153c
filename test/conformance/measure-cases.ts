/**
 * The conformance cases of measures: which operation on which clouds. Data only, as cases.ts; `materialiseClouds`
 * turns a case into arrays.
 */
import { type FullClouds, randomClouds } from '../support/clouds.js';
import type { Transport } from '../support/measure-reference.js';
import { misaligned, seeded } from '../support/random.js';

/** What is asked of the memory; `flow` is one step as given. */
export type MeasureOperation = 'divergence' | 'energy' | 'flow';

export interface MeasureCase {
  readonly name: string;
  readonly operation: MeasureOperation;
  /** Stored clouds and queries. */
  readonly count: number;
  readonly queries: number;
  readonly dim: number;
  /** Points of a cloud: the fewest and the most. */
  readonly least: number;
  readonly most: number;
  readonly solver: 'auto' | 'kernel' | 'log' | 'newton';
  readonly precision: 'float32' | 'float64';
  /** Epsilon in units of dim, which is about the mean cost within a cloud. */
  readonly sharpness: number;
  readonly costScale: number;
  /** Floats between the start of the points' buffer and the first of them: rows then lie unaligned. */
  readonly offset: number;
}

/** Clouds, queries, dim, fewest and most points: below, at and above the widths of registers and panels. */
const SHAPES: readonly (readonly [count: number, queries: number, dim: number, least: number, most: number])[] = [
  [1, 1, 1, 1, 1], [2, 1, 1, 2, 3], [3, 2, 2, 1, 5], [2, 2, 3, 7, 9], [1, 2, 5, 15, 17], [3, 1, 7, 16, 16],
  [2, 1, 8, 31, 33], [1, 1, 16, 64, 64], [1, 1, 17, 63, 65], [2, 1, 3, 1, 100], [1, 1, 2, 127, 129], [40, 3, 2, 1, 6],
  [4, 2, 64, 5, 20], [2, 1, 129, 3, 12], [2, 1, 784, 2, 6],
];

const at = <T>(list: readonly T[], index: number): T => list[index % list.length]!;

/** The case of one shape; what is not the shape's cycles with co-prime periods. */
function caseOf(operation: MeasureOperation, round: number): MeasureCase {
  const [count, queries, dim, least, most] = at(SHAPES, round);
  const solver = at(['auto', 'kernel', 'log', 'newton'] as const, round);
  const precision = at(['float32', 'float32', 'float64'] as const, round);
  const sharpness = at([1, 0.3, 10, 0.5, 100], round + Math.floor(round / SHAPES.length));
  const costScale = at([0.5, 1, 0.5, 2], round + 1);
  const offset = at([0, 1, 3, 0, 2, 7, 5], round);
  const name = `${operation} measures ${count}x${least}..${most}x${dim} Q=${queries} ${solver} ${precision} epsilon ${sharpness} cost scale ${costScale} offset ${offset}`;
  return { name, operation, count, queries, dim, least, most, solver, precision, sharpness, costScale, offset };
}

const OPERATIONS: readonly MeasureOperation[] = ['divergence', 'energy', 'flow'];

/** Every case, in a fixed order: each shape meets each solver. */
export const measureCases: readonly MeasureCase[] = OPERATIONS.flatMap((operation) =>
  Array.from({ length: 4 * SHAPES.length }, (_, round) => caseOf(operation, round)),
);

/** A case's arrays and parameters. */
export interface CloudMaterial {
  readonly stored: FullClouds;
  readonly queries: FullClouds;
  readonly transport: Transport;
  readonly beta: number;
}

/** The arrays of a case; the same for the same case. */
export function materialiseClouds(c: MeasureCase): CloudMaterial {
  const random = seeded(c.count * 7919 + c.dim * 104729 + c.most);
  const clouds = (count: number): FullClouds => {
    const set = randomClouds(random, count, c.dim, c.least, c.most);
    return { ...set, points: misaligned(set.points, c.offset) };
  };
  return {
    stored: clouds(c.count),
    queries: clouds(c.queries),
    transport: { epsilon: c.sharpness * c.costScale * 2 * c.dim, costScale: c.costScale },
    beta: 1 / (c.costScale * c.dim),
  };
}
