// Rows about the spectral family: examples of hidden archetypes, who answers, how good the answers are.
//
// @ts-check
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eigenpairs, merging } from './contestants/spectral.mjs';
import { pythonContestants } from './contestants/python.mjs';
import { Spikes } from './data.mjs';
import { configure, HebbianOperator, SecondMoment } from './engram.mjs';

/**
 * @typedef {import('./rows.mjs').Row} Row
 * @typedef {import('./row.mjs').Order} Order
 * @typedef {import('./row.mjs').Setting} Setting
 * @typedef {import('./contestants/contestant.mjs').Contestant} Contestant
 */

const archetypes = 64;
/** Largest residual, relative to the largest eigenvalue, and sine of the largest angle to the true subspace. */
const allowed = { residual: 1.1e-6, angle: 1e-3 };

/**
 * The Gram matrix of the smaller side, half of it by symmetry, or three products with 64 vectors: whichever is less.
 * @param {Row} row
 * @returns {import('./summary.mjs').Work}
 */
function workOf({ memory: { count, dim }, k = 1 }) {
  const smaller = Math.min(count, dim);
  const gram = smaller * smaller * Math.max(count, dim);
  return { operations: Math.min(gram, 3 * 4 * count * dim * k), exps: 0, bytes: 4 * count * dim };
}

/** What a judge said of an answer. */
function judgement(/** @type {ArrayLike<number>} */ output) {
  const [residual = NaN, angle = NaN, ...values] = Array.from(output);
  return { residual, angle, values, counts: residual <= allowed.residual && angle <= allowed.angle };
}

const described = (/** @type {ReturnType<typeof judgement>} */ { residual, angle, counts }) =>
  `residual ${residual.toExponential(1)}, angle ${angle.toExponential(1)}${counts ? '' : ': DOES NOT COUNT'}`;

async function judgedBy(/** @type {Contestant} */ contestant) {
  const answer = await contestant.answer(0);
  return judgement('output' in answer ? answer.output : []);
}

/** @returns {Promise<Setting>} */
async function findEigenpairs(/** @type {Row} */ row, /** @type {Order} */ { threads }) {
  const { memory, k = 1, tolerance, peers: names } = row;
  const signs = new Spikes({ dim: memory.dim, archetypes, quality: 0.5, seed: 1 }).draw(memory.count);
  const task = { row, threads };
  const bytes = eigenpairs('engram, Int8', SecondMoment.from(signs, { dim: memory.dim }), task);
  const examples = Float32Array.from(signs);
  const floats = eigenpairs('engram', SecondMoment.from(examples, { dim: memory.dim }), task);
  const { eigenvalues, vectors } = await floats.find();
  const peers = await pythonContestants(
    {
      script: 'peers_spectral.py',
      arrays: { examples: [examples], values: [eigenvalues], vectors: [vectors] },
      load: { dim: memory.dim, k, tolerance },
      kind: row.kind,
      threads,
      slow: true,
    },
    [...names, 'judge'],
  );
  const judge = peers.contestants.find(({ name }) => name === 'judge');
  if (judge) {
    const ours = await judgedBy(judge);
    if (!ours.counts) throw new Error(`engram: ${described(ours)}`);
    floats.note = described(ours);
  }
  const others = peers.contestants.filter((contestant) => contestant !== judge);
  for (const other of others) other.note = described(await judgedBy(other));
  const { judge: _version, ...versions } = peers.versions;
  const { judge: _reason, ...absent } = peers.absent;
  return {
    ...peers,
    contestants: [floats, bytes, ...others],
    versions,
    absent,
    batches: 1,
    parameters: {},
    compared: false,
    work: () => workOf(row),
  };
}

/** Messages of clients with 80 examples each, as files. */
async function writeMessages(/** @type {Row} */ { memory: { count, dim }, k }, /** @type {string} */ folder) {
  const spikes = new Spikes({ dim, archetypes: 8, quality: 0.5, seed: 1 });
  const files = [];
  for (let c = 0; c < count; c++) {
    const options = { dim, rank: k, allowLeak: true, client: `${c}` };
    const operator = await HebbianOperator.fromExamples(spikes.draw(80), options);
    files.push(path.join(folder, `${c}.safetensors`));
    writeFileSync(files[c] ?? '', operator.toBytes());
  }
  return files;
}

/**
 * The one contestant of a merge, and what ends it.
 * @returns {Promise<{ contestant: Contestant, end: () => void }>}
 */
export async function mergeContestant(/** @type {Row} */ row, /** @type {Order} */ { threads }) {
  configure({ threads });
  const folder = mkdtempSync(existsSync('/dev/shm') ? '/dev/shm/engram-bench-' : path.join(tmpdir(), 'engram-bench-'));
  const end = () => rmSync(folder, { recursive: true, force: true });
  try {
    return { contestant: merging(await writeMessages(row, folder), { row, threads }), end };
  } catch (error) {
    end();
    throw error;
  }
}

/** @type {import('./row.mjs').Prepare} */
export async function spectral(row, order) {
  configure({ threads: order.threads });
  if (row.kind === 'eigenpairs') return findEigenpairs(row, order);
  const { contestant, end } = await mergeContestant(row, order);
  const { count, dim } = row.memory;
  const rank = row.k ?? 1;
  return {
    contestants: [{ ...contestant, slow: true }],
    absent: {},
    versions: {},
    end,
    batches: 1,
    parameters: {},
    compared: false,
    // Each message orthogonalised against a sketch of its size, and read once.
    work: () => ({ operations: 6 * count * dim * rank * rank, exps: 0, bytes: 4 * count * dim * rank }),
  };
}
