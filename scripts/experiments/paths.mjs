// What the flow does, drawn in the plane: where every atom starts, how it moves and where it ends.
import { caseNamed, problemOf } from './cases.mjs';
import { pack, unpack } from './clouds.mjs';
import { withMemory } from './recall.mjs';

export const title = 'paths in the plane';

export const sizes = {
  full: { name: 'A2', seed: 1, queries: 3, steps: 40 },
  quick: { name: 'A2', seed: 1, queries: 1, steps: 3 },
};

const STAGES = { domain: ['stored', 'cue', 'recalled'], range: ['#bbbbbb', '#e69f00', '#0072b2'] };

/** Atoms of a planar cloud as rows of a table. @param {import('./clouds.mjs').Cloud} cloud @param {object} labels */
const atomsOf = ({ points, weights }, labels) =>
  Array.from(weights, (weight, i) => ({ ...labels, atom: i, x: points[2 * i], y: points[2 * i + 1], weight }));

/** @param {typeof sizes.full} sizes */
export async function run({ name, seed, queries, steps }) {
  const problem = problemOf(caseNamed(name).setup, { seed, queries, steps });
  const { stored, cues, truth, beta, dim } = problem;
  const retrieval = await withMemory(problem, (memory) => memory.retrieve(pack(cues), { beta, steps, trace: true }));
  const recalled = unpack(retrieval.clouds, dim);
  const atoms = cues.flatMap((cue, q) => [
    ...atomsOf(stored[truth[q]], { cue: q, stage: 'stored' }),
    ...atomsOf(cue, { cue: q, stage: 'cue' }),
    ...atomsOf(recalled[q], { cue: q, stage: 'recalled' }),
  ]);
  const moves = cues.flatMap((cue, q) => {
    const { points } = retrieval.trace[q];
    return Array.from({ length: points.length / cue.points.length }, (_, step) =>
      atomsOf({ ...cue, points: points.subarray(step * cue.points.length) }, { cue: q, step }),
    ).flat();
  });
  return { tables: {}, figures: { paths: figure(atoms, moves, queries) } };
}

/** @param {any[]} atoms @param {any[]} moves @param {number} queries */
function figure(atoms, moves, queries) {
  const place = (/** @type {string} */ field) => ({
    field,
    type: 'quantitative',
    title: null,
    scale: { zero: false },
    axis: { labels: false, ticks: false, domain: false },
  });
  const encoding = { x: place('x'), y: place('y') };
  const dots = {
    ...encoding,
    size: { field: 'weight', type: 'quantitative', legend: null, scale: { range: [0, 260] } },
    color: { field: 'stage', type: 'nominal', scale: STAGES },
  };
  const stage = (/** @type {string} */ name) => ({ filter: `datum.stage === '${name}'` });
  const ofCue = (/** @type {number} */ q) => ({
    width: 230,
    height: 230,
    layer: [
      { data: { values: atoms }, transform: [{ filter: `datum.cue === ${q}` }, stage('stored')], mark: { type: 'point', filled: true, opacity: 0.9 }, encoding: dots },
      { data: { values: moves }, transform: [{ filter: `datum.cue === ${q}` }], mark: { type: 'line', strokeWidth: 0.7, color: '#888' }, encoding: { ...encoding, detail: { field: 'atom' }, order: { field: 'step' } } },
      { data: { values: atoms }, transform: [{ filter: `datum.cue === ${q}` }, { filter: "datum.stage !== 'stored'" }], mark: { type: 'point', strokeWidth: 1.6 }, encoding: dots },
    ],
  });
  return { hconcat: Array.from({ length: queries }, (_, q) => ofCue(q)) };
}
