/** Runs one conformance case and compares what came back with the Float64 reference. */
import { softmax, DenseMemory, EngramError } from '../support/engram.js';
import * as reference from '../support/reference.js';
import * as tolerance from '../support/tolerance.js';
import { materialise, type ConformanceCase, type Material } from './cases.js';

/** Everything found wrong; empty when the case conforms. */
export type Findings = string[];

/** At most this many queries of a batch are compared: the reference is slow, kernels are uniform. */
const COMPARED_QUERIES = 12;

/** Builds the memory of a case on a device, piece by piece. */
export function build(c: ConformanceCase, material: Material, device: string): DenseMemory {
  const [first, ...others] = material.pieces;
  const values = first!.values === undefined ? {} : { values: first!.values, valueDim: c.valueDim };
  const memory = DenseMemory.from(first!.keys, { dim: c.dim, device, ...values });
  for (const piece of others) {
    memory.store(piece.keys, piece.values === undefined ? {} : { values: piece.values });
  }
  if (material.removed.length > 0) memory.remove(material.removed);
  return memory;
}

/** Runs the case on the device, asynchronously and synchronously. */
export async function check(c: ConformanceCase, device: string): Promise<Findings> {
  const material = materialise(c);
  const memory = build(c, material, device);
  try {
    const run = { c, memory, material, findings: [] as Findings };
    await CHECKS[c.operation](run);
    return run.findings;
  } finally {
    memory.dispose();
  }
}

interface Run {
  readonly c: ConformanceCase;
  readonly memory: DenseMemory;
  readonly material: Material;
  readonly findings: Findings;
}

const CHECKS: Record<ConformanceCase['operation'], (run: Run) => Promise<void>> = {
  retrieve: checkRetrieve,
  search: checkSearch,
  energy: checkEnergy,
  association: checkAssociation,
  calibrate: checkCalibrate,
};

/** Rows to compare: the first, the last, and others spread between. */
function comparedRows(queries: number): number[] {
  const compared = Math.min(queries, COMPARED_QUERIES);
  const rows = Array.from({ length: compared }, (_, r) =>
    Math.round((r * (queries - 1)) / Math.max(1, compared - 1)),
  );
  return [...new Set(rows)];
}

const query = ({ c, material }: Run, i: number): Float64Array =>
  reference.row(material.queries, c.dim, i);

/** Adds a finding when any element lies further from the expected one than allowed. */
function compare(
  run: Run,
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  allowed: number,
): void {
  for (let d = 0; d < expected.length; ++d) {
    // Written so that NaN is a finding.
    if (Math.abs(actual[d]! - expected[d]!) <= allowed) continue;
    run.findings.push(`${what}[${d}] is ${actual[d]}, expected ${expected[d]} +- ${allowed}`);
    return;
  }
}

/** Asynchronous and synchronous calls plan the same work: their bits are the same. */
function compareTwin(run: Run, what: string, twin: ArrayLike<number>, expected: ArrayLike<number>): void {
  compare(run, `${what} of the Sync twin`, twin, expected, 0);
}

type Retrieval = Awaited<ReturnType<DenseMemory['retrieve']>>;

/**
 * Iterated retrieval is compared update by update: the same call with fewer steps gives the state that an
 * update started from, bit by bit, so errors do not add up along the path.
 */
async function checkRetrieve(run: Run): Promise<void> {
  const { c, memory, material } = run;
  const options = {
    separation: softmax({ beta: material.beta }),
    similarity: c.similarity,
    tolerance: c.tolerance,
  };
  const results: Retrieval[] = [];
  for (let steps = 1; steps <= c.steps; ++steps) {
    results.push(await memory.retrieve(material.queries, { ...options, steps }));
  }
  const last = results.at(-1)!;
  const twin = memory.retrieveSync(material.queries, { ...options, steps: c.steps });
  compareTwin(run, 'values', twin.values, last.values);
  compareTwin(run, 'energy', twin.energy, last.energy);
  for (const i of comparedRows(c.queries)) compareRecall(run, results, i);
}

