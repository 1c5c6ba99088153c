/** The questions a dense memory answers: each checked, asked of the native side, and its answer given form. */
import { allocateFloats, allocateWords, checkedFloats, rowCount } from './arrays.js';
import type { Calibration } from './calibration.js';
import { asynchronous, type Call, maxThreads, synchronous, type SyncOptions } from './call.js';
import {
  type AssociationOptions,
  type CalibrateOptions,
  checkedK,
  checkedSampling,
  checkedSteps,
  checkedTolerance,
  checkedTop,
  type RetrieveOptions,
  type SearchOptions,
} from './dense-options.js';
import {
  deliver,
  type Diagnostics,
  diagnosticsFor,
  ownDiagnostics,
  type Retrieval,
  type SearchResult,
  type SparseRows,
  type Target,
  targetFor,
} from './dense-results.js';
import type { DenseStore } from './dense-store.js';
import { badArgument } from './errors.js';
import type { NativeCalibrate, NativeRows, NativeSeparation } from './native.js';
import { boolean, optionsObject } from './options.js';
import { effectiveBeta } from './separation.js';
import { checkedSimilarity, similarityNumber } from './similarity.js';

/** Checks queries; how many there are. */
function queryCount(op: string, store: DenseStore, queries: Float32Array): number {
  const count = rowCount(op, 'queries', checkedFloats(op, 'queries', queries), store.dim);
  if (count > 0) return count;
  throw badArgument('ERR_ENGRAM_SHAPE', op, 'queries', queries, `at least one query of dim ${store.dim}`);
}

function separationOf(
  op: string,
  store: DenseStore,
  options: RetrieveOptions | AssociationOptions,
): NativeSeparation {
  const similarity = checkedSimilarity(op, options.similarity);
  return [
    effectiveBeta(op, options.separation, similarity, store.calibration),
    similarityNumber(similarity),
    checkedSteps(op, options.steps),
    checkedTolerance(op, options.tolerance),
  ];
}

// ---- retrieve ----

interface RetrievalPlan {
  count: number;
  separation: NativeSeparation;
  patterns: Float32Array | undefined; // the final states where they are not the readout
  readout: Target;
  diagnostics: Diagnostics;
  hasEnergy: boolean;
}

function planRetrieval(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: RetrieveOptions,
  isSynchronous: boolean,
): RetrievalPlan {
  const { dim, valueDim } = store;
  const count = queryCount(op, store, queries);
  const separation = separationOf(op, store, options);
  const hasEnergy = options.energy === undefined || boolean(op, 'energy', options.energy);
  const meaning = () => `${count} queries x ${valueDim}`;
  return {
    count,
    separation,
    readout: targetFor(op, options.out, count * valueDim, meaning, isSynchronous),
    patterns: store.isHetero ? allocateFloats(op, count * dim) : undefined,
    diagnostics: diagnosticsFor(count, isSynchronous),
    hasEnergy,
  };
}

function retrievalOf(op: string, plan: RetrievalPlan): Retrieval {
  const values = deliver(op, plan.readout);
  const { energy, steps, converged } = ownDiagnostics(plan.diagnostics, plan.count, plan.hasEnergy);
  return { patterns: plan.patterns ?? values, values, energy, steps, converged };
}

export function retrieve(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: RetrieveOptions | undefined,
): Promise<Retrieval> {
  return asynchronous(op, options, (call: Call<Retrieval>, given) => {
    const native = store.native(op);
    const plan = planRetrieval(op, store, queries, given, false);
    const { readout, diagnostics } = plan;
    const [beta, similarity, steps, tolerance] = plan.separation;
    const id = native.retrieve(
      queries,
      plan.patterns ?? readout.written,
      plan.patterns && readout.written,
      plan.hasEnergy ? diagnostics.energy : undefined,
      diagnostics.steps,
      diagnostics.converged,
      beta,
      similarity,
      steps,
      tolerance,
      call.maxThreads,
      call.interactive,
      call.settle(() => retrievalOf(op, plan)),
      call.progress,
    );
    call.started(id);
  });
}

export function retrieveSync(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: SyncOptions<RetrieveOptions> | undefined,
): Retrieval {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const native = store.native(op);
    const plan = planRetrieval(op, store, queries, given, true);
    const { readout, diagnostics } = plan;
    const [beta, similarity, steps, tolerance] = plan.separation;
    native.retrieveSync(
      queries,
      plan.patterns ?? readout.written,
      plan.patterns && readout.written,
      plan.hasEnergy ? diagnostics.energy : undefined,
      diagnostics.steps,
      diagnostics.converged,
      beta,
      similarity,
      steps,
      tolerance,
      maxThreads(op, given),
    );
    return retrievalOf(op, plan);
  });
}

