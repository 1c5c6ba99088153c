// From times to what they mean: the floor set by the machine, shares of it, ratios.
//
// @ts-check
import { defined, median, pairedRatio } from './timing.mjs';

/**
 * What one call cannot do without: multiplications and additions, exponentials, bytes read from memory.
 * @typedef {{ operations: number, exps: number, bytes: number }} Work
 */

/** A Float32 exponential takes about eight multiply-adds: reduction, polynomial of degree 6, scaling. */
const operationsOfExp = 16;
const arithmetic = (/** @type {Work} */ { operations, exps }) => operations + exps * operationsOfExp;

/**
 * Seconds the work would take at the limits: arithmetic and reading overlap, the longer one counts.
 * @param {Work} work
 * @param {import('./timing.mjs').Limits} limits
 */
export const floorSeconds = (work, limits) =>
  Math.max(arithmetic(work) / limits.fmaGflops, work.bytes / limits.readGbps) / 1e9;

/**
 * @param {import('./rows.mjs').Row} row
 * @param {Work} work
 * @param {({ name: string } & import('./timing.mjs').Timing)[]} timings engram's first
 * @param {import('./timing.mjs').Limits[]} limits of each turn
 */
export function summarise(row, work, timings, limits) {
  const floors = limits.map((limit) => floorSeconds(work, limit));
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
    work,
    floorSeconds: median(floors),
    contestants: timings.map((timing) => ({
      name: timing.name,
      seconds: timing.median,
      turns: timing.turns,
      gflops: arithmetic(work) / timing.median / 1e9,
      gbps: work.bytes / timing.median / 1e9,
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
    memoryAim: row.memoryAim,
  };
}
