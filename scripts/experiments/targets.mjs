// The reference table: every case beside what the prototype reached.
import { cases, problemOf } from './cases.mjs';
import { compare } from './recall.mjs';
import { mean, median } from './statistics.mjs';
import { markdownTable, share, short } from './tables.mjs';

export const title = 'reference cases';

export const sizes = {
  full: { names: cases.map(({ name }) => name), seeds: [1, 2, 3, 4, 5], queries: 20, steps: 40 },
  quick: { names: ['A1', 'E1'], seeds: [1], queries: 4, steps: 5 },
};

/** The prototype solved its transport problems in Float64; the default tolerance would end D1 early. */
const ACCURATE = { tolerance: 1e-8 };

/** @typedef {import('./recall.mjs').Method} Method */

/** Whether no step raises the energy. */
export const isMonotone = (/** @type {number[]} */ energies) =>
  energies.every((energy, t) => t === 0 || energy <= energies[t - 1]);

/** Clouds that have lost atoms are no vectors of the same space. @returns {Method[]} */
const methodsFor = (/** @type {import('./cases.mjs').Setup} */ { damage }) =>
  damage.kept === undefined ? ['SHK', 'H_vec', 'H_pt'] : ['SHK', 'H_pt'];

/**
 * @param {import('./cases.mjs').Case} one
 * @param {typeof sizes.full} sizes
 */
async function runCase({ setup }, { seeds, queries, steps }) {
  /** @type {Awaited<ReturnType<typeof compare>>[]} */
  const trials = [];
  for (const seed of seeds) {
    trials.push(await compare(problemOf(setup, { seed, queries, steps }), methodsFor(setup), ACCURATE));
  }
  const pooled = (/** @type {Method | 'cue'} */ method) => ({
    success: mean(trials.flatMap(({ judged }) => judged[method].right)),
    divergence: median(trials.flatMap(({ judged }) => judged[method].divergence)),
  });
  return {
    cue: pooled('cue'),
    SHK: pooled('SHK'),
    H_vec: methodsFor(setup).includes('H_vec') ? pooled('H_vec') : undefined,
    H_pt: pooled('H_pt'),
    successes: trials.map(({ judged }) => mean(judged.SHK.right)),
    ends: trials.map(({ judged }) => median(judged.SHK.divergence)),
    monotone: mean(trials.flatMap(({ energies }) => energies.map(isMonotone))),
  };
}

/**
 * Our number, and the target where there is one.
 * @param {(x: number) => string} format
 * @param {number} ours
 * @param {number} [target]
 */
const beside = (format, ours, target) => `**${format(ours)}**${target === undefined ? '' : ` (${format(target)})`}`;

/**
 * The least and the most.
 * @param {(x: number) => string} format
 * @param {number[]} list
 */
const range = (format, list) => `${format(Math.min(...list))} .. ${format(Math.max(...list))}`;

/**
 * @param {import('./cases.mjs').Case} one
 * @param {Awaited<ReturnType<typeof runCase>>} result
 */
function tableRow({ name, what, target }, { cue, SHK, H_vec, H_pt, successes, ends, monotone }) {
  return [
    `${name} ${what}`,
    beside(share, SHK.success, target.success),
    range(share, successes),
    beside(short, cue.divergence, target.start),
    beside(short, SHK.divergence, target.end),
    range(short, ends),
    share(monotone),
    H_vec ? beside(share, H_vec.success, target.vec) : 'n/a',
    beside(share, H_pt.success, target.pt),
    beside(short, H_pt.divergence, target.ptEnd),
  ];
}

/** @param {typeof sizes.full} sizes */
export async function run(sizes) {
  const rows = [];
  for (const one of cases.filter(({ name }) => sizes.names.includes(name))) {
    rows.push(tableRow(one, await runCase(one, sizes)));
  }
  const ours = ['case', 'success', 'seed by seed', 'S of the cue', 'S of the result', 'seed by seed', 'monotone'];
  const head = [...ours, 'success of H_vec', 'success of H_pt', 'S of the result of H_pt'];
  return { tables: { targets: markdownTable(head, rows) }, figures: {} };
}
