// From times to what they mean: the floor set by the machine, shares of it, ratios.
//
// @ts-check
import { bytesRead, operations } from './rows.mjs';
import { defined, median, pairedRatio } from './timing.mjs';

/**
 * Seconds the row would take at the limits: arithmetic and reading overlap, the longer one counts.
 * @param {import('./rows.mjs').Row} row
 * @param {import('./timing.mjs').Limits} limits
 */
export const floorSeconds = (row, limits) =>
  Math.max(operations(row) / limits.fmaGflops, bytesRead(row) / limits.readGbps) / 1e9;

/**
 * @param {import('./rows.mjs').Row} row
 * @param {({ name: string } & import('./timing.mjs').Timing)[]} timings engram's first
 * @param {import('./timing.mjs').Limits[]} limits of each turn
 */
export function summarise(row, timings, limits) {
  const floors = limits.map((limit) => floorSeconds(row, limit));
  const [ours] = timings;
  return {
    id: row.id,
    title: row.title,
    bound: row.bound,
    limits: {
      fmaGflops: median(limits.map(({ fmaGflops }) => fmaGflops)),
      readGbps: median(limits.map(({ readGbps }) => readGbps)),
    },
    bestLimits: {
      fmaGflops: Math.max(...limits.map(({ fmaGflops }) => fmaGflops)),
      readGbps: Math.max(...limits.map(({ readGbps }) => readGbps)),
    },
    operations: operations(row),
    bytes: bytesRead(row),
    floorSeconds: median(floors),
    contestants: timings.map((timing) => ({
      name: timing.name,
      seconds: timing.median,
      turns: timing.turns,
      gflops: operations(row) / timing.median / 1e9,
      gbps: bytesRead(row) / timing.median / 1e9,
      // Each turn against the limits of the same turn.
      share: median(
        defined(timing.turns.map((time, t) => (time === undefined ? undefined : (floors[t] ?? NaN) / time))),
      ),
      ratio: ours ? pairedRatio(timing, ours) : NaN,
    })),
    aims: Object.entries(row.aims).map(([peer, aim]) => {
      const theirs = timings.find(({ name }) => name === peer);
      const ratio = theirs && ours ? pairedRatio(theirs, ours) : undefined;
      return { peer, aim, ratio, met: ratio === undefined ? undefined : ratio >= aim };
    }),
    microseconds: row.microseconds ?? {},
    share: row.share,
  };
}