// ---- search ----

function planSearch(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: SearchOptions,
): { result: SearchResult; similarity: number } {
  const count = queryCount(op, store, queries);
  const similarity = similarityNumber(checkedSimilarity(op, options.similarity));
  // An empty memory is refused by the native side.
  const k = Math.min(checkedK(op, options.k), Math.max(store.live, 1));
  const indices = allocateWords(op, count * k);
  return { result: { indices, scores: allocateFloats(op, count * k), k }, similarity };
}

export function search(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: SearchOptions,
): Promise<SearchResult> {
  return asynchronous(op, options, (call: Call<SearchResult>, given) => {
    const native = store.native(op);
    const { result, similarity } = planSearch(op, store, queries, given);
    const { indices, scores, k } = result;
    const settle = call.settle(() => result);
    call.started(
      native.search(queries, indices, scores, similarity, k, call.maxThreads, call.interactive, settle, call.progress),
    );
  });
}

export function searchSync(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: SyncOptions<SearchOptions>,
): SearchResult {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const native = store.native(op);
    const { result, similarity } = planSearch(op, store, queries, given);
    native.searchSync(queries, result.indices, result.scores, similarity, result.k, maxThreads(op, given));
    return result;
  });
}

// ---- energy ----

function planEnergy(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: RetrieveOptions,
  isSynchronous: boolean,
): { separation: NativeSeparation; target: Target } {
  const count = queryCount(op, store, queries);
  const separation = separationOf(op, store, options);
  return { separation, target: targetFor(op, options.out, count, () => 'one for each query', isSynchronous) };
}

export function energy(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: RetrieveOptions | undefined,
): Promise<Float32Array> {
  return asynchronous(op, options, (call: Call<Float32Array>, given) => {
    const native = store.native(op);
    const { separation, target } = planEnergy(op, store, queries, given, false);
    const settle = call.settle(() => deliver(op, target));
    call.started(
      native.energy(queries, target.written, ...separation, call.maxThreads, call.interactive, settle, call.progress),
    );
  });
}

export function energySync(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: SyncOptions<RetrieveOptions> | undefined,
): Float32Array {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const native = store.native(op);
    const { separation, target } = planEnergy(op, store, queries, given, true);
    native.energySync(queries, target.written, ...separation, maxThreads(op, given));
    return deliver(op, target);
  });
}

// ---- association ----

function planAssociation(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: AssociationOptions,
): { top: number; separation: NativeSeparation } {
  queryCount(op, store, queries);
  const { out } = options as RetrieveOptions;
  if (out !== undefined) {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'out', out, 'none: the size of an association is not known before');
  }
  return { top: checkedTop(op, options.top), separation: separationOf(op, store, options) };
}

function sparseRows([offsets, indices, weights]: NativeRows): SparseRows {
  return { offsets, indices, weights };
}

export function association(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: AssociationOptions | undefined,
): Promise<SparseRows> {
  return asynchronous(op, options, (call: Call<SparseRows>, given) => {
    const native = store.native(op);
    const { top, separation } = planAssociation(op, store, queries, given);
    const settle = call.settle((...rows: NativeRows) => sparseRows(rows));
    call.started(
      native.association(queries, top, ...separation, call.maxThreads, call.interactive, settle, call.progress),
    );
  });
}

export function associationSync(
  op: string,
  store: DenseStore,
  queries: Float32Array,
  options: SyncOptions<AssociationOptions> | undefined,
): SparseRows {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const native = store.native(op);
    const { top, separation } = planAssociation(op, store, queries, given);
    return sparseRows(native.associationSync(queries, top, ...separation, maxThreads(op, given)));
  });
}

// ---- calibrate ----

function planCalibration(op: string, options: CalibrateOptions): NativeCalibrate {
  return [similarityNumber(checkedSimilarity(op, options.similarity)), ...checkedSampling(op, options)];
}

export function calibrate(
  op: string,
  store: DenseStore,
  options: CalibrateOptions | undefined,
): Promise<Calibration> {
  return asynchronous(op, options, (call: Call<Calibration>, given) => {
    const native = store.native(op);
    const settle = call.settle((facts: number[]) => store.calibrated(facts));
    call.started(
      native.calibrate(...planCalibration(op, given), call.maxThreads, call.interactive, settle, call.progress),
    );
  });
}

export function calibrateSync(
  op: string,
  store: DenseStore,
  options: SyncOptions<CalibrateOptions> | undefined,
): Calibration {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const native = store.native(op);
    return store.calibrated(native.calibrateSync(...planCalibration(op, given), maxThreads(op, given)));
  });
}
