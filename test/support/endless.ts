/** A call that would take hours, for tests of what happens while calls run. */
import { DenseMemory, softmax, type RetrieveOptions } from './engram.js';

export interface Endless {
  readonly memory: DenseMemory;
  readonly queries: Float32Array;
  readonly options: RetrieveOptions;
}

/**
 * Half of the items are x, half are -x, with |x| = 1: an update takes the state a x to tanh(beta a) x. At
 * the critical beta = 1 the state creeps to zero, a ~ 1 / sqrt(updates), and each update changes it: no
 * tolerance of zero is met before some 10^5 updates over all items.
 */
export function endless(rows = 20_000, dim = 64, queryCount = 64): Endless {
  const x = new Float32Array(dim).fill(1 / Math.sqrt(dim));
  const patterns = Float32Array.from({ length: rows * dim }, (_, e) => {
    const sign = Math.floor(e / dim) % 2 === 0 ? 1 : -1;
    return sign * x[e % dim]!;
  });
  return {
    memory: DenseMemory.from(patterns, { dim }),
    queries: Float32Array.from({ length: queryCount * dim }, (_, e) => x[e % dim]!),
    options: { separation: softmax({ beta: 1 }), similarity: 'dot', steps: 2 ** 31 },
  };
}
