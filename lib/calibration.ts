import { type Similarity, similarityOf } from './similarity.js';

/** How sharp a memory is: the result of {@link DenseMemory.calibrate}. */
export interface Calibration {
  /** The smallest beta at which 99 % of the sample hold at least `recall` of their own association. */
  readonly beta: number;
  /** The similarity it was found for. */
  readonly similarity: Similarity;
  /** The share asked for, in (0.5, 1). */
  readonly recall: number;
  /** Items looked at. */
  readonly sample: number;
  /** Of these: items with a duplicate or a stronger rival, which no beta lets reach `recall`. */
  readonly unreachable: number;
  /** s(x_i, x_i) - max_{j != i} s(x_i, x_j) over the sample. */
  readonly gaps: { readonly min: number; readonly median: number; readonly max: number };
}

/** From the native side's numbers. */
export function calibrationOf(facts: readonly number[]): Calibration {
  const [beta, similarity, recall, sample, unreachable, min, median, max] = facts as [
    number, number, number, number, number, number, number, number,
  ];
  const gaps = Object.freeze({ min, median, max });
  return Object.freeze({ beta, similarity: similarityOf(similarity), recall, sample, unreachable, gaps });
}
