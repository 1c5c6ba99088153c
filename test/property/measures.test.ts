/** What holds of divergences, energies and flows of measures whatever clouds there are. */
import { expect } from 'chai';
import fc from 'fast-check';
import { permutation } from '../support/arbitraries.js';
import { type CloudScene, cloudScenes, errorOf, memoryOf, permuted } from '../support/cloud-arbitraries.js';
import { joined, slice } from '../support/clouds.js';
import { MeasureMemory, sinkhornDivergence } from '../support/engram.js';
import { expectSameBits } from '../support/expectations.js';
import * as reference from '../support/measure-reference.js';

const SOLVERS = ['kernel', 'log', 'newton'] as const;
const PRECISIONS = ['float32', 'float64'] as const;

const pairs = ({ queryCount, count }: CloudScene): { q: number; k: number; at: number }[] =>
  Array.from({ length: queryCount * count }, (_, at) => ({ q: Math.floor(at / count), k: at % count, at }));

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

/** Steps of retrievals here: enough to see, few enough to wait for. */
const STEPS = 6;

describe('properties of measures', function () {
  this.timeout(120_000);

  it('divergences are finite, not negative, and as converged as they say', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes(), fc.constantFrom(1e-3, 1e-6, 1e-9), async (scene, tolerance) => {
        const result = await memoryOf(scene).divergence(scene.queries, { tolerance, maxIterations: 200 });
        for (const { at } of pairs(scene)) {
          expect(result.values[at]).to.be.at.least(-result.errorBound[at]! - errorOf(scene));
          expect(result.values[at]).to.be.lessThan(Infinity);
          expect(result.errorBound[at]).to.be.within(0, Infinity);
          expect(result.iterations[at]).to.be.within(0, 200);
          if (result.converged[at] === 1) expect(result.residual[at]).to.be.at.most(Math.fround(tolerance));
          else expect(result.residual[at]).to.be.at.least(Math.fround(tolerance));
        }
      }),
    );
  });

  it('divergences lie within their bounds of the reference', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes({ sharpness: [0.1, 1, 10, 1e3] }), fc.integer({ min: 1, max: 60 }), async (scene, maxIterations) => {
        const { values, errorBound } = await memoryOf(scene).divergence(scene.queries, { maxIterations });
        for (const { q, k, at } of pairs(scene)) {
          const exact = reference.divergence(reference.cloudOf(scene.queries, q), reference.cloudOf(scene.stored, k), scene);
          expect(Math.abs(values[at]! - exact)).to.be.at.most(errorBound[at]! + errorOf(scene));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('every solver and precision finds the same divergences', async () => {
    await fc.assert(
      fc.asyncProperty(
        cloudScenes(),
        fc.constantFrom(...SOLVERS),
        fc.constantFrom(...PRECISIONS),
        async (scene, solver, precision) => {
          const memory = memoryOf(scene);
          const usual = await memory.divergence(scene.queries);
          const other = await memory.divergence(scene.queries, { solver, precision });
          for (const { at } of pairs(scene)) {
            const allowed = usual.errorBound[at]! + other.errorBound[at]! + errorOf(scene);
            expect(Math.abs(usual.values[at]! - other.values[at]!)).to.be.at.most(allowed);
          }
        },
      ),
    );
  });

  it('a divergence is symmetric', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes(), async (scene) => {
        const there = await sinkhornDivergence(scene.queries, scene.stored, scene);
        const back = await sinkhornDivergence(scene.stored, scene.queries, scene);
        for (const { q, k, at } of pairs(scene)) {
          const mirrored = k * scene.queryCount + q;
          const allowed = there.errorBound[at]! + back.errorBound[mirrored]! + errorOf(scene);
          expect(Math.abs(there.values[at]! - back.values[mirrored]!)).to.be.at.most(allowed);
        }
      }),
    );
  });

  it('a cloud in another order is the same cloud', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes(), async (scene) => {
        const shuffled = permuted(scene.stored, scene.seed);
        const { values, errorBound, rows } = await memoryOf(scene).divergence(shuffled);
        for (let k = 0; k < rows; ++k) {
          const at = k * rows + k;
          expect(Math.abs(values[at]!)).to.be.at.most(errorBound[at]! + errorOf(scene));
        }
        const plain = await memoryOf(scene).divergence(scene.queries);
        const other = await memoryOf({ ...scene, stored: shuffled }).divergence(permuted(scene.queries, scene.seed + 1));
        for (const { at } of pairs(scene)) {
          const allowed = plain.errorBound[at]! + other.errorBound[at]! + errorOf(scene);
          expect(Math.abs(plain.values[at]! - other.values[at]!)).to.be.at.most(allowed);
        }
      }),
    );
  });

  it('stored clouds in another order give the same bits in another order', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes(), async (scene) => {
        const order = permutation(scene.count, scene.seed);
        const stored = joined(order.map((k) => slice(scene.stored, k, k + 1)));
        const plain = await memoryOf(scene).divergence(scene.queries);
        const other = await memoryOf({ ...scene, stored }).divergence(scene.queries);
        for (const { q, k, at } of pairs(scene)) {
          expect(other.values[at]).to.equal(plain.values[q * scene.count + order[k]!]);
        }
      }),
    );
  });

  it('distances twice as long at four times the epsilon are divergences four times as large', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes(), async (scene) => {
        const doubled = (clouds: CloudScene['stored']) => ({ ...clouds, points: clouds.points.map((x) => 2 * x) });
        const plain = await sinkhornDivergence(scene.queries, scene.stored, scene);
        const large = { ...scene, epsilon: 4 * scene.epsilon };
        const other = await sinkhornDivergence(doubled(scene.queries), doubled(scene.stored), large);
        for (const { at } of pairs(scene)) {
          const allowed = 4 * plain.errorBound[at]! + other.errorBound[at]! + 8 * errorOf(scene);
          expect(Math.abs(other.values[at]! - 4 * plain.values[at]!)).to.be.at.most(allowed);
        }
      }),
    );
  });

  it('the energy is the soft minimum of the divergences', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes(), async (scene) => {
        const memory = memoryOf(scene);
        const { values, errorBound } = await memory.divergence(scene.queries);
        const energy = await memory.energy(scene.queries, { beta: scene.beta });
        for (let q = 0; q < scene.queryCount; ++q) {
          const row = [...values.subarray(q * scene.count, (q + 1) * scene.count)];
          const least = Math.min(...row);
          const soft = least - Math.log(sum(row.map((s) => Math.exp(-scene.beta * (s - least))))) / scene.beta;
          const bound = Math.max(...errorBound.subarray(q * scene.count, (q + 1) * scene.count));
          expect(Math.abs(energy[q]! - soft)).to.be.at.most(2 * bound + errorOf(scene) + 1e-14 / scene.beta);
        }
      }),
    );
  });

  it('flows keep the mass, never raise the energy and end where they say', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes(), async (scene) => {
        const memory = memoryOf(scene);
        const result = await memory.retrieve(scene.queries, { beta: scene.beta, steps: STEPS, trace: true });
        expectSameBits(result.clouds.offsets, scene.queries.offsets, 'offsets');
        for (let q = 0; q < scene.queryCount; ++q) {
          const { weights } = slice(result.clouds, q, q + 1);
          const before = slice(scene.queries, q, q + 1).weights;
          expect(sum(weights)).to.be.closeTo(1, 1e-6);
          weights.forEach((weight, i) => {
            expect(weight).to.be.within(0, 1 + 1e-6);
            if (before[i] === 0) expect(weight).to.equal(0);
          });
          const { energy } = result.trace![q]!;
          expect(energy).to.have.lengthOf(result.steps[q]! + 1);
          energy.forEach((value, t) => expect(t === 0 || value <= energy[t - 1]!).to.equal(true));
          expect(result.steps[q]).to.be.within(0, STEPS);
          const gibbs = result.weights.subarray(q * scene.count, (q + 1) * scene.count);
          expect(sum(gibbs)).to.be.closeTo(1, 1e-9);
          // Without a prior, the nearest cloud is the likeliest.
          expect(gibbs[result.index[q]!]).to.equal(Math.max(...gibbs));
        }
        expect([...result.clouds.points].every(Number.isFinite)).to.equal(true);
      }),
    );
  });

  it('one given step is that of the reference', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes({ sharpness: [0.1, 1, 10], scale: [1], kinds: ['plain', 'equal', 'massless'] }), async (scene) => {
        const stepSize = { points: 0.4 / (2 * scene.costScale), weights: 0.5 / scene.size };
        const options = { beta: scene.beta, steps: 1, stepSize, flowTolerance: 0, prune: 0, tolerance: 1e-12, maxIterations: 10_000 };
        const { clouds } = await memoryOf(scene).retrieve(scene.queries, options);
        const stored = Array.from({ length: scene.count }, (_, k) => reference.cloudOf(scene.stored, k));
        for (let q = 0; q < scene.queryCount; ++q) {
          const cue = reference.cloudOf(scene.queries, q);
          const field = reference.field(cue, stored, scene.beta, scene);
          const expected = reference.step(cue, field, stepSize.points, stepSize.weights);
          const found = slice(clouds, q, q + 1);
          // The answer is rounded to Float32; beta times an error of the divergences moves the Gibbs weights.
          const length = Math.sqrt(scene.size / scene.costScale);
          const allowed = 1e-6 * (length + Math.max(...expected.points.flat().map(Math.abs)));
          expected.points.flat().forEach((x, at) => expect(found.points[at]).to.be.closeTo(x, allowed));
          expected.weights.forEach((weight, i) => expect(found.weights[i]).to.be.closeTo(weight, 1e-6));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('skipping far clouds changes the work, not the answer', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes({ count: 12 }), async (scene) => {
        const memory = memoryOf(scene);
        const options = { beta: scene.beta, stepSize: { points: 0.5 / (2 * scene.costScale), weights: 0.3 / scene.size }, steps: 3 };
        const all = await memory.retrieve(scene.queries, { ...options, prune: 0 });
        const few = await memory.retrieve(scene.queries, { ...options, prune: 1e-12 });
        expect(all.work.pairsPruned).to.equal(0);
        expect(few.work.pairsEvaluated + few.work.pairsPruned).to.equal(all.work.pairsEvaluated);
        const length = Math.sqrt(scene.size / scene.costScale);
        all.clouds.points.forEach((x, at) => {
          // Problems are solved to 1e-6: so far may a barycentre go.
          expect(few.clouds.points[at]).to.be.closeTo(x, 1e-4 * length + 2 ** -22 * Math.abs(x));
        });
      }),
    );
  });

  it('the same bits come back on 1 to 4 threads, and again', async () => {
    await fc.assert(
      fc.asyncProperty(cloudScenes({ count: 12 }), async (scene) => {
        const options = { beta: scene.beta, steps: 3, trace: true };
        const first = memoryOf(scene).retrieveSync(scene.queries, { ...options, threads: 1 });
        const divergence = memoryOf(scene).divergenceSync(scene.queries, { threads: 1 });
        for (const threads of [1, 2, 3, 4]) {
          const memory: MeasureMemory = memoryOf(scene);
          expect(await memory.divergence(scene.queries, { threads })).to.deep.equal(divergence);
          expect(await memory.retrieve(scene.queries, { ...options, threads })).to.deep.equal(first);
        }
      }),
      { numRuns: 40 },
    );
  });
});
