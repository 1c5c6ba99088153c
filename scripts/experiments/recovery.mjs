// Recovery against the strength of the perturbation, the number of stored clouds and the dimension.
import { problemOf } from './cases.mjs';
import { METHOD_COLOURS } from './plots.mjs';
import { compare } from './recall.mjs';
import { mean, median } from './statistics.mjs';
import { markdownTable, share, short } from './tables.mjs';

export const title = 'recovery';

export const sizes = {
  full: {
    seeds: [1, 2, 3, 4, 5],
    queries: 40,
    steps: 40,
    jitter: [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2],
    count: [10, 30, 100, 300, 1000],
    dim: [2, 4, 8, 16, 32, 64],
  },
  quick: { seeds: [1], queries: 3, steps: 4, jitter: [0.5, 1], count: [4, 8], dim: [2, 4] },
};

/** A result counts as restored if it is this much nearer to the stored cloud than the cue was. */
const RESTORED = 0.1;

const BASE = { jitter: 1, count: 100, dim: 10, atoms: 10 };

/**
 * Costs grow with the dimension, so epsilon grows and beta falls with it.
 * @param {typeof BASE} parameters
 */
function setupOf({ jitter, count, dim, atoms }) {
  return { count, atoms, dim, epsilon: dim / 10, beta: 100 / dim, damage: { jitter, weightNoise: 0.5 } };
}

const SWEEPS = [
  { parameter: 'jitter', label: 'jitter (standard deviation)', log: false },
  { parameter: 'count', label: 'stored clouds', log: true },
  { parameter: 'dim', label: 'dimension', log: true },
];

/**
 * @param {import('./recall.mjs').Judgement} result
 * @param {import('./recall.mjs').Judgement} cue
 */
function scores(result, cue) {
  const restored = result.right.map((right, q) => right && result.divergence[q] <= RESTORED * cue.divergence[q]);
  return {
    right: mean(result.right),
    restored: mean(restored),
    ratio: median(result.divergence.map((divergence, q) => divergence / cue.divergence[q])),
  };
}

/** @param {typeof sizes.full} sizes */
async function measure(sizes) {
  const points = [];
  for (const { parameter } of SWEEPS) {
    for (const value of sizes[/** @type {'jitter' | 'count' | 'dim'} */ (parameter)]) {
      for (const seed of sizes.seeds) {
        const { judged } = await compare(problemOf(setupOf({ ...BASE, [parameter]: value }), { ...sizes, seed }));
        for (const method of ['cue', ...METHOD_COLOURS.domain]) {
          points.push({ parameter, value, seed, method, ...scores(judged[method], judged.cue) });
        }
      }
    }
  }
  return points;
}

/** @typedef {Awaited<ReturnType<typeof measure>>} Points */

/**
 * One panel: means over the seeds as a line, their range as a band.
 * @param {any[]} points
 * @param {any} x
 * @param {string} y
 * @param {string} label
 */
function panel(points, x, y, label) {
  const colour = { field: 'method', type: 'nominal', scale: METHOD_COLOURS };
  const encoding = {
    x: {
      field: 'value',
      type: 'quantitative',
      title: x.label,
      scale: x.log ? { type: 'log', nice: false } : { zero: false, nice: false },
      axis: x.log ? { values: [...new Set(points.map(({ value }) => value))], grid: false } : { tickCount: 5 },
    },
    color: colour,
  };
  const share = { field: y, type: 'quantitative', title: label, scale: { domain: [0, 1] } };
  return {
    width: 220,
    height: 170,
    data: { values: points },
    encoding,
    layer: [
      {
        mark: { type: 'area', opacity: 0.15 },
        encoding: { y: { ...share, aggregate: 'min' }, y2: { field: y, aggregate: 'max' } },
      },
      { mark: { type: 'line', point: true }, encoding: { y: { ...share, aggregate: 'mean' } } },
    ],
  };
}

/** @param {Points} points */
function figure(points) {
  const rows = [
    { y: 'right', label: 'right cloud named' },
    { y: 'restored', label: 'measure restored' },
  ];
  const recalled = points.filter(({ method }) => method !== 'cue');
  return {
    vconcat: rows.map(({ y, label }) => ({
      hconcat: SWEEPS.map((x) => panel(recalled.filter(({ parameter }) => parameter === x.parameter), x, y, label)),
    })),
  };
}

/** @param {Points} points */
function table(points) {
  const rows = [];
  for (const { parameter } of SWEEPS) {
    const ofSweep = points.filter((point) => point.parameter === parameter);
    for (const value of new Set(ofSweep.map((point) => point.value))) {
      const of = (/** @type {string} */ method, /** @type {'right' | 'restored' | 'ratio'} */ key) =>
        mean(ofSweep.filter((point) => point.value === value && point.method === method).map((point) => point[key]));
      const cells = METHOD_COLOURS.domain.map(
        (method) => `${share(of(method, 'right'))}; ${share(of(method, 'restored'))}; ${short(of(method, 'ratio'))}`,
      );
      rows.push([`${parameter} ${value}`, share(of('cue', 'right')), ...cells]);
    }
  }
  return markdownTable(['', 'cue', ...METHOD_COLOURS.domain], rows);
}

/** @param {typeof sizes.full} sizes */
export async function run(sizes) {
  const points = await measure(sizes);
  return { tables: { recovery: table(points) }, figures: { recovery: figure(points) } };
}
