/** A retrieval of measures that would take hours, for tests of what happens while calls run. */
import { type FullClouds, randomClouds } from './clouds.js';
import { type FlowOptions, MeasureMemory } from './engram.js';
import { seeded } from './random.js';

export interface EndlessFlow {
  readonly memory: MeasureMemory;
  readonly queries: FullClouds;
  readonly options: FlowOptions;
}

/** Steps so small that nothing arrives, a tolerance that is never met, and 2^31 of them. */
export function endlessFlow(count = 50, queryCount = 4): EndlessFlow {
  const dim = 3;
  const random = seeded(91);
  return {
    memory: MeasureMemory.from(randomClouds(random, count, dim, 20, 40), { dim, epsilon: 0.5 }),
    queries: randomClouds(random, queryCount, dim, 20, 40),
    options: { beta: 1, steps: 2 ** 31, stepSize: { points: 1e-6, weights: 1e-6 }, flowTolerance: 0 },
  };
}
