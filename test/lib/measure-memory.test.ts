import path from 'node:path';
import { expect } from 'chai';
import { type FullClouds, joined, randomClouds, slice, waves } from '../support/clouds.js';
import { EngramError, type FlowOptions, MeasureMemory, sinkhornDivergence, sinkhornDivergenceSync } from '../support/engram.js';
import { expectClose, expectRejection, expectSameBits } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { misaligned, seeded } from '../support/random.js';

const dim = 2;
const refusal = (code: string) => (run: () => unknown) => expect(run).to.throw(EngramError).with.property('code', code);

/** The reference case: three waves, and the points of the second, displaced, with uniform weights. */
const stored = joined([waves(4, dim, 0.5), waves(5, dim, 2.5), waves(6, dim, 5.5)]);
const cue = {
  points: waves(5, dim, 2.5).points.map((x, e) => x + 0.2 * Math.sin(Math.floor(e / dim) + 1 + 2 * ((e % dim) + 1))),
};
const options = { dim, epsilon: 0.1 };
const beta = 40;
const reference = {
  energy: 0.053579159662687524,
  divergences: [0.10871708222760354, 0.0567136213113004, 0.1754267232694961],
};
/** The points are Float32 and the transport problems are solved to 1e-6: an error of some 1e-7, and room. */
const ALLOWED = 1e-6;

