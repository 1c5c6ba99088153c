/** Dense memories on a GPU, as a caller sees them. Runs where there is one: see scripts/test.mjs for the simulated one. */
import { join } from 'node:path';
import { expect } from 'chai';
import { DenseMemory, devices, softmax, type Storage } from '../support/engram.js';
import { expectClose, expectRejection } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { gaussian, seeded } from '../support/random.js';

const DEVICE = 'cuda:0';
const DIM = 24;
const COUNT = 150;

describe('dense memories on a GPU', () => {
  const random = seeded(5);
  const patterns = gaussian(random, COUNT, DIM);
  /** The first six patterns with noise. */
  const queries = patterns.slice(0, 6 * DIM).map((x) => x + 0.1 * random.normal());
  const separation = softmax({ beta: 4 });
  const folder = scratchFolder();

  const onDevice = (options: object = {}) => DenseMemory.from(patterns, { dim: DIM, device: DEVICE, ...options });
  const onHost = () => DenseMemory.from(patterns, { dim: DIM, device: 'cpu' });

  it('the device is listed with its memory and compute capability', () => {
    const device = devices().find(({ id }) => id === DEVICE)!;
    expect(device).to.include({ available: true });
    expect(device.name).to.be.a('string').and.not.equal('');
    expect(device.memoryBytes).to.be.above(0);
    expect(device.instructionSet).to.match(/^sm_\d+$/);
  });

  it("'auto' takes the GPU, but for memories that are filled in place", () => {
    expect(DenseMemory.from(patterns, { dim: DIM }).device).to.equal(DEVICE);
    expect(DenseMemory.from(patterns, { dim: DIM, device: 'cpu' }).device).to.equal('cpu');
    expect(DenseMemory.allocate(3, DIM).device).to.equal('cpu');
    expect(() => DenseMemory.allocate(3, DIM, { device: DEVICE }))
      .to.throw(DEVICE)
      .with.property('code', 'ERR_ENGRAM_RANGE');
  });

  it('answers as the CPU does, to rounding', async () => {
    const [device, host] = [onDevice(), onHost()];
    const there = await device.retrieve(queries, { separation, steps: 3 });
    const here = await host.retrieve(queries, { separation, steps: 3 });
    expectClose(there.patterns, here.patterns, 1e-4);
    expectClose(there.energy, here.energy, 1e-3);
    const found = await device.search(queries, { k: 5 });
    const expected = await host.search(queries, { k: 5 });
    expect([...found.indices]).to.deep.equal([...expected.indices]);
    expect([...found.scores]).to.deep.equal([...expected.scores]);
  });

  for (const storage of ['f32', 'f16', 'bf16'] as Storage[]) {
    it(`search is exact with rows stored as ${storage}`, async () => {
      // Rows so close to each other that 16 bits cannot tell them apart.
      const close = patterns.map((x, i) => 1 + 1e-3 * x + (i % DIM === 0 ? 1e-4 * i : 0));
      const device = DenseMemory.from(close, { dim: DIM, device: DEVICE, storage });
      const host = DenseMemory.from(close, { dim: DIM, device: 'cpu' });
      for (const similarity of ['euclidean', 'dot', 'cosine'] as const) {
        const cues = close.slice(0, 4 * DIM);
        const found = await device.search(cues, { k: 7, similarity });
        const expected = await host.search(cues, { k: 7, similarity });
        expect([...found.indices], similarity).to.deep.equal([...expected.indices]);
      }
    });

    it(`retrieval with rows stored as ${storage} is as good as their bits`, async () => {
      const bits = { f32: 1e-4, f16: 0.05, bf16: 0.3 }[storage];
      const device = onDevice({ storage });
      const there = await device.retrieve(queries, { separation: softmax({ beta: 1 }) });
      const here = await onHost().retrieve(queries, { separation: softmax({ beta: 1 }) });
      expectClose(there.patterns, here.patterns, bits);
    });
  }

  it('storage and arithmetic are checked', () => {
    expect(() => onDevice({ storage: 'int4' })).to.throw('int4').with.property('code', 'ERR_ENGRAM_RANGE');
    expect(() => onDevice({ arithmetic: 'fp8' })).to.throw('fp8').with.property('code', 'ERR_ENGRAM_RANGE');
    expect(() => onDevice({ device: 'cpu', storage: 'bf16' })).to.throw('bf16').with.property('code', 'ERR_ENGRAM_RANGE');
    expect(() => onDevice({ device: 'cuda:7' })).to.throw('cuda:7').with.property('code', 'ERR_ENGRAM_DEVICE');
  });

  it('rows cannot be shared with a GPU: they are copied, or refused', () => {
    const shared = new Float32Array(new SharedArrayBuffer(patterns.byteLength));
    shared.set(patterns);
    const memory = DenseMemory.from(shared, { dim: DIM, device: DEVICE });
    expect(() => memory.patterns).to.throw().with.property('code', 'ERR_ENGRAM_TYPE');
    expect(() => DenseMemory.from(shared, { dim: DIM, device: DEVICE, ownership: 'share' }))
      .to.throw('share')
      .with.property('code', 'ERR_ENGRAM_RANGE');
    expect(DenseMemory.from(shared, { dim: DIM, ownership: 'share' }).device).to.equal('cpu');
  });

  it('says how many bytes it holds there, and gives them back', async () => {
    const memory = onDevice();
    expect(memory.deviceBytes).to.be.at.least(COUNT * DIM * 4);
    expect(onDevice({ storage: 'bf16' }).deviceBytes).to.be.below(memory.deviceBytes);
    await memory.search(queries, { k: 1 });
    memory.dispose();
    expect(memory.deviceBytes).to.equal(0);
    expect(onHost().deviceBytes).to.equal(0);
  });

  it('grows, and forgets what is removed', async () => {
    const memory = onDevice();
    await memory.search(queries, { k: 1 });
    const { first } = memory.store(queries);
    let found = await memory.search(queries, { k: 1 });
    expect([...found.indices]).to.deep.equal([0, 1, 2, 3, 4, 5].map((i) => first + i));
    memory.remove([first, first + 1]);
    found = await memory.search(queries, { k: 1 });
    expect([...found.indices.slice(0, 2)]).to.not.include.members([first, first + 1]);
    expect([...found.indices.slice(2)]).to.deep.equal([2, 3, 4, 5].map((i) => first + i));
  });

  it('reads values out of a hetero-associative memory', async () => {
    const values = gaussian(seeded(8), COUNT, 3);
    const there = await DenseMemory.from(patterns, { dim: DIM, values, device: DEVICE }).retrieve(queries, { separation });
    const here = await DenseMemory.from(patterns, { dim: DIM, values, device: 'cpu' }).retrieve(queries, { separation });
    expectClose(there.values, here.values, 1e-4);
  });

  it('many calls at once answer as each alone', async () => {
    const memory = onDevice();
    const rows = Array.from({ length: 12 }, (_, i) => patterns.slice(i * DIM, (i + 1) * DIM));
    const together = await Promise.all(rows.map((row) => memory.search(row, { k: 2 })));
    for (const [i, row] of rows.entries()) {
      expect([...together[i]!.indices]).to.deep.equal([...memory.searchSync(row, { k: 2 }).indices]);
    }
  });

  it('associations and calibration work there', async () => {
    const [device, host] = [onDevice(), onHost()];
    const there = await device.association(queries, { separation, top: 4 });
    const here = await host.association(queries, { separation, top: 4 });
    expect([...there.indices]).to.deep.equal([...here.indices]);
    const all = await device.association(queries, { separation });
    expect(all.offsets.at(-1)).to.equal((await host.association(queries, { separation })).offsets.at(-1));
    const calibration = await device.calibrate({ sample: 40 });
    expect(calibration.beta).to.be.closeTo((await host.calibrate({ sample: 40 })).beta, 1e-3);
  });

  it('is saved, and opened on either', async () => {
    const file = join(folder, 'memory.safetensors');
    await onDevice({ storage: 'f16' }).save(file);
    for (const device of [DEVICE, 'cpu']) {
      const memory = await DenseMemory.open(file, { device });
      expect(memory.device).to.equal(device);
      expect([...(await memory.search(queries, { k: 1 })).indices]).to.deep.equal([0, 1, 2, 3, 4, 5]);
    }
    expect(DenseMemory.openSync(file, { device: DEVICE, storage: 'bf16' }).deviceBytes).to.be.above(0);
  });

  it('an aborted call ends, and the memory goes on', async () => {
    const memory = onDevice();
    const controller = new AbortController();
    const call = memory.retrieve(queries, { separation, steps: 1000, signal: controller.signal });
    controller.abort(new Error('enough'));
    expect(await call.then(() => 'ended', (error: unknown) => (error as Error).message)).to.equal('enough');
    expect((await memory.search(queries, { k: 1 })).indices).to.have.lengthOf(6);
  });

  it('a NaN in rows that were moved in is named by the first call', async () => {
    const bad = patterns.slice();
    bad[31 * DIM + 2] = NaN;
    const memory = DenseMemory.from(bad, { dim: DIM, device: DEVICE, ownership: 'transfer' });
    const error = await expectRejection(memory.search(queries, { k: 1 }), 'ERR_ENGRAM_NONFINITE');
    expect(error.message).to.contain('pattern 31').and.contain('position 2');
  });
});
