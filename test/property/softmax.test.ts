/** What holds of softmax retrieval, energies and associations whatever is stored and asked. */
import { expect } from 'chai';
import fc from 'fast-check';
import { DenseMemory, softmax } from '../support/engram.js';
import { scenes, permutation, reordered, type Scene } from '../support/arbitraries.js';
import { expectClose, expectSameBits } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';
import { norm, row } from '../support/reference.js';
import * as tolerance from '../support/tolerance.js';

const memoryOf = ({ stored, dim }: Scene): DenseMemory => DenseMemory.from(stored.keys, { dim });

const optionsOf = ({ beta, similarity }: Scene) => ({ separation: softmax({ beta }), similarity });

const queryOf = (scene: Scene, i: number): Float64Array => row(scene.queries, scene.dim, i);

/** Relative error of the weights of query i. */
const weightError = (scene: Scene, i: number): number =>
  tolerance.weightError(scene.stored, scene.similarity, scene.beta, queryOf(scene, i));

const readoutError = (scene: Scene, i: number): number =>
  tolerance.readoutError(scene.stored, scene.similarity, scene.beta, queryOf(scene, i), scene.stored.keys, scene.dim);

const energyError = (scene: Scene, q: Float64Array): number =>
  tolerance.energyError(scene.stored, scene.similarity, scene.beta, q);

const rows = (scene: Scene): number[] => Array.from({ length: scene.queryCount }, (_, i) => i);

