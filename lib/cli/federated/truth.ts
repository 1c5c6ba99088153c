/** What was found beside what there is, where that is known. */
import type { FederatedMemory } from '../../index.js';
import { Failure } from '../failure.js';
import { readRows } from './signs.js';

/** Best |overlap| of each true archetype with those found, and of each found one with the true ones. */
export interface Achieved {
  readonly truth: readonly number[];
  readonly found: readonly number[];
}

/** Archetypes of +-1, in rows of `dim`. */
export async function readTruth(path: string, dim: number): Promise<Float32Array> {
  const truth = await readRows(path, { read: { scale: 1 } });
  if (truth.dim !== dim) {
    throw new Failure(`${path}: has ${truth.dim} numbers per row; archetypes have ${dim}`, 'ERR_ENGRAM_SHAPE');
  }
  const other = truth.rows.find((sign) => Math.abs(sign) !== 1);
  if (other === undefined) return truth.rows;
  throw new Failure(`${path}: holds ${other}; true archetypes are rows of +1 and -1`, 'ERR_ENGRAM_RANGE');
}

export function achievedOverlaps(memory: FederatedMemory, truth: Float32Array): Achieved {
  const { archetypes, count, dim } = memory;
  const rows = truth.length / dim;
  const overlaps = Array.from({ length: rows }, (_, mu) =>
    Array.from({ length: count }, (__, k) => {
      let sum = 0;
      for (let n = 0; n < dim; ++n) sum += truth[mu * dim + n]! * archetypes[k * dim + n]!;
      return Math.abs(sum) / dim;
    }),
  );
  return {
    truth: overlaps.map((row) => Math.max(0, ...row)),
    found: Array.from({ length: count }, (_, k) => Math.max(0, ...overlaps.map((row) => row[k]!))),
  };
}
