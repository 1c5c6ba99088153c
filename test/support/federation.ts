/** Federations as the theory has them: clients with noisy examples of hidden archetypes of +-1. */
import { type Random, seeded } from './random.js';

export interface Federation {
  readonly dim: number;
  /** count x dim. */
  readonly archetypes: Int8Array;
  /** Examples of one client: rows of `dim`, from the archetypes named, in turns. */
  examples(samples: number, quality: number, of?: readonly number[]): Int8Array;
}

export function federation(dim: number, count: number, seed: number): Federation {
  const random = seeded(seed);
  const archetypes = Int8Array.from({ length: count * dim }, () => (random.uniform() < 0.5 ? -1 : 1));
  const every = Array.from({ length: count }, (_, mu) => mu);
  return {
    dim,
    archetypes,
    examples: (samples, quality, of = every) =>
      Int8Array.from({ length: samples * dim }, (_, at) => {
        const mu = of[Math.floor(at / dim) % of.length]!;
        return flip(random, archetypes[mu * dim + (at % dim)]!, quality);
      }),
  };
}

/** A sign that is kept with probability (1 + quality) / 2. */
export function flip(random: Random, sign: number, quality: number): number {
  return random.uniform() < (1 + quality) / 2 ? sign : -sign;
}

/** |<x_k, y_mu>| / dim of rows of two sets: for each row of `truth` the best one of `found`. */
export function bestOverlaps(found: Int8Array, truth: Int8Array, dim: number): number[] {
  return Array.from({ length: truth.length / dim }, (_, mu) => {
    let best = 0;
    for (let k = 0; k < found.length / dim; ++k) {
      let sum = 0;
      for (let n = 0; n < dim; ++n) sum += found[k * dim + n]! * truth[mu * dim + n]!;
      best = Math.max(best, Math.abs(sum) / dim);
    }
    return best;
  });
}
