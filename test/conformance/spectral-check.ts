/** Runs one case of operators and compares it with Float64 arithmetic by plain loops. */
import { FederatedMemory, HebbianOperator, SecondMoment, topEigenpairs } from '../support/engram.js';
import { federation } from '../support/federation.js';
import { gaussian, misaligned, seeded } from '../support/random.js';
import { eigen, secondMoment } from '../support/symmetric.js';
import type { Findings } from './check.js';
import type { SpectralCase } from './spectral-cases.js';

/** Rounding of Float32 products, relative to the largest eigenvalue. */
const ROUNDING = 2e-6;

function examplesOf({ rows, dim, element, offset }: SpectralCase): Float32Array | Int8Array {
  const random = seeded(1000 * rows + dim);
  if (element === 'float32') return misaligned(gaussian(random, rows, dim), offset);
  const signs = Int8Array.from({ length: rows * dim + offset }, () => (random.uniform() < 0.5 ? -1 : 1));
  return signs.subarray(offset);
}

export async function checkSpectral(c: SpectralCase): Promise<Findings> {
  switch (c.operation) {
    case 'apply':
      return checkApply(c);
    case 'encode':
      return checkEncode(c);
    case 'eigenpairs':
      return checkEigenpairs(c);
    case 'recall':
      return checkRecall(c);
  }
}

const finding = (what: string, actual: number, expected: number, allowed: number): string[] =>
  Math.abs(actual - expected) <= allowed ? [] : [`${what} is ${actual}, expected ${expected} +- ${allowed}`];

async function checkApply(c: SpectralCase): Promise<Findings> {
  const { dim, columns, rows } = c;
  const examples = examplesOf(c);
  const matrix = secondMoment(examples, dim, 1 / rows);
  const block = misaligned(gaussian(seeded(7), dim, columns), c.offset);
  const product = await SecondMoment.from(examples, { dim }).apply(block, columns);
  const allowed = ROUNDING * eigen(matrix).values[0]! * Math.sqrt(dim) * 4;
  return matrix.flatMap((row, i) =>
    Array.from({ length: columns }, (_, k) => k).flatMap((k) => {
      const exact = row.reduce((sum, entry, j) => sum + entry * block[j * columns + k]!, 0);
      return finding(`entry ${i}, ${k}`, product[i * columns + k]!, exact, allowed);
    }),
  );
}

/** |A v - lambda v| in Float64. */
function residual(matrix: readonly (readonly number[])[], vector: Float32Array, value: number): number {
  return Math.hypot(...matrix.map((row, i) => row.reduce((sum, entry, j) => sum + entry * vector[j]!, -value * vector[i]!)));
}

function checkPairs(matrix: readonly (readonly number[])[], values: Float64Array, vectors: Float32Array): string[] {
  const { values: exact } = eigen(matrix);
  const dim = matrix.length;
  const allowed = 8 * ROUNDING * exact[0]!;
  return [...values].flatMap((value, k) => [
    ...finding(`eigenvalue ${k}`, value, exact[k]!, allowed),
    ...finding(`residual ${k}`, residual(matrix, vectors.subarray(k * dim, (k + 1) * dim), value), 0, allowed),
  ]);
}

async function checkEncode(c: SpectralCase): Promise<Findings> {
  const { dim, rows } = c;
  const examples = examplesOf(c);
  const rank = Math.min(5, rows - 1, dim);
  const message = await HebbianOperator.fromExamples(examples, { dim, rank, allowLeak: true });
  const matrix = secondMoment(examples, dim, 1 / rows);
  const trace = matrix.reduce((sum, row, i) => sum + row[i]!, 0);
  return [
    ...finding('trace', message.trace, trace, 1e-9 * trace),
    ...finding('rank', message.rank, Math.min(rank, eigen(matrix).values.filter((x) => x > 1e-7 * trace).length), 0),
    ...checkPairs(matrix, message.eigenvalues, message.factor),
  ];
}

async function checkEigenpairs(c: SpectralCase): Promise<Findings> {
  const { dim, rows } = c;
  const examples = examplesOf(c);
  const k = Math.min(4, dim);
  const { eigenvalues, vectors, converged } = await topEigenpairs(SecondMoment.from(examples, { dim, scale: 1 / rows }), { k });
  const matrix = secondMoment(examples, dim, 1 / rows);
  return [...(converged ? [] : ['has not converged']), ...checkPairs(matrix, eigenvalues, vectors)];
}

/** One synchronous update from each cue by the Hebbian field, in whole numbers. */
function updated(archetypes: Int8Array, cue: Float32Array, dim: number): number[] {
  const field = new Array<number>(dim).fill(0);
  for (let at = 0; at < archetypes.length; at += dim) {
    let overlap = 0;
    for (let n = 0; n < dim; ++n) overlap += archetypes[at + n]! * cue[n]!;
    for (let n = 0; n < dim; ++n) field[n]! += overlap * archetypes[at + n]!;
  }
  return field.map((h, n) => Math.sign(h) || Math.sign(cue[n]!) || 1);
}

async function checkRecall(c: SpectralCase): Promise<Findings> {
  const dim = 64 + c.dim; // archetypes must be found first
  const world = federation(dim, 2, 3 * dim);
  using memory = new FederatedMemory({ dim });
  await memory.round([0, 1].map((k) => HebbianOperator.fromExamplesSync(world.examples(90, 0.8), { dim, client: `c${k}` })));
  if (memory.count !== 2) return [`found ${memory.count} archetypes of 2`];
  const random = seeded(5);
  const signs = Int8Array.from({ length: c.columns * dim }, () => random.below(3) - 1);
  const cues = c.element === 'int8' ? signs : misaligned(Float32Array.from(signs), c.offset);
  const { state } = await memory.retrieve(cues, { steps: 1 });
  return Array.from({ length: c.columns }, (_, q) => q).flatMap((q) => {
    const exact = updated(memory.archetypes, Float32Array.from(signs.subarray(q * dim, (q + 1) * dim)), dim);
    const wrong = exact.findIndex((sign, n) => state[q * dim + n] !== sign);
    return wrong === -1 ? [] : [`entry ${wrong} of cue ${q} is ${state[q * dim + wrong]}`];
  });
}