function compareRecall(run: Run, results: readonly Retrieval[], i: number): void {
  const { c, material } = run;
  const { stored, beta } = material;
  const last = results.at(-1)!;
  const states = results.map(({ patterns }) => patterns.slice(i * c.dim, (i + 1) * c.dim));
  const final = states.at(-1)!;
  // The last update of a hetero-associative memory reads values: its first call left the state as it was.
  const hetero = stored.values !== undefined;
  const path = hetero ? states : [material.queries.slice(i * c.dim, (i + 1) * c.dim), ...states];
  const updates = last.steps[i]! - (hetero ? 1 : 0);
  for (let t = 0; t < updates; ++t) {
    compareReadout(run, `query ${i} update ${t + 1}`, path[t + 1]!, path[t]!, stored.keys, c.dim);
  }
  if (stored.values !== undefined) {
    const values = last.values.slice(i * c.valueDim, (i + 1) * c.valueDim);
    compareReadout(run, `query ${i} values`, values, final, stored.values, c.valueDim);
  }
  const energy = reference.energy(stored, c.similarity, beta, final);
  const allowed = tolerance.energyError(stored, c.similarity, beta, final);
  compare(run, `query ${i} energy`, [last.energy[i]!], [energy], allowed);
  compareStop(run, i, path.slice(0, updates + 1), last);
}

/** One readout over `matrix`, which started from the state `from`. */
function compareReadout(
  run: Run,
  what: string,
  actual: Float32Array,
  from: Float32Array,
  matrix: ArrayLike<number>,
  width: number,
): void {
  const { stored, beta } = run.material;
  const kind = run.c.similarity;
  const expected = reference.readout(reference.weights(stored, kind, beta, from), matrix, width);
  compare(run, what, actual, expected, tolerance.readoutError(stored, kind, beta, from, matrix, width));
}

/** A query stops at the first change within the tolerance, and only there. The states are exact here. */
function compareStop(run: Run, i: number, path: readonly Float32Array[], last: Retrieval): void {
  const { c, material, findings } = run;
  const settled = path.slice(1).map((state, t) => {
    return Math.fround(reference.largestChange(path[t]!, state)) <= Math.fround(c.tolerance);
  });
  const converged = settled.at(-1) ?? false;
  if (settled.slice(0, -1).includes(true)) findings.push(`query ${i} went on after it had settled`);
  if (converged !== (last.converged[i] === 1)) findings.push(`query ${i} converged is ${!converged}`);
  const most = c.steps - (material.stored.values === undefined ? 0 : 1);
  if (!converged && settled.length < most) findings.push(`query ${i} stopped after ${settled.length} updates`);
}

async function checkSearch(run: Run): Promise<void> {
  const { c, memory, material } = run;
  const options = { k: c.k, similarity: c.similarity };
  const result = await memory.search(material.queries, options);
  const twin = memory.searchSync(material.queries, options);
  compareTwin(run, 'indices', twin.indices, result.indices);
  compareTwin(run, 'scores', twin.scores, result.scores);
  const k = Math.min(c.k, reference.liveItems(material.stored).length);
  if (result.k !== k) run.findings.push(`k is ${result.k}, expected ${k}`);
  for (const i of comparedRows(c.queries)) {
    compareRanking(run, i, {
      indices: [...result.indices.subarray(i * k, (i + 1) * k)],
      scores: [...result.scores.subarray(i * k, (i + 1) * k)],
    });
  }
}

function compareRanking(run: Run, i: number, found: reference.Ranking): void {
  const { c, material } = run;
  const q = query(run, i);
  const all = reference.scores(material.stored, c.similarity, q);
  const expected = reference.best(all, c.k);
  const exact = c.data === 'integers' && c.similarity !== 'cosine';
  if (exact) {
    compare(run, `query ${i} indices`, found.indices, expected.indices, 0);
    compare(run, `query ${i} scores`, found.scores, expected.scores, 0);
    return;
  }
  // Items are chosen by Float32 scores: one may stand in for another within their error.
  const chosen = 2 * tolerance.scoreError(material.stored, c.similarity, q);
  found.indices.forEach((item, r) => {
    const own = all[item]!;
    if (!(own >= expected.scores[r]! - chosen)) {
      run.findings.push(`query ${i} rank ${r} is item ${item} with ${own}, best has ${expected.scores[r]}`);
    }
    // Reported scores are computed in Float64 and rounded once; the cosine's unit query was rounded too.
    const rounding = tolerance.U * (Math.abs(own) + (c.similarity === 'cosine' ? 2 : 0));
    compare(run, `query ${i} score of rank ${r}`, [found.scores[r]!], [own], rounding);
    if (r > 0 && !follows(found, r)) run.findings.push(`query ${i} ranks ${r - 1} and ${r} are out of order`);
  });
  if (new Set(found.indices).size !== found.indices.length) {
    run.findings.push(`query ${i} has an item twice`);
  }
}

