import path from 'node:path';
import { expect } from 'chai';
import { DenseMemory, EngramError, softmax } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';

/** Four corners of a square, far apart: each is its own attractor. */
const corners = Float32Array.of(0, 0, 10, 0, 0, 10, 10, 10);
const dim = 2;
const separation = softmax({ beta: 2 });
const refusal = (code: string) => (run: () => unknown) => expect(run).to.throw(EngramError).with.property('code', code);

describe('DenseMemory', () => {
  describe('construction', () => {
    it('is not done with new', () => {
      const Constructor = DenseMemory as unknown as new (...args: unknown[]) => DenseMemory;
      for (const args of [[], [{}], [corners, { dim }]]) refusal('ERR_ENGRAM_TYPE')(() => new Constructor(...args));
    });

    it('allocate gives zeros in shared, aligned memory to be filled', () => {
      const memory = DenseMemory.allocate(3, 5, { valueDim: 2 });
      expect(memory).to.include({ count: 3, liveCount: 3, dim: 5, valueDim: 2, nativeBytes: 0 });
      for (const [view, length] of [[memory.patterns, 15], [memory.values, 6]] as const) {
        expect(view.buffer).to.be.instanceOf(SharedArrayBuffer);
        expect(view.length).to.equal(length);
        expect(view.every((element) => element === 0)).to.equal(true);
      }
    });

    it('allocate refuses sizes that are none', () => {
      for (const bad of [0, -1, 1.5, NaN, Infinity, 2 ** 60]) {
        refusal('ERR_ENGRAM_RANGE')(() => DenseMemory.allocate(bad, 1));
        refusal('ERR_ENGRAM_RANGE')(() => DenseMemory.allocate(1, bad));
        refusal('ERR_ENGRAM_RANGE')(() => DenseMemory.allocate(1, 1, { valueDim: bad }));
      }
      refusal('ERR_ENGRAM_TYPE')(() => DenseMemory.allocate('1' as never, 1));
      refusal('ERR_ENGRAM_OUT_OF_MEMORY')(() => DenseMemory.allocate(2 ** 50, 2 ** 20));
    });

    it('from may begin with nothing, and be filled later', async () => {
      const memory = DenseMemory.from(new Float32Array(0), { dim });
      expect(memory.count).to.equal(0);
      await expectRejection(memory.retrieve(corners, { separation }), 'ERR_ENGRAM_SHAPE');
      await expectRejection(memory.search(corners, { k: 1 }), 'ERR_ENGRAM_SHAPE');
      await expectRejection(memory.calibrate(), 'ERR_ENGRAM_SHAPE');
      expect(memory.store(corners)).to.deep.equal({ first: 0, count: 4 });
      expect([...memory.searchSync(corners, { k: 1 }).indices]).to.deep.equal([0, 1, 2, 3]);
    });

    it('from infers the width of values, or checks it', () => {
      const values = new Float32Array(12);
      expect(DenseMemory.from(corners, { dim, values }).valueDim).to.equal(3);
      expect(DenseMemory.from(corners, { dim, values, valueDim: 3 }).valueDim).to.equal(3);
      refusal('ERR_ENGRAM_SHAPE')(() => DenseMemory.from(corners, { dim, values, valueDim: 2 }));
      refusal('ERR_ENGRAM_SHAPE')(() => DenseMemory.from(corners, { dim, values: new Float32Array(5) }));
      refusal('ERR_ENGRAM_TYPE')(() => DenseMemory.from(corners, { dim, valueDim: 3 }));
    });

    it('from refuses NaN in what it copies, and says where it is', () => {
      const bad = corners.slice();
      bad[5] = NaN;
      expect(() => DenseMemory.from(bad, { dim })).to.throw('2').with.property('code', 'ERR_ENGRAM_NONFINITE');
    });

    it('from needs a width', () => {
      for (const bad of [0, -1, 1.5]) refusal('ERR_ENGRAM_RANGE')(() => DenseMemory.from(corners, { dim: bad }));
      refusal('ERR_ENGRAM_TYPE')(() => DenseMemory.from(corners, {} as never));
      refusal('ERR_ENGRAM_TYPE')(() => DenseMemory.from(corners, undefined as never));
    });
  });

  describe('metadata', () => {
    it('keeps name and entries, saved and opened', async () => {
      const folder = scratchFolder();
      const file = path.join(folder, 'named.safetensors');
      const memory = DenseMemory.from(corners, { dim, name: 'corners', metadata: { größe: '10' } });
      expect(memory.metadata).to.deep.equal({ name: 'corners', größe: '10' }).and.be.frozen;
      await memory.save(file);
      expect((await DenseMemory.open(file)).metadata).to.deep.equal({ name: 'corners', größe: '10' });
      expect(DenseMemory.openSync(file, { name: 'other' }).metadata).to.deep.equal({ name: 'other', größe: '10' });
    });

    it('refuses reserved keys and what is no text', () => {
      refusal('ERR_ENGRAM_RANGE')(() => DenseMemory.allocate(1, 1, { metadata: { 'engram.kind': 'x' } }));
      refusal('ERR_ENGRAM_TYPE')(() => DenseMemory.allocate(1, 1, { metadata: { a: 1 as never } }));
      refusal('ERR_ENGRAM_TYPE')(() => DenseMemory.allocate(1, 1, { metadata: 'a' as never }));
      refusal('ERR_ENGRAM_TYPE')(() => DenseMemory.allocate(1, 1, { name: 1 as never }));
    });
  });

  describe('store and remove', () => {
    it('number items onwards and never reuse a number', () => {
      const memory = DenseMemory.from(corners, { dim });
      expect(memory.remove([1, 2, 1])).to.equal(2);
      expect(memory.remove(Uint32Array.of(2, 3))).to.equal(1);
      expect(memory.store(Float32Array.of(5, 5))).to.deep.equal({ first: 4, count: 1 });
      expect([memory.count, memory.liveCount]).to.deep.equal([5, 2]);
      expect([...memory.searchSync(Float32Array.of(10, 10), { k: 9 }).indices]).to.deep.equal([4, 0]);
    });

    it('remove refuses what is no item, and removes nothing then', () => {
      const memory = DenseMemory.from(corners, { dim });
      for (const bad of [[0, 4], [-1], [0.5], [NaN]]) refusal('ERR_ENGRAM_RANGE')(() => memory.remove(bad));
      for (const bad of [['0'], [0n], 3, '0', null, {}]) refusal('ERR_ENGRAM_TYPE')(() => memory.remove(bad as never));
      expect(memory.liveCount).to.equal(4);
      expect(memory.remove([])).to.equal(0);
    });

    it('a memory with everything removed is empty', async () => {
      const memory = DenseMemory.from(corners, { dim });
      memory.remove([0, 1, 2, 3]);
      await expectRejection(memory.search(corners, { k: 1 }), 'ERR_ENGRAM_SHAPE');
    });

    it('values are needed exactly when there are any', () => {
      const auto = DenseMemory.from(corners, { dim });
      const hetero = DenseMemory.from(corners, { dim, values: new Float32Array(4) });
      refusal('ERR_ENGRAM_TYPE')(() => auto.store(corners, { values: corners }));
      refusal('ERR_ENGRAM_TYPE')(() => hetero.store(corners));
      refusal('ERR_ENGRAM_SHAPE')(() => hetero.store(corners, { values: new Float32Array(3) }));
      expect([auto.count, hetero.count]).to.deep.equal([4, 4]);
    });
  });

  describe('retrieve', () => {
    const cue = Float32Array.of(9, 1, 1, 9);

    it('completes each query; patterns and values are one array', async () => {
      const memory = DenseMemory.from(corners, { dim });
      const result = await memory.retrieve(cue, { separation, steps: 5, tolerance: 1e-3 });
      expect(result.patterns).to.equal(result.values);
      expect([...result.patterns].map(Math.round)).to.deep.equal([10, 0, 0, 10]);
      expect([...result.converged]).to.deep.equal([1, 1]);
      expect([...result.steps]).to.satisfy((steps: number[]) => steps.every((n) => n >= 1 && n < 5));
      expect(memory.retrieveSync(cue, { separation, steps: 5, tolerance: 1e-3 })).to.deep.equal(result);
    });

    it('reads values out of a hetero-associative memory', async () => {
      const memory = DenseMemory.from(corners, { dim, values: Float32Array.of(1, 2, 3, 4) });
      const result = await memory.retrieve(cue, { separation });
      expect([...result.values].map(Math.round)).to.deep.equal([2, 3]);
      expect(result.patterns).to.have.length(4);
      expect(memory.retrieveSync(cue, { separation })).to.deep.equal(result);
    });

    it('energy: false leaves energies out and all else alone', async () => {
      const memory = DenseMemory.from(corners, { dim });
      const whole = await memory.retrieve(cue, { separation });
      for (const result of [
        await memory.retrieve(cue, { separation, energy: false }),
        memory.retrieveSync(cue, { separation, energy: false }),
      ]) {
        expect(result).to.deep.equal({ ...whole, energy: new Float32Array(0) });
      }
    });

    it('results of synchronous calls are their own, however many queries', () => {
      const memory = DenseMemory.from(corners, { dim });
      for (const count of [1, 16, 17, 40]) {
        const many = Float32Array.from({ length: count * dim }, (_, i) => i % 11);
        const first = memory.retrieveSync(many, { separation });
        const kept = structuredClone(first);
        memory.retrieveSync(corners, { separation, steps: 2 });
        expect(first).to.deep.equal(kept);
        expect([first.energy.length, first.steps.length, first.converged.length]).to.deep.equal([count, count, count]);
      }
    });

    it('out is refused before any work when it does not fit', async () => {
      const memory = DenseMemory.from(corners, { dim });
      for (const [out, code] of [
        [new Float32Array(3), 'ERR_ENGRAM_SHAPE'],
        [new Float32Array(5), 'ERR_ENGRAM_SHAPE'],
        [new Float64Array(4), 'ERR_ENGRAM_TYPE'],
        [null, 'ERR_ENGRAM_TYPE'],
      ] as const) {
        await expectRejection(memory.retrieve(cue, { separation, out: out as never }), code);
        refusal(code)(() => memory.retrieveSync(cue, { separation, out: out as never }));
      }
    });

    it('options are checked', async () => {
      const memory = DenseMemory.from(corners, { dim });
      const bad: [object, string][] = [
        [{ steps: 0 }, 'ERR_ENGRAM_RANGE'],
        [{ steps: 1.5 }, 'ERR_ENGRAM_RANGE'],
        [{ tolerance: -1 }, 'ERR_ENGRAM_RANGE'],
        [{ tolerance: Infinity }, 'ERR_ENGRAM_RANGE'],
        [{ similarity: 'manhattan' }, 'ERR_ENGRAM_RANGE'],
        [{ similarity: 2 }, 'ERR_ENGRAM_TYPE'],
        [{ energy: 1 }, 'ERR_ENGRAM_TYPE'],
      ];
      for (const [options, code] of bad) {
        await expectRejection(memory.retrieve(cue, { separation, ...options }), code);
        refusal(code)(() => memory.retrieveSync(cue, { separation, ...options }));
      }
    });
  });

  describe('search', () => {
    it('cuts k to the items there are', async () => {
      const memory = DenseMemory.from(corners, { dim });
      const result = await memory.search(Float32Array.of(1, 0), { k: 100 });
      expect(result.k).to.equal(4);
      expect([...result.indices]).to.deep.equal([0, 1, 2, 3]);
      expect([...result.scores]).to.deep.equal([-0.5, -40.5, -50.5, -90.5]);
    });

    it('refuses a k that is none', async () => {
      const memory = DenseMemory.from(corners, { dim });
      for (const k of [0, -1, 1.5, NaN, 2 ** 32]) await expectRejection(memory.search(corners, { k }), 'ERR_ENGRAM_RANGE');
      await expectRejection(memory.search(corners, {} as never), 'ERR_ENGRAM_TYPE');
    });
  });

  describe('energy and association', () => {
    const memory = DenseMemory.from(corners, { dim });

    it('energies go to out when asked to', async () => {
      const energies = await memory.energy(corners, { separation });
      const out = new Float32Array(4);
      expect(await memory.energy(corners, { separation, out })).to.equal(out);
      expect(out).to.deep.equal(energies);
      expect(memory.energySync(corners, { separation })).to.deep.equal(energies);
      await expectRejection(memory.energy(corners, { separation, out: new Float32Array(8) }), 'ERR_ENGRAM_SHAPE');
    });

    it('weights come as sparse rows', async () => {
      const rows = await memory.association(Float32Array.of(0, 0, 5, 0), { separation: softmax({ beta: 0.1 }), top: 2 });
      expect([...rows.offsets]).to.deep.equal([0, 2, 4]);
      expect(rows.indices[0]).to.equal(0);
      expect([...rows.indices.subarray(2)].sort()).to.deep.equal([0, 1]);
      expect(rows.weights[2]).to.be.closeTo(rows.weights[3]!, 1e-6);
      const all = memory.associationSync(Float32Array.of(0, 0), { separation: softmax({ beta: 0.01 }) });
      expect(all.weights.reduce((sum, weight) => sum + weight)).to.be.closeTo(1, 1e-5);
    });

    it('top must be a number of items, and out is refused', async () => {
      for (const top of [0, 1.5, -1]) await expectRejection(memory.association(corners, { separation, top }), 'ERR_ENGRAM_RANGE');
      const options = { separation, out: new Float32Array(4) };
      await expectRejection(memory.association(corners, options), 'ERR_ENGRAM_TYPE');
    });
  });

  describe('files', () => {
    const folder = scratchFolder();

    it('are opened as they were saved, with the calibration', async () => {
      const file = path.join(folder, 'memory.safetensors');
      const memory = DenseMemory.from(corners, { dim, values: Float32Array.of(1, 2, 3, 4) });
      memory.calibrateSync();
      memory.remove([2]);
      memory.saveSync(file);
      for (const opened of [await DenseMemory.open(file, { verify: true }), DenseMemory.openSync(file)]) {
        expect(opened).to.include({ count: 4, liveCount: 3, dim, valueDim: 1, nativeBytes: opened.nativeBytes });
        expect(opened.calibration).to.deep.equal(memory.calibration);
        expect(opened.retrieveSync(corners)).to.deep.equal(memory.retrieveSync(corners));
        expect(() => opened.patterns).to.throw('mapped').with.property('code', 'ERR_ENGRAM_TYPE');
      }
    });

    it('opened ones can grow', async () => {
      const file = path.join(folder, 'growing.safetensors');
      DenseMemory.from(corners, { dim }).saveSync(file);
      const memory = await DenseMemory.open(file);
      expect(memory.store(Float32Array.of(5, 5))).to.deep.equal({ first: 4, count: 1 });
      expect([...memory.searchSync(Float32Array.of(5, 5), { k: 1 }).indices]).to.deep.equal([4]);
    });

    it('that are not there are ERR_ENGRAM_IO with the cause', async () => {
      const missing = path.join(folder, 'missing.safetensors');
      const error = await expectRejection(DenseMemory.open(missing), 'ERR_ENGRAM_IO');
      expect(error.cause).to.have.property('code', 'ENOENT');
      expect(error.message).to.include(missing);
      refusal('ERR_ENGRAM_IO')(() => DenseMemory.openSync(missing));
    });

    it('need a path', async () => {
      const memory = DenseMemory.from(corners, { dim });
      for (const [bad, code] of [['', 'ERR_ENGRAM_RANGE'], ['a\0b', 'ERR_ENGRAM_RANGE'], [1, 'ERR_ENGRAM_TYPE']] as const) {
        await expectRejection(memory.save(bad as string), code);
        await expectRejection(DenseMemory.open(bad as string), code);
        refusal(code)(() => memory.saveSync(bad as string));
        refusal(code)(() => DenseMemory.openSync(bad as string));
      }
      await expectRejection(DenseMemory.open('a', { verify: 1 as never }), 'ERR_ENGRAM_TYPE');
    });
  });
});
