/**
 * The conformance cases: which operation on which shapes. Data only, so that every backend and the
 * benchmarks run the same list; `materialise` turns a case into arrays.
 */
import type { Similarity, Stored } from '../support/reference.js';
import { gaussian, integers, misaligned, noisyRows, seeded } from '../support/random.js';

/** What is asked of the memory. */
export type Operation = 'retrieve' | 'search' | 'energy' | 'association' | 'calibrate';

export interface ConformanceCase {
  readonly name: string;
  readonly operation: Operation;
  readonly similarity: Similarity;
  readonly count: number;
  readonly dim: number;
  readonly queries: number;
  /** Width of separate values; 0 for an auto-associative memory. */
  readonly valueDim: number;
  /** Floats between the start of a buffer and its first element: rows then lie unaligned. */
  readonly offset: number;
  /** Calls of store() that bring the items in. */
  readonly pieces: number;
  /** Every n-th item is removed; 0: none. */
  readonly removeEvery: number;
  /** `integers` are exact in Float32 and full of ties; `duplicates` stores each row four times. */
  readonly data: 'gaussian' | 'integers' | 'duplicates';
  /** Size of an element. */
  readonly scale: number;
  /** beta times the scores' standard deviation: 0.1 averages over the memory, 20 picks one item. */
  readonly sharpness: number;
  readonly steps: number;
  readonly tolerance: number;
  readonly k: number;
}

/** Count, dim and queries: below, at and above the widths of registers, panels and tiles. */
const SHAPES: readonly (readonly [count: number, dim: number, queries: number])[] = [
  [1, 1, 1], [1, 7, 3], [2, 1, 2], [3, 2, 1], [5, 3, 4], [7, 5, 6], [8, 8, 8], [15, 7, 9],
  [16, 16, 1], [17, 17, 5], [31, 15, 12], [33, 33, 13], [63, 31, 2], [64, 64, 64], [65, 63, 17],
  [100, 100, 1], [127, 129, 31], [128, 128, 33], [129, 127, 65], [255, 24, 7], [257, 48, 96],
  [500, 65, 127], [512, 128, 129], [1000, 3, 130], [1000, 1, 50], [1025, 96, 256], [2000, 20, 300],
  [300, 384, 12], [200, 768, 8], [150, 784, 20], [60, 1000, 3], [5, 4099, 2], [5000, 16, 1],
  [10000, 4, 2], [20000, 8, 1], [513, 40, 600], [40000, 2, 5], [9000, 64, 1], [3000, 128, 4],
];

const SIMILARITIES: readonly Similarity[] = ['euclidean', 'cosine', 'dot'];

const at = <T>(list: readonly T[], index: number): T => list[index % list.length]!;

/** The case of one shape; what is not the shape's cycles with co-prime periods, so that all meet all. */
function caseOf(operation: Operation, similarity: Similarity, index: number): ConformanceCase {
  const [count, dim, queries] = at(SHAPES, index);
  const round = index + SIMILARITIES.indexOf(similarity) * 11;
  const hetero = operation === 'retrieve' && round % 3 === 1;
  const parts = {
    operation,
    similarity,
    count,
    dim,
    queries,
    valueDim: hetero ? at([1, 3, 10, dim + 5, 33], round) : 0,
    offset: at([0, 1, 3, 0, 2, 7, 5], round),
    pieces: count > 2 ? at([1, 1, 2, 5, 1], round) : 1,
    removeEvery: count > 2 ? at([0, 0, 3, 0, 7, 2, 0, 0], round) : 0,
    data: at(['gaussian', 'gaussian', 'integers', 'gaussian', 'duplicates'] as const, round),
    scale: at([1, 1, 0.01, 30], round),
    sharpness: at([4, 1, 20, 0.1, 8, 0.5], round),
    steps: at([1, 1, 3, 1, 5], round),
    tolerance: at([0, 1e-3, 0], round),
    k: at([1, 10, 3, 64, 7, 1000], round),
  };
  return { ...parts, name: nameOf(parts) };
}

