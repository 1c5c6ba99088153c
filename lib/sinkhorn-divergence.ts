import { synchronous, type SyncOptions } from './call.js';
import type { Clouds } from './clouds.js';
import type { SinkhornDivergenceOptions } from './measure-options.js';
import * as requests from './measure-requests.js';
import type { Divergence } from './measure-results.js';
import { MeasureStore } from './measure-store.js';
import { optionsObject } from './options.js';

/** `b`, stored for the time of one call. */
function storeOf(op: string, b: Clouds, options: SyncOptions<SinkhornDivergenceOptions>): MeasureStore {
  return synchronous(op, () => {
    const { dim, epsilon, costScale = 0.5 } = optionsObject(op, options);
    return MeasureStore.of(op, 'b', b, { dim, epsilon, costScale, ownership: 'copy' });
  });
}

/**
 * The debiased Sinkhorn divergence of each cloud of `a` to each cloud of `b`, as {@link MeasureMemory.divergence} of a
 * memory of `b`; a relative epsilon is relative to `b`. To ask of the same clouds again, make a memory of them.
 * @throws {EngramError} as {@link MeasureMemory.from} and {@link MeasureMemory.divergence} do.
 */
export async function sinkhornDivergence(
  a: Clouds,
  b: Clouds,
  options: SinkhornDivergenceOptions,
): Promise<Divergence> {
  const op = 'sinkhornDivergence';
  const store = storeOf(op, b, options);
  try {
    return await requests.divergence(op, store, a, options, 'a');
  } finally {
    store.dispose();
  }
}

/** The synchronous twin of {@link sinkhornDivergence}. */
export function sinkhornDivergenceSync(
  a: Clouds,
  b: Clouds,
  options: SyncOptions<SinkhornDivergenceOptions>,
): Divergence {
  const op = 'sinkhornDivergenceSync';
  const store = storeOf(op, b, options);
  try {
    return requests.divergenceSync(op, store, a, options, 'a');
  } finally {
    store.dispose();
  }
}
