// The reference table: every case beside what the prototype reached.
import { cases, problemOf } from './cases.mjs';
import { compare } from './recall.mjs';
import { mean, median } from './statistics.mjs';
import { markdownTable, share, short } from './tables.mjs';

export const title = 'reference cases';

export const sizes = {
  full: { names: cases.map(({ name }) => name), seeds: [1, 2, 3, 4, 5], queries: 20, steps: 40 },
  quick: { names: ['A1', 'P0'], seeds: [1], queries: 4, steps: 5 },
};

/** Whether no step raises the energy. */
export const isMonotone = (/** @type {number[]} */ energies) =>
  energies.every((energy, t) => t === 0 || energy <= energies[t - 1]);

/** @param {import('./cases.mjs').Case} one @param {typeof sizes.full} sizes */
async function runCase({ setup }, { seeds, queries, steps }) {
  const trials = [];
  for (const seed of seeds) {
    const aligned = setup.damage.kept === undefined;
    const methods = /** @type {import('./recall.mjs').Method[]} */ (aligned ? ['SHK', 'H_vec', 'H_pt'] : ['SHK', 'H_pt']);
    trials.push(await compare(problemOf(setup, { seed, queries, steps }), methods));
  }
  const pooled = (/** @type {string} */ method) => ({
    success: mean(trials.flatMap(({ judged }) => judged[method]?.right ?? [])),
    divergence: median(trials.flatMap(({ judged }) => judged[method]?.divergence ?? [])),
  });
  return {
    cue: pooled('cue'),
    SHK: pooled('SHK'),
    H_vec: pooled('H_vec'),
    H_pt: pooled('H_pt'),
    bySeed: trials.map(({ judged }) => mean(judged.SHK.right)),
    monotone: mean(trials.flatMap(({ energies }) => energies.map(isMonotone))),
  };
}

const beside = (/** @type {string} */ ours, /** @type {string | undefined} */ target) =>
  target === undefined ? ours : `**${ours}** (${target})`;

/** @param {import('./cases.mjs').Case} one @param {Awaited<ReturnType<typeof runCase>>} result */
function tableRow({ name, what, target }, { cue, SHK, H_vec, H_pt, bySeed, monotone }) {
  const pt = `${share(H_pt.success)}; ${short(H_pt.divergence)}`;
  const ptTarget =
    target.pt === undefined ? undefined : `${share(target.pt)}${target.ptEnd ? `; ${short(target.ptEnd)}` : ''}`;
  return [
    `${name} ${what}`,
    beside(share(SHK.success), share(target.success)),
    `${share(Math.min(...bySeed))} .. ${share(Math.max(...bySeed))}`,
    beside(short(cue.divergence), short(target.start)),
    beside(short(SHK.divergence), short(target.end)),
    share(monotone),
    Number.isNaN(H_vec.success) ? 'n/a' : beside(share(H_vec.success), target.vec === undefined ? undefined : share(target.vec)),
    beside(pt, ptTarget),
  ];
}

/** @param {typeof sizes.full} sizes */
export async function run(sizes) {
  const rows = [];
  for (const one of cases.filter(({ name }) => sizes.names.includes(name))) {
    rows.push(tableRow(one, await runCase(one, sizes)));
  }
  const head = ['case', 'success', 'seed by seed', 'S of the cue', 'S of the result', 'monotone', 'H_vec', 'H_pt; S'];
  return { tables: { targets: markdownTable(head, rows) }, figures: {} };
}
