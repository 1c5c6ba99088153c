// How the energy falls, and how fast: E_t - E_end on a log axis.
import { caseNamed, problemOf } from './cases.mjs';
import { compare } from './recall.mjs';
import { median, quantile } from './statistics.mjs';
import { markdownTable, short } from './tables.mjs';

export const title = 'descent of the energy';

export const sizes = {
  full: {
    names: ['A1', 'B2', 'C1', 'D1'],
    seed: 1,
    queries: 20,
    steps: 400,
    shown: 100,
    at: [1, 2, 5, 10, 20, 50, 100],
  },
  quick: { names: ['A1'], seed: 1, queries: 2, steps: 12, shown: 6, at: [1, 5] },
};

/** Excess energies below this share of the first one are not told from rounding. */
const FLOOR = 1e-8;

/**
 * E_t - E_end over E_0 - E_end; a flow that ended early stays where it ended.
 * @param {number[]} energies
 * @param {number} length
 */
export function excess(energies, length) {
  const end = energies[energies.length - 1];
  const whole = energies[0] - end;
  return Array.from({ length }, (_, t) => Math.max(FLOOR, ((energies[t] ?? end) - end) / whole));
}

/** @param {typeof sizes.full} sizes */
async function measure({ names, seed, queries, steps, shown }) {
  const results = [];
  for (const name of names) {
    const { energies } = await compare(problemOf(caseNamed(name).setup, { seed, queries, steps }), []);
    results.push({ name, curves: energies.map((trace) => excess(trace, shown + 1)) });
  }
  return results;
}

/** @typedef {Awaited<ReturnType<typeof measure>>} Results */

/**
 * Median over the cues, and the range of the middle eight tenths.
 * @param {Results} results
 */
function figure(results) {
  const points = results.flatMap(({ name, curves }) =>
    curves[0].map((_, step) => {
      const values = curves.map((curve) => curve[step]);
      return { name, step, low: quantile(values, 0.1), middle: median(values), high: quantile(values, 0.9) };
    }),
  );
  const y = (/** @type {string} */ field) => ({
    field,
    type: 'quantitative',
    title: 'excess energy',
    scale: { type: 'log' },
    axis: { format: '.0e', values: [1, 1e-2, 1e-4, 1e-6, 1e-8] },
  });
  return {
    data: { values: points },
    facet: { field: 'name', type: 'nominal', title: null, sort: null },
    columns: 2,
    spec: {
      width: 300,
      height: 180,
      encoding: { x: { field: 'step', type: 'quantitative', title: 'step' } },
      layer: [
        { mark: { type: 'area', opacity: 0.2 }, encoding: { y: y('low'), y2: { field: 'high' } } },
        { mark: 'line', encoding: { y: y('middle') } },
      ],
    },
  };
}

/**
 * The mean factor by which a step multiplies the excess between two steps.
 * @param {number[]} curve
 * @param {number} from
 * @param {number} to
 */
const factor = (curve, from, to) => (curve[to] / curve[from]) ** (1 / (to - from));

/**
 * @param {Results} results
 * @param {typeof sizes.full} sizes
 */
function table(results, { at }) {
  const late = at.slice(-2);
  const head = ['case', ...at.map((step) => `step ${step}`), `factor per step, ${late.join(' to ')}`];
  const rows = results.map(({ name, curves }) => [
    name,
    ...at.map((step) => short(median(curves.map((curve) => curve[step])))),
    median(curves.map((curve) => factor(curve, late[0], late[1]))).toFixed(3),
  ]);
  return markdownTable(head, rows);
}

/** @param {typeof sizes.full} sizes */
export async function run(sizes) {
  const results = await measure(sizes);
  return { tables: { descent: table(results, sizes) }, figures: { descent: figure(results) } };
}
