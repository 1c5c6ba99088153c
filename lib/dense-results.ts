/** What a dense memory answers, and how the answers come from native threads to the caller. */
import { allocateFloats, checkedFloats, checkLength, isWritableByThreads } from './arrays.js';
import { badArgument } from './errors.js';

/** The answer to Q queries of {@link DenseMemory.retrieve}. */
export interface Retrieval {
  /** Q x dim: the state after the last update (auto-association), else the final query state. */
  patterns: Float32Array;
  /** Q x valueDim: the readout; the same array as `patterns` when auto-associative. */
  values: Float32Array;
  /** Q: the energy at the returned state; empty with `energy: false`. */
  energy: Float32Array;
  /** Q: updates taken. */
  steps: Uint32Array;
  /** Q: 1 where the last update changed no element by more than the tolerance. */
  converged: Uint8Array;
}

/** The `k` most similar items of each query, row by row. */
export interface SearchResult {
  /** Q x k item numbers, best first, ties by lower number. */
  indices: Uint32Array;
  /** Q x k similarities. */
  scores: Float32Array;
  /** As asked for, or the number of items where the memory holds fewer. */
  k: number;
}

/** Q sparse rows over the stored items: row i is [offsets[i], offsets[i + 1]) of the other two. */
export interface SparseRows {
  offsets: Uint32Array;
  indices: Uint32Array;
  weights: Float32Array;
}

/** The part of a retrieval that is one number per query. */
export type Diagnostics = Pick<Retrieval, 'energy' | 'steps' | 'converged'>;

function newDiagnostics(count: number): Diagnostics {
  return {
    energy: new Float32Array(count),
    steps: new Uint32Array(count),
    converged: new Uint8Array(count),
  };
}

const SCRATCH_QUERIES = 16;
const scratch = newDiagnostics(SCRATCH_QUERIES);

/**
 * Arrays for a call's diagnostics. Tiny typed arrays are several times cheaper when native code never sees
 * them, so a synchronous call on few queries writes to a scratch instead, see {@link ownDiagnostics}.
 */
export function diagnosticsFor(count: number, isSynchronous: boolean): Diagnostics {
  return isSynchronous && count <= SCRATCH_QUERIES ? scratch : newDiagnostics(count);
}

/** The caller's own diagnostics of `count` queries. */
export function ownDiagnostics(written: Diagnostics, count: number, hasEnergy: boolean): Diagnostics {
  if (written !== scratch) return hasEnergy ? written : { ...written, energy: new Float32Array(0) };
  const own = newDiagnostics(count);
  for (let i = 0; i < count; ++i) {
    own.energy[i] = scratch.energy[i]!;
    own.steps[i] = scratch.steps[i]!;
    own.converged[i] = scratch.converged[i]!;
  }
  return hasEnergy ? own : { ...own, energy: new Float32Array(0) };
}

/**
 * Where a call's main result is written: `written` by native threads, `out` is what the caller gets. They
 * differ when the caller's array must not be touched while JavaScript runs.
 */
export interface Target {
  written: Float32Array;
  out: Float32Array;
}

/** `meaning` explains `length`, e.g. `'3 queries x dim 4'`. */
export function targetFor(
  op: string,
  out: Float32Array | undefined,
  length: number,
  meaning: () => string,
  isSynchronous: boolean,
): Target {
  if (out === undefined) {
    const written = allocateFloats(op, length);
    return { written, out: written };
  }
  checkedFloats(op, 'out', out);
  if (out.length !== length) checkLength(op, 'out', out, length, meaning());
  const isDirect = isSynchronous || isWritableByThreads(out);
  return { written: isDirect ? out : allocateFloats(op, length), out };
}

/** The caller's array, filled. */
export function deliver(op: string, { written, out }: Target): Float32Array {
  if (written === out) return out;
  if (out.length !== written.length) {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'out', out, 'an array that stays attached until the call has ended');
  }
  out.set(written);
  return out;
}