const follows = ({ indices, scores }: reference.Ranking, r: number): boolean =>
  scores[r]! < scores[r - 1]! || (scores[r] === scores[r - 1] && indices[r]! > indices[r - 1]!);

async function checkEnergy(run: Run): Promise<void> {
  const { c, memory, material } = run;
  const options = { separation: softmax({ beta: material.beta }), similarity: c.similarity };
  const result = await memory.energy(material.queries, options);
  compareTwin(run, 'energy', memory.energySync(material.queries, options), result);
  for (const i of comparedRows(c.queries)) {
    const q = query(run, i);
    const expected = reference.energy(material.stored, c.similarity, material.beta, q);
    const allowed = tolerance.energyError(material.stored, c.similarity, material.beta, q);
    compare(run, `query ${i} energy`, [result[i]!], [expected], allowed);
  }
}

async function checkAssociation(run: Run): Promise<void> {
  const { c, memory, material } = run;
  const options = {
    separation: softmax({ beta: material.beta }),
    similarity: c.similarity,
    ...(c.k % 2 === 0 ? { top: c.k } : {}),
  };
  const result = await memory.association(material.queries, options);
  const twin = memory.associationSync(material.queries, options);
  compareTwin(run, 'indices', twin.indices, result.indices);
  compareTwin(run, 'weights', twin.weights, result.weights);
  for (const i of comparedRows(c.queries)) {
    const range = [result.offsets[i]!, result.offsets[i + 1]!] as const;
    const indices = [...result.indices.subarray(...range)];
    compareWeights(run, i, { indices, scores: [...result.weights.subarray(...range)] }, options.top);
  }
}

/** Smallest normal Float32: what the support of a softmax ends at. */
const SUPPORT = 2 ** -126;

function compareWeights(run: Run, i: number, found: reference.Ranking, top: number | undefined): void {
  const { c, material } = run;
  const q = query(run, i);
  const p = reference.weights(material.stored, c.similarity, material.beta, q);
  const relative = tolerance.weightError(material.stored, c.similarity, material.beta, q) + 2 * tolerance.U;
  const expected = reference.best(p, Math.min(top ?? Infinity, reference.liveItems(material.stored).length));
  found.indices.forEach((item, r) => {
    compare(run, `query ${i} weight of item ${item}`, [found.scores[r]!], [p[item]!], relative * p[item]! + SUPPORT);
    if (r > 0 && found.scores[r]! > found.scores[r - 1]!) run.findings.push(`query ${i} row is not sorted`);
  });
  if (top !== undefined && found.indices.length !== expected.indices.length) {
    run.findings.push(`query ${i} has ${found.indices.length} items, expected ${expected.indices.length}`);
  }
  // What was left out weighs no more than what was taken, or than the support's limit.
  const least = top === undefined ? SUPPORT : expected.scores.at(-1)!;
  const taken = new Set(found.indices);
  p.forEach((weight, item) => {
    if (taken.has(item) || weight <= least * (1 + 2 * relative)) return;
    run.findings.push(`query ${i} lacks item ${item} of weight ${weight}`);
  });
}

/** Calibration knows beta to 0.2 %; scores in Float32 move it by as much again at these sizes. */
const BETA_ERROR = 0.004;
const RECALL = 0.9;

async function checkCalibrate(run: Run): Promise<void> {
  const { c, memory, material } = run;
  const expected = reference.calibrate(material.stored, c.similarity, RECALL);
  const options = { similarity: c.similarity, sample: c.count, recall: RECALL };
  try {
    const { beta } = await memory.calibrate(options);
    compare(run, 'beta', [beta], [expected], BETA_ERROR * expected);
    compareTwin(run, 'beta', [memory.calibrateSync(options).beta], [beta]);
  } catch (error) {
    // No item can hold its own: the reference finds none either.
    const none = error instanceof EngramError && error.code === 'ERR_ENGRAM_RANGE' && expected === undefined;
    if (!none) throw error;
  }
}