describe('MeasureMemory', () => {
  const memory = MeasureMemory.from(stored, options);

  describe('construction', () => {
    it('is not done with new', () => {
      const Constructor = MeasureMemory as unknown as new (...args: unknown[]) => MeasureMemory;
      for (const args of [[], [{}], [stored, options]]) refusal('ERR_ENGRAM_TYPE')(() => new Constructor(...args));
    });

    it('knows what it holds', () => {
      expect(memory).to.include({ count: 3, dim, pointCount: 15, epsilon: 0.1, costScale: 0.5, device: 'cpu' });
      expect(memory.nativeBytes).to.be.at.least(stored.points.byteLength);
      const wide = MeasureMemory.from({ points: stored.points }, { dim: 3, epsilon: 2, costScale: 1 });
      expect(wide).to.include({ count: 1, dim: 3, pointCount: 10, epsilon: 2, costScale: 1 });
    });

    it('gives stored clouds back, normalised', () => {
      const { points, weights } = memory.cloud(1);
      expectSameBits(points, waves(5, dim, 2.5).points);
      expectClose(weights, [3 / 15, 5 / 15, 2 / 15, 4 / 15, 1 / 15], 1e-7);
      points.fill(0); // a copy
      expectSameBits(memory.cloud(1).points, waves(5, dim, 2.5).points);
      const uniform = MeasureMemory.from({ points: stored.points, offsets: stored.offsets }, options);
      expectClose(uniform.cloud(0).weights, [0.25, 0.25, 0.25, 0.25], 0);
      for (const bad of [-1, 3, 0.5, NaN]) refusal('ERR_ENGRAM_RANGE')(() => memory.cloud(bad));
      refusal('ERR_ENGRAM_TYPE')(() => memory.cloud('0' as never));
    });

    it('takes epsilon relative to the mean cost of the clouds', async () => {
      // One cloud, two points of equal weight: half of the pairs coincide, half are 2 apart, of cost 3 * 4.
      const pair = { points: Float32Array.of(0, 0, 2, 0) };
      const relative = MeasureMemory.from(pair, { dim, epsilon: { relative: 0.5 }, costScale: 3 });
      expect(relative.epsilon).to.be.closeTo(0.5 * 6, 1e-12);
      const absolute = MeasureMemory.from(pair, { dim, epsilon: relative.epsilon, costScale: 3 });
      expect(await relative.divergence(cue)).to.deep.equal(await absolute.divergence(cue));
    });

    it('keeps name and metadata', () => {
      const named = MeasureMemory.from(stored, { ...options, name: 'waves', metadata: { größe: '3' } });
      expect(named.metadata).to.deep.equal({ name: 'waves', größe: '3' }).and.be.frozen;
    });
  });

  describe('divergence', () => {
    it('is that of the reference case, within its own bounds', async () => {
      const result = await memory.divergence(cue, { tolerance: 1e-9, precision: 'float64' });
      expect(result).to.include({ rows: 1, columns: 3 });
      expectClose(result.values, reference.divergences, ALLOWED);
      reference.divergences.forEach((exact, k) => {
        expect(Math.abs(result.values[k]! - exact)).to.be.at.most(result.errorBound[k]! + ALLOWED);
      });
      expect([...result.converged]).to.deep.equal([1, 1, 1]);
      expect([...result.residual].every((residual) => residual >= 0 && residual <= 1e-9)).to.equal(true);
      expect([...result.iterations].every((iterations) => iterations >= 1 && iterations <= 1000)).to.equal(true);
    });

    it('of a stored cloud to itself is 0, and comes row by row', async () => {
      const { values, rows, columns } = await memory.divergence(stored);
      expect([rows, columns]).to.deep.equal([3, 3]);
      for (let q = 0; q < 3; ++q) {
        expect(values[q * 3 + q]).to.be.closeTo(0, ALLOWED);
        for (let k = 0; k < 3; ++k) expect(values[q * 3 + k]).to.be.closeTo(values[k * 3 + q]!, ALLOWED);
      }
    });

    it('does not ask for converged problems unless told', async () => {
      const hard = { maxIterations: 1, tolerance: 1e-12, solver: 'log' } as const;
      const { converged, values, errorBound } = await memory.divergence(cue, hard);
      expect([...converged]).to.deep.equal([0, 0, 0]);
      reference.divergences.forEach((exact, k) => {
        expect(Math.abs(values[k]! - exact)).to.be.at.most(errorBound[k]! + ALLOWED);
      });
      await expectRejection(memory.divergence(cue, { ...hard, strict: true }), 'ERR_ENGRAM_NOT_CONVERGED');
      refusal('ERR_ENGRAM_NOT_CONVERGED')(() => memory.divergenceSync(cue, { ...hard, strict: true }));
    });

    for (const solver of ['auto', 'kernel', 'log', 'newton'] as const) {
      for (const precision of ['float32', 'float64'] as const) {
        it(`takes solver ${solver}, precision ${precision}`, async () => {
          const { values } = await memory.divergence(cue, { solver, precision, tolerance: 1e-8 });
          expectClose(values, reference.divergences, ALLOWED);
        });
      }
    }

    it('of two sets of clouds needs no memory', async () => {
      const queries = randomClouds(seeded(3), 4, dim, 1, 9);
      const expected = memory.divergenceSync(queries);
      expect(await sinkhornDivergence(queries, stored, options)).to.deep.equal(expected);
      expect(sinkhornDivergenceSync(queries, stored, options)).to.deep.equal(expected);
      const doubled = await sinkhornDivergence(cue, stored, { dim, epsilon: 0.2, costScale: 1 });
      expectClose(doubled.values, reference.divergences.map((value) => 2 * value), 2 * ALLOWED);
      const { epsilon } = MeasureMemory.from(stored, { dim, epsilon: { relative: 0.1 } });
      expect(await sinkhornDivergence(cue, stored, { dim, epsilon: { relative: 0.1 } })).to.deep.equal(
        await sinkhornDivergence(cue, stored, { dim, epsilon }),
      );
    });
  });

  describe('energy', () => {
    it('is that of the reference case', async () => {
      expectClose(await memory.energy(cue, { beta }), [reference.energy], ALLOWED);
      expectClose(memory.energySync(cue, { beta }), [reference.energy], ALLOWED);
    });

    it('has priors where there are any', async () => {
      const logPrior = Float32Array.of(-1, -2, 0.5);
      const tilted = MeasureMemory.from(stored, { ...options, logPrior });
      logPrior.fill(NaN); // it was copied
      const terms = reference.divergences.map((s, k) => Math.exp([-1, -2, 0.5][k]! - beta * s));
      const expected = -Math.log(terms.reduce((sum, term) => sum + term)) / beta;
      expectClose(await tilted.energy(cue, { beta }), [expected], ALLOWED);
    });
  });

  describe('retrieve', () => {
    const fixed: FlowOptions = { beta, stepSize: { points: 0.5, weights: 0.5 }, steps: 1, flowTolerance: 0, tolerance: 1e-9 };

    it('takes the step it is given', async () => {
      const { clouds, steps, energy, index, converged } = await memory.retrieve(cue, fixed);
      expectClose(clouds.weights, [0.20602880742228963, 0.21318910450427453, 0.19752633877401718, 0.20723210006154494, 0.17602364923787372], ALLOWED);
      expectClose(
        clouds.points,
        [
          -0.2391731662076033, 0.28617936402415733, 0.6495759506788257, -0.4104708076153028, -0.3659058601194638,
          -0.23257158298680497, -0.37213601276821695, 0.6218375674881986, 0.9894232778489686, 0.1436750492089791,
        ],
        ALLOWED,
      );
      expect([...clouds.offsets]).to.deep.equal([0, 5]);
      expectClose(energy, [0.012103096992057433], ALLOWED);
      expect([steps[0], index[0], converged[0]]).to.deep.equal([1, 1, 0]);
    });

    it('follows the reference flow', async () => {
      const flow: FlowOptions = { ...fixed, stepSize: { points: 1, weights: 0.3 }, steps: 60, trace: true };
      const result = await memory.retrieve(cue, flow);
      const energies = { 0: 0.0535795, 1: 0.0065798, 5: 0.0029827, 20: 0.0020731, 60: 0.0008203 };
      for (const [step, expected] of Object.entries(energies)) {
        expect(result.trace![0]!.energy[Number(step)]).to.be.closeTo(expected, 1e-6);
      }
      expectClose(result.weights, [0.14070337738, 0.85814544211, 0.00115118051], 1e-4); // beta times an error of 1e-6
      expectClose(result.divergence, [0.00464484241], ALLOWED);
      expect(result.index[0]).to.equal(1);
    });

    for (const stepSize of ['auto', 'bound'] as const) {
      it(`never raises the energy by steps of its own (${stepSize})`, async () => {
        const { trace } = await memory.retrieve(cue, { beta, steps: 20, stepSize, trace: true });
        const { energy } = trace![0]!;
        // Each energy is known to the tolerance of the transport problems only.
        for (let i = 1; i < energy.length; ++i) expect(energy[i]).to.be.at.most(energy[i - 1]! + ALLOWED);
        expect(energy.at(-1)).to.be.lessThan(energy[0]!);
      });
    }

    it('traces the path from the cue to what is recalled', async () => {
      const { clouds, trace, steps, work, energy } = await memory.retrieve(cue, { beta, steps: 20, trace: true });
      const [path] = trace!;
      const length = steps[0]! + 1;
      expect(path!.energy).to.have.lengthOf(length);
      for (const lengths of [path!.gradient, path!.stepPoints, path!.stepWeights, path!.nearest, path!.evaluated]) {
        expect(lengths).to.have.lengthOf(length);
      }
      expect(path!.points).to.have.lengthOf(length * 5 * dim);
      expect(path!.weights).to.have.lengthOf(length * 5);
      expectSameBits(path!.points.slice(0, 5 * dim), cue.points, 'the cue');
      expect([path!.stepPoints[0], path!.stepWeights[0]]).to.deep.equal([0, 0]);
      expectSameBits(path!.points.slice(-5 * dim), clouds.points, 'recalled points');
      expectSameBits(path!.weights.slice(-5), clouds.weights, 'recalled weights');
      expect(energy[0]).to.be.closeTo(path!.energy[length - 1]!, ALLOWED);
      expect(work.pairsEvaluated).to.be.at.least(3);
      expect(work.iterations).to.be.at.least(work.pairsEvaluated);
    });

    it('moves many clouds of different sizes, each as if alone', async () => {
      const queries = randomClouds(seeded(4), 6, dim, 1, 12);
      const flow = { beta: 5, steps: 8 };
      const all = await memory.retrieve(queries, flow);
      expectSameBits(all.clouds.offsets, queries.offsets, 'offsets');
      expect(all.weights).to.have.lengthOf(6 * 3);
      for (let q = 0; q < 6; ++q) {
        const one = memory.retrieveSync(slice(queries, q, q + 1), flow);
        const part = slice(all.clouds, q, q + 1);
        expectSameBits(part.points, one.clouds.points, `points of query ${q}`);
        expectSameBits(part.weights, one.clouds.weights, `weights of query ${q}`);
        expect([all.index[q], all.energy[q], all.divergence[q]]).to.deep.equal([one.index[0], one.energy[0], one.divergence[0]]);
      }
    });

    it('snaps to a stored cloud where there is no doubt', async () => {
      const apart = joined([0, 100].map((x) => ({ points: Float32Array.of(x, 0, x + 1, 0), weights: Float32Array.of(1, 3) })));
      const sure = MeasureMemory.from(apart, options);
      const near = { points: Float32Array.of(99.9, 0, 101.1, 0, 101, 0.1), weights: Float32Array.of(1, 1, 2) };
      const { clouds, index, divergence } = await sure.retrieve(near, { beta: 10, snap: true });
      expect([...clouds.points]).to.deep.equal([100, 0, 101, 0]);
      expect([...clouds.weights]).to.deep.equal([0.25, 0.75]);
      expect([index[0], [...clouds.offsets]]).to.deep.equal([1, [0, 2]]);
      expect(divergence[0]).to.be.closeTo(0, ALLOWED);
    });

    it('keeps points of no weight without weight', async () => {
      const weights = Float32Array.of(0, 1, 1, 0, 1);
      const { clouds } = await memory.retrieve({ ...cue, weights }, { beta, steps: 5 });
      expect([clouds.weights[0], clouds.weights[3]]).to.deep.equal([0, 0]);
      expect(clouds.weights.reduce((sum, weight) => sum + weight)).to.be.closeTo(1, 1e-6);
    });

    it('has a trace only where asked for', async () => {
      expect(await memory.retrieve(cue, { beta, steps: 1 })).to.not.have.property('trace');
    });
  });

  describe('calls', () => {
    const queries = randomClouds(seeded(5), 5, dim, 2, 8);

    it('synchronous and asynchronous, on one thread and on many, are the same to the last bit', async () => {
      const flow = { beta: 3, steps: 5, trace: true };
      const first = {
        divergence: memory.divergenceSync(queries),
        energy: memory.energySync(queries, { beta }),
        retrieval: memory.retrieveSync(queries, flow),
      };
      for (const threads of [1, 2, 7]) {
        for (const priority of ['interactive', 'batch'] as const) {
          const call = { threads, priority };
          expect(await memory.divergence(queries, call)).to.deep.equal(first.divergence);
          expect(await memory.energy(queries, { beta, ...call })).to.deep.equal(first.energy);
          expect(await memory.retrieve(queries, { ...flow, ...call })).to.deep.equal(first.retrieval);
        }
      }
    });

    it('tell their progress up to the end', async () => {
      const reports: { done: number; total: number }[] = [];
      const onProgress = (progress: { done: number; total: number }) => reports.push(progress);
      await memory.divergence(queries, { onProgress });
      await memory.energy(queries, { beta, onProgress });
      await memory.retrieve(queries, { beta, onProgress });
      const ends = reports.filter(({ done, total }) => done === total);
      expect(ends).to.have.lengthOf(3);
      for (const { done, total } of reports) expect(done >= 0 && done <= total && total > 0).to.equal(true);
    });
  });

  describe('ownership', () => {
    const shared = (): FullClouds => ({ ...stored, points: misaligned(stored.points, 3, SharedArrayBuffer) });
    const expected = memory.divergenceSync(cue);
    /** What a memory allocates besides its points is the same whoever owns them. */
    const own = memory.nativeBytes;

    it('auto shares shared points, and copies weights and ordinary points', () => {
      const sharing = MeasureMemory.from(shared(), options);
      expect(sharing.nativeBytes).to.be.lessThan(own);
      expect(sharing.divergenceSync(cue)).to.deep.equal(expected);
      const source = structuredClone(stored);
      const copying = MeasureMemory.from(source, options);
      for (const array of Object.values(source)) array.fill(7);
      expect(copying.divergenceSync(cue)).to.deep.equal(expected);
    });

    it('copy copies shared points too', () => {
      const source = shared();
      const copying = MeasureMemory.from(source, { ...options, ownership: 'copy' });
      source.points.fill(0);
      expect(copying.nativeBytes).to.equal(own);
      expect(copying.divergenceSync(cue)).to.deep.equal(expected);
    });

    it('transfer moves the points, whatever lies beside them', () => {
      const buffer = new ArrayBuffer(stored.points.byteLength + stored.weights.byteLength + stored.offsets.byteLength);
      const points = new Float32Array(buffer, 0, stored.points.length);
      const weights = new Float32Array(buffer, points.byteLength, stored.weights.length);
      const offsets = new Uint32Array(buffer, points.byteLength + weights.byteLength);
      points.set(stored.points);
      weights.set(stored.weights);
      offsets.set(stored.offsets);
      const moved = MeasureMemory.from({ points, weights, offsets }, { ...options, ownership: 'transfer' });
      expect([buffer.byteLength, points.length]).to.deep.equal([0, 0]);
      expect(moved.nativeBytes).to.be.lessThan(own);
      expect(moved.divergenceSync(cue)).to.deep.equal(expected);
    });

    it('share and transfer refuse what they cannot do', () => {
      expect(() => MeasureMemory.from(stored, { ...options, ownership: 'share' })).to.throw('points').with.property('code', 'ERR_ENGRAM_TYPE');
      expect(() => MeasureMemory.from(shared(), { ...options, ownership: 'transfer' })).to.throw("'share'").with.property('code', 'ERR_ENGRAM_TYPE');
      refusal('ERR_ENGRAM_RANGE')(() => MeasureMemory.from(stored, { ...options, ownership: 'steal' as never }));
    });
  });

  describe('files', () => {
    const folder = scratchFolder();

    it('are opened as they were saved', async () => {
      const file = path.join(folder, 'waves.safetensors');
      const logPrior = Float32Array.of(0, -1, 1);
      const saved = MeasureMemory.from(stored, { dim, epsilon: { relative: 0.05 }, costScale: 2, logPrior, name: 'waves' });
      await saved.save(file);
      const expected = saved.retrieveSync(cue, { beta });
      for (const opened of [await MeasureMemory.open(file, { verify: true }), MeasureMemory.openSync(file)]) {
        const { count, pointCount, epsilon, costScale, device } = saved;
        expect(opened).to.include({ count, dim, pointCount, epsilon, costScale, device });
        expect(opened.metadata).to.deep.equal({ name: 'waves' });
        expect(opened.retrieveSync(cue, { beta })).to.deep.equal(expected);
        expect(opened.cloud(2)).to.deep.equal(saved.cloud(2));
      }
      expect(MeasureMemory.openSync(file, { name: 'other' }).metadata).to.deep.equal({ name: 'other' });
    });

    it('may be saved over while open', async () => {
      const file = path.join(folder, 'again.safetensors');
      memory.saveSync(file);
      const opened = MeasureMemory.openSync(file);
      await opened.save(file);
      expect(MeasureMemory.openSync(file, { verify: true }).divergenceSync(cue)).to.deep.equal(opened.divergenceSync(cue));
    });
  });
});
