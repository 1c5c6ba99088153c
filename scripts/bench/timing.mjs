// Times contestants in turns: A B C, A B C, ... so that whatever else the machine does meets all of
// them. The limits of the machine are measured in every turn as well.
//
// @ts-check

/** @typedef {import('./contestants/contestant.mjs').Contestant} Contestant */
/** @typedef {{ fmaGflops: number, readGbps: number }} Limits */

/**
 * What one contestant took, per call. `median` is over turns; each turn is the median of its calls.
 * @typedef {{ median: number, turns: (number | undefined)[] }} Timing
 */

const turnSeconds = 0.06; // calls are repeated until a turn takes about this long
const mostCalls = 1000;
const warmUpSeconds = 0.02; // wakes threads, fills caches, lets the compiler of Node see the loop; not timed
const mostWarmUps = 200;
const pauseMs = 60; // thread pools that spin after a call (onnxruntime, OpenBLAS) have given up by then

export function median(/** @type {number[]} */ values) {
  const sorted = values.slice().sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

export const defined = (/** @type {(number | undefined)[]} */ values) =>
  values.filter((/** @returns {value is number} */ value) => value !== undefined);

/** Ratio a / b of two timings: median over the turns both took part in. */
export const pairedRatio = (/** @type {Timing} */ a, /** @type {Timing} */ b) =>
  median(defined(a.turns.map((time, turn) => ratio(time, b.turns[turn]))));

const ratio = (/** @type {number | undefined} */ a, /** @type {number | undefined} */ b) =>
  a === undefined || b === undefined ? undefined : a / b;

const pause = () => new Promise((resolve) => setTimeout(resolve, pauseMs));

/** How often a contestant is called in a turn, and in how many turns, from one call's time. */
async function plan(/** @type {Contestant} */ contestant, /** @type {number} */ turns) {
  const [first = 0] = await contestant.turn([0]);
  const quick = first < 0.01 ? median(await contestant.turn([0, 1, 2, 3, 4])) : first;
  return {
    contestant,
    calls: contestant.slow ? 1 : Math.min(mostCalls, Math.max(1, Math.round(turnSeconds / quick))),
    warmUps: quick > 0.3 ? 0 : Math.min(mostWarmUps, Math.ceil(warmUpSeconds / quick)),
    turns: contestant.slow && first > 0.5 ? Math.min(turns, first > 5 ? 1 : 2) : turns,
  };
}

/**
 * @param {Contestant[]} contestants
 * @param {{ turns: number, batches: number, limits: () => Limits }} options batches: how many there are
 */
export async function measureInTurns(contestants, { turns, batches, limits }) {
  const plans = [];
  for (const contestant of contestants) plans.push(await plan(contestant, turns));
  /** @type {Map<string, (number | undefined)[]>} */
  const times = new Map(contestants.map(({ name }) => [name, []]));
  /** @type {Limits[]} */
  const limitsOfTurn = [];
  let next = 0;
  const take = (/** @type {number} */ count) =>
    Array.from({ length: count }, (_, i) => (next + i) % batches);
  for (let turn = 0; turn < turns; turn++) {
    await pause();
    limitsOfTurn.push(limits());
    // The order rotates: nobody always comes after the same neighbour.
    for (let i = 0; i < plans.length; i++) {
      const { contestant, calls, warmUps, turns: own } = plans[(turn + i) % plans.length] ?? plans[0];
      if (turn >= own) continue;
      await pause();
      if (warmUps) await contestant.turn(take(warmUps));
      const seconds = median(await contestant.turn(take(calls)));
      const of = times.get(contestant.name) ?? [];
      of[turn] = seconds;
    }
    next += Math.max(...plans.map(({ calls }) => calls));
  }
  return {
    limits: limitsOfTurn,
    timings: contestants.map(({ name }) => {
      const own = times.get(name) ?? [];
      return { name, turns: own, median: median(defined(own)) };
    }),
  };
}