describe('softmax properties', function () {
  this.timeout(60_000);

  it('associations are sorted and lie on the simplex', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), async (scene) => {
        const { offsets, indices, weights } = await memoryOf(scene).association(scene.queries, optionsOf(scene));
        expect(offsets).to.have.lengthOf(scene.queryCount + 1);
        expect(offsets[scene.queryCount]).to.equal(indices.length).and.to.equal(weights.length);
        for (const i of rows(scene)) {
          const p = weights.subarray(offsets[i], offsets[i + 1]);
          expect([...p].every((x, r) => x > 0 && (r === 0 || x <= p[r - 1]!))).to.equal(true);
          expectClose([p.reduce((sum, x) => sum + x, 0)], [1], weightError(scene, i) + scene.count * tolerance.U);
        }
      }),
    );
  });

  it('a readout lies within the range of the stored items', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), async (scene) => {
        const { patterns } = await memoryOf(scene).retrieve(scene.queries, optionsOf(scene));
        const { keys } = scene.stored;
        for (let d = 0; d < scene.dim; ++d) {
          const column = Array.from({ length: scene.count }, (_, j) => keys[j * scene.dim + d]!);
          const [low, high] = [Math.min(...column), Math.max(...column)];
          // A weighted mean in Float32: numerator and denominator are sums of `count` terms.
          const slack = 2 * (tolerance.sumError(scene.count) + 2 * tolerance.U) * Math.max(-low, high);
          for (const i of rows(scene)) {
            expect(patterns[i * scene.dim + d]).to.be.within(low - slack, high + slack);
          }
        }
      }),
    );
  });

  it('the energy never rises along the updates', async () => {
    await fc.assert(
      fc.asyncProperty(scenes({ similarities: ['euclidean', 'dot'], queries: 6 }), async (scene) => {
        const memory = memoryOf(scene);
        let before = await memory.energy(scene.queries, optionsOf(scene));
        for (const steps of [1, 2, 3, 5]) {
          const { energy, patterns } = await memory.retrieve(scene.queries, { ...optionsOf(scene), steps });
          for (const i of rows(scene)) {
            const state = row(patterns, scene.dim, i);
            const slack = energyError(scene, state) + energyError(scene, queryOf(scene, i));
            expect(energy[i]).to.be.at.most(before[i]! + 2 * slack);
          }
          before = energy;
        }
      }),
    );
  });

  it('retrieve reports the energy that energy() gives at the returned state', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), async (scene) => {
        const memory = memoryOf(scene);
        const { energy, patterns } = await memory.retrieve(scene.queries, optionsOf(scene));
        const again = await memory.energy(patterns, optionsOf(scene));
        for (const i of rows(scene)) {
          expectClose([energy[i]!], [again[i]!], 2 * energyError(scene, row(patterns, scene.dim, i)));
        }
      }),
    );
  });

  it('does not depend on the order of the stored items', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), async (scene) => {
        const order = permutation(scene.count, scene.seed);
        const shuffled = DenseMemory.from(reordered(scene.stored.keys, scene.dim, order), { dim: scene.dim });
        const plain = await memoryOf(scene).retrieve(scene.queries, optionsOf(scene));
        const other = await shuffled.retrieve(scene.queries, optionsOf(scene));
        compareQueries(scene, other.patterns, plain.patterns);
      }),
    );
  });

  it('a batch gives what separate calls give', async () => {
    await fc.assert(
      fc.asyncProperty(scenes({ queries: 40 }), async (scene) => {
        const memory = memoryOf(scene);
        const batch = await memory.retrieve(scene.queries, optionsOf(scene));
        const separate = new Float32Array(batch.patterns.length);
        for (const i of rows(scene)) {
          const query = scene.queries.subarray(i * scene.dim, (i + 1) * scene.dim);
          separate.set(memory.retrieveSync(query, optionsOf(scene)).patterns, i * scene.dim);
        }
        compareQueries(scene, separate, batch.patterns);
      }),
    );
  });

  it('values equal to the keys are read out as the keys are', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), async (scene) => {
        const { keys } = scene.stored;
        const hetero = DenseMemory.from(keys, { dim: scene.dim, values: keys, valueDim: scene.dim });
        const auto = await memoryOf(scene).retrieve(scene.queries, optionsOf(scene));
        const pair = await hetero.retrieve(scene.queries, optionsOf(scene));
        compareQueries(scene, pair.values, auto.values);
        expectSameBits(pair.patterns, scene.queries, 'state of a single hetero-associative step');
      }),
    );
  });

  it('values of one constant are returned whatever the weights', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), fc.integer({ min: 1, max: 40 }), async (scene, valueDim) => {
        const constant = gaussian(seeded(scene.seed), 1, valueDim);
        const values = reordered(constant, valueDim, new Array<number>(scene.count).fill(0));
        const memory = DenseMemory.from(scene.stored.keys, { dim: scene.dim, values, valueDim });
        const result = await memory.retrieve(scene.queries, optionsOf(scene));
        const slack = 2 * (tolerance.sumError(scene.count) + 2 * tolerance.U) * norm(constant);
        for (const i of rows(scene)) {
          expectClose(result.values.subarray(i * valueDim, (i + 1) * valueDim), constant, slack);
        }
      }),
    );
  });

  it('takes the steps it was given, fewer only when it converged', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), fc.integer({ min: 1, max: 8 }), async (scene, steps) => {
        const size = scene.stored.keys.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        const options = { ...optionsOf(scene), steps, tolerance: 1e-3 * size };
        const result = await memoryOf(scene).retrieve(scene.queries, options);
        for (const i of rows(scene)) {
          expect(result.steps[i]).to.be.within(1, steps);
          if (result.converged[i] === 0) expect(result.steps[i]).to.equal(steps);
        }
      }),
    );
  });

  it('a tolerance that any change satisfies stops after one update', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(), async (scene) => {
        const options = { ...optionsOf(scene), steps: 5, tolerance: 1e30 };
        const result = await memoryOf(scene).retrieve(scene.queries, options);
        expect([...result.steps].every((steps) => steps === 1)).to.equal(true);
        expect([...result.converged].every((converged) => converged === 1)).to.equal(true);
      }),
    );
  });

  it('a single stored item is recalled whatever the query', async () => {
    await fc.assert(
      fc.asyncProperty(scenes({ count: 1 }), async (scene) => {
        const { patterns } = await memoryOf(scene).retrieve(scene.queries, optionsOf(scene));
        const { keys } = scene.stored;
        // One weight of exactly 1 after normalisation: two roundings.
        for (const i of rows(scene)) {
          const found = patterns.subarray(i * scene.dim, (i + 1) * scene.dim);
          expectClose(found, keys, 4 * tolerance.U * norm(keys));
        }
      }),
    );
  });
});

/** Two computations of the same readouts agree within twice the error of one. */
function compareQueries(scene: Scene, actual: Float32Array, expected: Float32Array): void {
  for (const i of rows(scene)) {
    const slice = (from: Float32Array) => from.subarray(i * scene.dim, (i + 1) * scene.dim);
    expectClose(slice(actual), slice(expected), 2 * readoutError(scene, i), `query ${i}`);
  }
}
