/** Runs one conformance case of measures and compares what came back with the Float64 reference. */
import { type Divergence, MeasureMemory } from '../support/engram.js';
import * as reference from '../support/measure-reference.js';
import { U } from '../support/tolerance.js';
import type { Findings } from './check.js';
import { type CloudMaterial, materialiseClouds, type MeasureCase } from './measure-cases.js';

/** Transport problems are solved to this L1 residual. */
const TOLERANCE = 1e-9;

/** Of sums in Float64, relative to the largest cost. */
const ROUNDING = 1e-11;

interface Run {
  readonly c: MeasureCase;
  readonly memory: MeasureMemory;
  readonly material: CloudMaterial;
  readonly stored: readonly reference.Cloud[];
  readonly queries: readonly reference.Cloud[];
  /** The largest cost between points: errors are relative to it. */
  readonly size: number;
  readonly findings: Findings;
}

/** Runs the case on the device, asynchronously and synchronously. */
export async function checkMeasures(c: MeasureCase, device: string): Promise<Findings> {
  const material = materialiseClouds(c);
  const memory = MeasureMemory.from(material.stored, { dim: c.dim, device, ...material.transport });
  try {
    const stored = Array.from({ length: c.count }, (_, k) => reference.cloudOf(material.stored, k));
    const queries = Array.from({ length: c.queries }, (_, q) => reference.cloudOf(material.queries, q));
    const size = largestCost([...stored, ...queries], material.transport);
    const run: Run = { c, memory, material, stored, queries, size, findings: [] };
    await CHECKS[c.operation](run);
    return run.findings;
  } finally {
    memory.dispose();
  }
}

const CHECKS: Record<MeasureCase['operation'], (run: Run) => Promise<void>> = {
  divergence: checkDivergence,
  energy: checkEnergy,
  flow: checkFlow,
};

function largestCost(clouds: readonly reference.Cloud[], transport: reference.Transport): number {
  const points = clouds.flatMap((cloud) => cloud.points);
  const centre = points[0]!;
  // No two points are further apart than twice the furthest from any one of them.
  return 4 * Math.max(transport.epsilon / 4, ...points.map((point) => reference.cost(point, centre, transport)));
}

/** Adds a finding unless the number lies as near the expected one as allowed. */
function compare({ findings }: Run, what: string, actual: number, expected: number, allowed: number): void {
  // Written so that NaN is a finding.
  if (Math.abs(actual - expected) <= allowed) return;
  findings.push(`${what} is ${actual}, expected ${expected} +- ${allowed}`);
}

/** Asynchronous and synchronous calls do the same work: their bits are the same. */
function compareTwin(run: Run, what: string, twin: ArrayLike<number>, expected: ArrayLike<number>): void {
  Array.from(expected).forEach((value, i) => compare(run, `${what}[${i}] of the Sync twin`, twin[i]!, value, 0));
}

const optionsOf = ({ c }: Run) =>
  ({ solver: c.solver, precision: c.precision, tolerance: TOLERANCE, maxIterations: 10_000 }) as const;

async function checkDivergence(run: Run): Promise<void> {
  const { memory, material, stored, queries, findings } = run;
  const result: Divergence = await memory.divergence(material.queries, optionsOf(run));
  const twin = memory.divergenceSync(material.queries, optionsOf(run));
  compareTwin(run, 'values', twin.values, result.values);
  compareTwin(run, 'iterations', twin.iterations, result.iterations);
  queries.forEach((query, q) => {
    stored.forEach((cloud, k) => {
      const pair = q * result.columns + k;
      const exact = reference.divergence(query, cloud, material.transport);
      const bound = result.errorBound[pair]!;
      compare(run, `divergence ${q},${k}`, result.values[pair]!, exact, bound + ROUNDING * run.size);
      // The residual is known to 1e-9, so no bound needs to be larger than that many costs.
      compare(run, `bound ${q},${k}`, bound, 0, 10 * TOLERANCE * run.size);
      if (result.converged[pair] !== 1) findings.push(`divergence ${q},${k} has not converged`);
    });
  });
}

async function checkEnergy(run: Run): Promise<void> {
  const { memory, material, stored, queries } = run;
  const options = { beta: material.beta, ...optionsOf(run) };
  const result = await memory.energy(material.queries, options);
  compareTwin(run, 'energy', memory.energySync(material.queries, options), result);
  queries.forEach((query, q) => {
    const { energy } = reference.field(query, stored, material.beta, material.transport);
    compare(run, `energy ${q}`, result[q]!, energy, 10 * TOLERANCE * run.size);
  });
}

/** One step as given, which is known to the rounding of its answer to Float32. */
async function checkFlow(run: Run): Promise<void> {
  const { c, memory, material, stored, queries, size } = run;
  const { beta, transport } = material;
  const stepSize = { points: 0.3 / transport.costScale, weights: 0.5 * beta };
  const options = { beta, steps: 1, stepSize, flowTolerance: 0, prune: 0, ...optionsOf(run) };
  const { clouds, energy } = await memory.retrieve(material.queries, options);
  const twin = memory.retrieveSync(material.queries, options);
  compareTwin(run, 'points', twin.clouds.points, clouds.points);
  compareTwin(run, 'weights', twin.clouds.weights, clouds.weights);
  queries.forEach((query, q) => {
    const field = reference.field(query, stored, beta, transport);
    const expected = reference.step(query, field, stepSize.points, stepSize.weights);
    const first = clouds.offsets[q]!;
    const length = Math.sqrt(size / transport.costScale);
    expected.points.flat().forEach((x, e) => {
      compare(run, `point coordinate ${e} of query ${q}`, clouds.points[first * c.dim + e]!, x, U * Math.abs(x) + 1e-6 * length);
    });
    expected.weights.forEach((weight, i) => {
      compare(run, `weight ${i} of query ${q}`, clouds.weights[first + i]!, weight, 1e-6);
    });
    const after = reference.field(expected, stored, beta, transport).energy;
    compare(run, `energy ${q} after the step`, energy[q]!, after, 10 * TOLERANCE * size);
  });
}
