/** The size of the pool, which tests may change. */
import { configure, devices } from './engram.js';

/** Gives the pool back the number of threads it has now, when the current suite ends. */
export function restoreThreads(): void {
  const { threads } = devices()[0]!;
  after(() => configure({ threads: threads! }));
}
