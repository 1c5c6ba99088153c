// How the energy falls, and how fast: E_t - E_end on a log axis.
import { caseNamed, problemOf } from './cases.mjs';
import { pack } from './clouds.mjs';
import { withMemory } from './recall.mjs';
import { median, quantile } from './statistics.mjs';
import { markdownTable, short } from './tables.mjs';

export const title = 'descent of the energy';

export const sizes = {
  full: {
    names: ['A1', 'B2', 'C1', 'D1'],
    seed: 1,
    queries: 20,
    steps: 2000,
    shown: 100,
    at: [1, 2, 5, 10, 20, 50, 100],
    stretches: [[0, 10], [10, 50], [50, 100]],
  },
  quick: { names: ['A1'], seed: 1, queries: 2, steps: 12, shown: 6, at: [1, 5], stretches: [[0, 5]] },
};

/** Finer than the defaults: the last energy stands for the limit. */
const ACCURATE = /** @type {const} */ ({ tolerance: 1e-12, flowTolerance: 1e-8, precision: 'float64' });

/** Excess energies below this share of the first one are not told from what the solves leave open. */
export const FLOOR = 1e-10;

/**
 * E_t - E_end over E_0 - E_end; a flow that ended early stays where it ended.
 * @param {ArrayLike<number>} energies
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
    const problem = problemOf(caseNamed(name).setup, { seed, queries, steps });
    const { beta, cues } = problem;
    const { trace = [] } = await withMemory(problem, (memory) =>
      memory.retrieve(pack(cues), { beta, steps, ...ACCURATE, trace: true }),
    );
    results.push({ name, curves: trace.map(({ energy }) => excess(energy, shown + 1)) });
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
    axis: { format: '.0e', values: [1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10] },
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
 * The factor by which a step between two steps multiplies the median excess on average; '-' where that has fallen to
 * the floor.
 * @param {(step: number) => number} middle
 * @param {number[]} stretch
 */
function factor(middle, [from, to]) {
  if (middle(to) <= FLOOR) return '-';
  return ((middle(to) / middle(from)) ** (1 / (to - from))).toFixed(3);
}

/**
 * @param {Results} results
 * @param {typeof sizes.full} sizes
 */
function table(results, { at, stretches }) {
  const factors = stretches.map((ends) => `a step, ${ends.join(' to ')}`);
  const head = ['case', ...at.map((step) => `step ${step}`), ...factors];
  const rows = results.map(({ name, curves }) => {
    const middle = (/** @type {number} */ step) => median(curves.map((curve) => curve[step]));
    return [name, ...at.map((step) => short(middle(step))), ...stretches.map((ends) => factor(middle, ends))];
  });
  return markdownTable(head, rows);
}

/** @param {typeof sizes.full} sizes */
export async function run(sizes) {
  const results = await measure(sizes);
  return { tables: { descent: table(results, sizes) }, figures: { descent: figure(results) } };
}
