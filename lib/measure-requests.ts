/** The questions a memory of measures answers: each checked, asked of the native side, and its answer given form. */
import { allocateDoubles } from './arrays.js';
import { asynchronous, type Call, maxThreads, synchronous, type SyncOptions } from './call.js';
import { checkedClouds, type Clouds } from './clouds.js';
import {
  checkedBeta,
  checkedFlow,
  checkedSolve,
  type FlowOptions,
  type MeasureEnergyOptions,
  type SinkhornOptions,
} from './measure-options.js';
import { type Divergence, type MeasureRetrieval, newDivergence, retrievalOf } from './measure-results.js';
import type { MeasureStore } from './measure-store.js';
import type { NativeDivergence, NativeFlow, NativeMeasureEnergy, NativeRetrieval } from './native.js';
import { optionsObject } from './options.js';

// ---- divergence ----

function planDivergence(
  op: string,
  store: MeasureStore,
  queries: Clouds,
  options: SinkhornOptions,
  argument: string,
): { result: Divergence; asked: NativeDivergence } {
  const clouds = checkedClouds(op, argument, queries, store.dim);
  const solve = checkedSolve(op, options);
  const result = newDivergence(op, clouds[2].length - 1, store.count);
  const { values, errorBound, iterations, residual, converged } = result;
  return { result, asked: [...clouds, values, errorBound, iterations, residual, converged, ...solve] };
}

export function divergence(
  op: string,
  store: MeasureStore,
  queries: Clouds,
  options: SinkhornOptions | undefined,
  argument = 'queries',
): Promise<Divergence> {
  return asynchronous(op, options, (call: Call<Divergence>, given) => {
    const native = store.native(op);
    const { result, asked } = planDivergence(op, store, queries, given, argument);
    const settle = call.settle(() => result);
    call.started(native.divergence(...asked, call.maxThreads, call.interactive, settle, call.progress));
  });
}

export function divergenceSync(
  op: string,
  store: MeasureStore,
  queries: Clouds,
  options: SyncOptions<SinkhornOptions> | undefined,
  argument = 'queries',
): Divergence {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const native = store.native(op);
    const { result, asked } = planDivergence(op, store, queries, given, argument);
    native.divergenceSync(...asked, maxThreads(op, given));
    return result;
  });
}

// ---- energy ----

function planEnergy(
  op: string,
  store: MeasureStore,
  queries: Clouds,
  options: MeasureEnergyOptions,
): { result: Float64Array; asked: NativeMeasureEnergy } {
  const clouds = checkedClouds(op, 'queries', queries, store.dim);
  const beta = checkedBeta(op, options);
  const solve = checkedSolve(op, options);
  const result = allocateDoubles(op, clouds[2].length - 1);
  return { result, asked: [...clouds, result, beta, ...solve] };
}

export function energy(
  op: string,
  store: MeasureStore,
  queries: Clouds,
  options: MeasureEnergyOptions,
): Promise<Float64Array> {
  return asynchronous(op, options, (call: Call<Float64Array>, given) => {
    const native = store.native(op);
    const { result, asked } = planEnergy(op, store, queries, given);
    const settle = call.settle(() => result);
    call.started(native.energy(...asked, call.maxThreads, call.interactive, settle, call.progress));
  });
}

export function energySync(
  op: string,
  store: MeasureStore,
  queries: Clouds,
  options: SyncOptions<MeasureEnergyOptions>,
): Float64Array {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const native = store.native(op);
    const { result, asked } = planEnergy(op, store, queries, given);
    native.energySync(...asked, maxThreads(op, given));
    return result;
  });
}

// ---- retrieve ----

function planRetrieval(op: string, store: MeasureStore, queries: Clouds, options: FlowOptions): NativeFlow {
  const clouds = checkedClouds(op, 'queries', queries, store.dim);
  return [...clouds, ...checkedSolve(op, options), ...checkedFlow(op, options)];
}

export function retrieve(
  op: string,
  store: MeasureStore,
  queries: Clouds,
  options: FlowOptions,
): Promise<MeasureRetrieval> {
  return asynchronous(op, options, (call: Call<MeasureRetrieval>, given) => {
    const native = store.native(op);
    const asked = planRetrieval(op, store, queries, given);
    const settle = call.settle((...answer: NativeRetrieval) => retrievalOf(answer, given.trace === true));
    call.started(native.retrieve(...asked, call.maxThreads, call.interactive, settle, call.progress));
  });
}

export function retrieveSync(
  op: string,
  store: MeasureStore,
  queries: Clouds,
  options: SyncOptions<FlowOptions>,
): MeasureRetrieval {
  return synchronous(op, () => {
    const given = optionsObject(op, options);
    const native = store.native(op);
    const asked = planRetrieval(op, store, queries, given);
    return retrievalOf(native.retrieveSync(...asked, maxThreads(op, given)), given.trace === true);
  });
}