function nameOf(parts: Omit<ConformanceCase, 'name'>): string {
  const { operation, similarity, count, dim, queries, data, scale } = parts;
  const extras = [
    parts.valueDim > 0 ? `values ${parts.valueDim}` : '',
    parts.offset > 0 ? `offset ${parts.offset}` : '',
    parts.pieces > 1 ? `pieces ${parts.pieces}` : '',
    parts.removeEvery > 0 ? `remove ${parts.removeEvery}` : '',
    operation === 'search' ? `k ${parts.k}` : `sharpness ${parts.sharpness}`,
    operation === 'retrieve' || operation === 'association' ? `steps ${parts.steps}` : '',
  ].filter((extra) => extra !== '');
  return `${operation} ${similarity} ${count}x${dim} Q=${queries} ${data} ${scale} ${extras.join(' ')}`;
}

const SHAPED: readonly Operation[] = ['retrieve', 'search', 'energy', 'association'];

/** Calibration looks at every item against every other: fewer and smaller memories, all distinct. */
const CALIBRATED: readonly number[] = [3, 5, 9, 12, 17, 20, 27];

/** Every case, in a fixed order. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...SHAPED.flatMap((operation) =>
    SIMILARITIES.flatMap((similarity) => SHAPES.map((_, i) => caseOf(operation, similarity, i))),
  ),
  ...SIMILARITIES.flatMap((similarity) =>
    CALIBRATED.map((i) => {
      const shape = { ...caseOf('calibrate', similarity, i), data: 'gaussian', scale: 1 } as const;
      return { ...shape, name: nameOf(shape) };
    }),
  ),
];

/** A case's arrays. */
export interface Material {
  /** What the reference reads. */
  readonly stored: Stored;
  /** What the memory is built of: one entry per store(), each in a buffer with the case's offset. */
  readonly pieces: readonly { keys: Float32Array; values?: Float32Array }[];
  readonly removed: readonly number[];
  readonly queries: Float32Array;
  readonly beta: number;
}

/** The arrays of a case; the same for the same case. */
export function materialise(c: ConformanceCase): Material {
  const random = seeded(c.count * 7919 + c.dim * 104729 + c.queries);
  const keys = keysOf(c);
  const values = c.valueDim > 0 ? gaussian(random, c.count, c.valueDim) : undefined;
  const removed = Array.from({ length: c.count }, (_, j) => j).filter(
    (j) => c.removeEvery > 0 && j % c.removeEvery === 0,
  );
  const queries =
    c.data === 'integers'
      ? integers(random, c.queries, c.dim, 3)
      : noisyRows(random, keys, c.dim, c.queries, 0.3 * c.scale);
  return {
    stored: { keys, dim: c.dim, values, valueDim: c.valueDim, removed: new Set(removed) },
    pieces: piecesOf(c, keys, values),
    removed,
    queries: misaligned(queries, c.offset),
    beta: betaOf(c),
  };
}

function keysOf(c: ConformanceCase): Float32Array {
  const random = seeded(c.count * 31 + c.dim);
  if (c.data === 'integers') return integers(random, c.count, c.dim, 3);
  if (c.data === 'gaussian') return gaussian(random, c.count, c.dim, c.scale);
  const distinct = Math.ceil(c.count / 4);
  const few = gaussian(random, distinct, c.dim, c.scale);
  return Float32Array.from({ length: c.count * c.dim }, (_, e) => few[e % few.length]!);
}

function piecesOf(c: ConformanceCase, keys: Float32Array, values?: Float32Array): Material['pieces'] {
  const cuts = Array.from({ length: c.pieces + 1 }, (_, p) => Math.floor((p * c.count) / c.pieces));
  return cuts.slice(1).map((end, p) => {
    const part = (matrix: Float32Array, width: number): Float32Array =>
      misaligned(matrix.subarray(cuts[p]! * width, end * width), c.offset, SharedArrayBuffer);
    return {
      keys: part(keys, c.dim),
      ...(values === undefined ? {} : { values: part(values, c.valueDim) }),
    };
  });
}

/** Scores of unit normals have a standard deviation of about sqrt(dim); their cosines its reciprocal. */
function betaOf(c: ConformanceCase): number {
  if (c.similarity === 'cosine') return c.sharpness * Math.sqrt(c.dim);
  const size = c.data === 'integers' ? 2 : c.scale;
  return c.sharpness / (size * size * Math.sqrt(c.dim));
}
