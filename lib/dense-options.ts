/** Options of dense memories, and their checks. */
import { checkedFloats, type Ownership, rowCount } from './arrays.js';
import type { CallOptions } from './call.js';
import { badArgument } from './errors.js';
import { checkedDim, type MemoryOptions, type OpenOptions } from './memory-options.js';
import { integer, MOST_UINT32, number } from './options.js';
import type { PlacementOptions } from './placement.js';
import type { Separation } from './separation.js';
import type { Similarity } from './similarity.js';

export interface DenseOptions extends MemoryOptions, PlacementOptions {}

export interface AllocateOptions extends DenseOptions {
  /** Width of the values of a hetero-associative memory; without it the memory is auto-associative. */
  valueDim?: number;
}

export interface FromOptions extends AllocateOptions {
  /** Width of the patterns. */
  dim: number;
  /** Count x valueDim: what is read out instead of the patterns. */
  values?: Float32Array;
  ownership?: Ownership;
}

/** Options of opening a dense memory's file. */
export interface DenseOpenOptions extends OpenOptions, PlacementOptions {}

export interface StoreOptions {
  /** Needed exactly when the memory is hetero-associative. */
  values?: Float32Array;
  ownership?: Ownership;
}

export interface RetrieveOptions extends CallOptions {
  /** Default: softmax with the beta of the memory's calibration for this similarity. */
  separation?: Separation;
  /** Default `'euclidean'`. */
  similarity?: Similarity;
  /** Most updates, default 1. */
  steps?: number;
  /** A query stops when its update changes no element by more than this; default 0 (all steps). */
  tolerance?: number;
  /** False: energies are not computed, which saves a pass over the memory. Default true. */
  energy?: boolean;
  /**
   * Receives the readout instead of a new array. In asynchronous calls one over a SharedArrayBuffer is
   * written while the call runs; an ordinary one is filled when the promise settles.
   */
  out?: Float32Array;
}

export interface SearchOptions extends CallOptions {
  /** Items per query; cut to the number of items. */
  k: number;
  similarity?: Similarity;
}

export interface AssociationOptions extends Omit<RetrieveOptions, 'out' | 'energy'> {
  /** Most items per query, the heaviest; without it every item with a weight above 1.2e-38. */
  top?: number;
}

export interface CalibrateOptions extends CallOptions {
  similarity?: Similarity;
  /** Items looked at, default 1000, cut to the number of items. */
  sample?: number;
  /** The share of its own association that an item should hold, in (0.5, 1); default 0.9. */
  recall?: number;
  /** Of the sample's choice; default 0. */
  seed?: number;
}

/** The width of the values of a memory to be made of `patterns`; undefined when it is auto-associative. */
export function checkedValueDim(
  op: string,
  { dim, values, valueDim }: FromOptions,
  patterns: Float32Array,
): number | undefined {
  if (valueDim !== undefined) return checkedDim(op, 'valueDim', valueDim);
  if (values === undefined) return undefined;
  const count = rowCount(op, 'patterns', checkedFloats(op, 'patterns', patterns), dim);
  const { length } = checkedFloats(op, 'values', values);
  if (count > 0 && length > 0 && length % count === 0) return length / count;
  throw badArgument('ERR_ENGRAM_SHAPE', op, 'values', values, `a multiple of ${count} elements, or valueDim with it`);
}

export function checkedCount(op: string, value: unknown): number {
  return integer(op, 'count', value, 1, Number.MAX_SAFE_INTEGER);
}

export function checkedSteps(op: string, value: number | undefined): number {
  return value === undefined ? 1 : integer(op, 'steps', value, 1, MOST_UINT32);
}

export function checkedTolerance(op: string, value: number | undefined): number {
  if (value === undefined) return 0;
  return number(op, 'tolerance', value, (given) => given >= 0, 'a finite number, 0 or more');
}

export function checkedK(op: string, value: unknown): number {
  return integer(op, 'k', value, 1, MOST_UINT32);
}

/** The most items per query as the native side takes it: 0 for all. */
export function checkedTop(op: string, value: number | undefined): number {
  return value === undefined ? 0 : integer(op, 'top', value, 1, MOST_UINT32);
}

/** sample, recall and seed with their defaults. */
export function checkedSampling(op: string, options: CalibrateOptions): [number, number, number] {
  const { sample = 1000, recall = 0.9, seed = 0 } = options;
  return [
    integer(op, 'sample', sample, 1, MOST_UINT32),
    number(op, 'recall', recall, (share) => share > 0.5 && Math.fround(share) < 1, 'a number in (0.5, 1)'),
    integer(op, 'seed', seed, 0, Number.MAX_SAFE_INTEGER),
  ];
}
