// What the flow does, drawn in the plane: where every atom starts, how it moves and where it ends.
import { caseNamed, problemOf } from './cases.mjs';
import { pack, unpack } from './clouds.mjs';
import { withMemory } from './recall.mjs';

export const title = 'paths in the plane';

export const sizes = {
  full: { name: 'A2', seed: 1, queries: 3, steps: 40 },
  quick: { name: 'A2', seed: 1, queries: 1, steps: 3 },
};

/**
 * @typedef {import('./clouds.mjs').Cloud} Cloud
 *
 * The measures of one retrieval; `moves` has the points after each step.
 * @typedef {{ stored: Cloud, cue: Cloud, recalled: Cloud, moves: Float32Array[] }} Flow
 */

const STAGES = { domain: ['stored', 'cue', 'recalled'], range: ['#bbbbbb', '#e69f00', '#0072b2'] };

/**
 * Points of the plane as rows of a table.
 * @param {Float32Array} points
 * @param {(i: number) => object} facts
 */
const pointRows = (points, facts) =>
  Array.from({ length: points.length / 2 }, (_, i) => ({ x: points[2 * i], y: points[2 * i + 1], ...facts(i) }));

/** One coordinate of a square that holds all points. @param {Float32Array[]} clouds */
function squareAround(clouds) {
  const range = (/** @type {number} */ axis) => {
    const values = clouds.flatMap((points) => Array.from(points).filter((_, at) => at % 2 === axis));
    return { low: Math.min(...values), high: Math.max(...values) };
  };
  const [x, y] = [range(0), range(1)];
  const reach = 0.55 * Math.max(x.high - x.low, y.high - y.low);
  const place = (/** @type {string} */ field, /** @type {{ low: number, high: number }} */ { low, high }) => ({
    field,
    type: 'quantitative',
    title: null,
    scale: { domain: [(low + high) / 2 - reach, (low + high) / 2 + reach], nice: false, zero: false },
    axis: { labels: false, ticks: false, domain: false },
  });
  return { x: place('x', x), y: place('y', y) };
}

/** @param {Flow} flow */
function panel({ stored, cue, recalled, moves }) {
  const places = squareAround([stored.points, cue.points, ...moves]);
  const dots = (/** @type {string} */ stage, /** @type {Cloud} */ { points, weights }) => ({
    data: { values: pointRows(points, (i) => ({ weight: weights[i], stage })) },
    mark: { type: 'point', filled: stage === 'stored', strokeWidth: 1.6, opacity: 1 },
    encoding: {
      ...places,
      size: { field: 'weight', type: 'quantitative', legend: null, scale: { domain: [0, 0.2], range: [0, 300] } },
      color: { field: 'stage', type: 'nominal', scale: STAGES },
    },
  });
  const lines = {
    data: { values: moves.flatMap((points, step) => pointRows(points, (atom) => ({ atom, step }))) },
    mark: { type: 'line', strokeWidth: 0.7, color: '#888' },
    encoding: { ...places, detail: { field: 'atom' }, order: { field: 'step' } },
  };
  const layer = [dots('stored', stored), lines, dots('cue', cue), dots('recalled', recalled)];
  return { width: 230, height: 230, layer };
}

/** @param {typeof sizes.full} sizes */
export async function run({ name, seed, queries, steps }) {
  const problem = problemOf(caseNamed(name).setup, { seed, queries, steps });
  const { stored, cues, truth, beta, dim } = problem;
  const { clouds, trace = [] } = await withMemory(problem, (memory) =>
    memory.retrieve(pack(cues), { beta, steps, trace: true }),
  );
  const recalled = unpack(clouds, dim);
  const flows = cues.map((cue, q) => {
    const { points } = trace[q];
    const width = cue.points.length;
    const moves = Array.from({ length: points.length / width }, (_, t) => points.subarray(t * width, (t + 1) * width));
    return { stored: stored[truth[q]], cue, recalled: recalled[q], moves };
  });
  return { tables: {}, figures: { paths: { hconcat: flows.map(panel) } } };
}
