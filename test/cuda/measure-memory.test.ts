/** Memories of measures on a GPU, as a caller sees them. */
import { join } from 'node:path';
import { expect } from 'chai';
import { type Clouds, MeasureMemory } from '../support/engram.js';
import { expectClose } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { gaussian, seeded } from '../support/random.js';

const DEVICE = 'cuda:0';
const DIM = 3;

describe('memories of measures on a GPU', () => {
  const random = seeded(3);
  const clouds = (count: number, points: number): Clouds => ({
    points: gaussian(random, count * points, DIM),
    offsets: Uint32Array.from({ length: count + 1 }, (_, k) => k * points),
  });
  const stored = clouds(12, 20);
  const queries = clouds(2, 15);
  const options = { dim: DIM, epsilon: 0.3 };
  const folder = scratchFolder();

  const onDevice = () => MeasureMemory.from(stored, { ...options, device: DEVICE });
  const onHost = () => MeasureMemory.from(stored, { ...options, device: 'cpu' });

  it('say where they are, and what they hold there', () => {
    const memory = onDevice();
    expect(memory.device).to.equal(DEVICE);
    expect(memory.deviceBytes).to.be.at.least(12 * 20 * (DIM * 4 + 8));
    memory.dispose();
    expect(memory.deviceBytes).to.equal(0);
    expect(onHost().deviceBytes).to.equal(0);
    expect(MeasureMemory.from(stored, options).device).to.equal(DEVICE);
  });

  it('divergences are those of the CPU, within their bounds', async () => {
    const there = await onDevice().divergence(queries, { tolerance: 1e-6 });
    const here = await onHost().divergence(queries, { tolerance: 1e-6 });
    expect([...there.converged]).to.not.include(0);
    there.values.forEach((value, pair) => {
      const allowed = there.errorBound[pair]! + here.errorBound[pair]! + 1e-12;
      expect(Math.abs(value - here.values[pair]!)).to.be.at.most(allowed);
    });
    // Other iterations than the CPU's: they were the device's.
    expect([...there.iterations]).to.not.deep.equal([...here.iterations]);
  });

  it('what is asked for in Float64 is the CPU\'s, bit by bit', async () => {
    const asked = { precision: 'float64' } as const;
    const there = await onDevice().divergence(queries, asked);
    const here = await onHost().divergence(queries, asked);
    expect([...there.values]).to.deep.equal([...here.values]);
  });

  it('what converges slowly is finished by the CPU', async () => {
    const there = await MeasureMemory.from(stored, { ...options, epsilon: 0.002, device: DEVICE }).divergence(queries);
    expect([...there.converged]).to.not.include(0);
  });

  it('pairs that no multiprocessor holds are solved all the same', async () => {
    const large = clouds(1, 300);
    const there = await MeasureMemory.from(large, { ...options, device: DEVICE }).divergence(large);
    expectClose(there.values, [0], 1e-5);
  });

  it('energies are those of the CPU', async () => {
    const [device, host] = [onDevice(), onHost()];
    expectClose(await device.energy(queries, { beta: 5 }), await host.energy(queries, { beta: 5 }), 1e-4);
  });

  describe('flows', () => {
    const flow = { beta: 2, steps: 4, trace: true, tolerance: 1e-9 };
    type Retrieved = Awaited<ReturnType<MeasureMemory['retrieve']>>;
    const expectSame = (there: Retrieved, here: Retrieved, within: number) => {
      expect([...there.steps]).to.deep.equal([...here.steps]);
      expect([...there.index]).to.deep.equal([...here.index]);
      expectClose(there.clouds.points, here.clouds.points, within);
      expectClose(there.clouds.weights, here.clouds.weights, within);
      expectClose(there.energy, here.energy, within);
      expectClose(there.weights, here.weights, within);
    };

    it('go where those of the CPU go', async () => {
      const there = await onDevice().retrieve(queries, flow);
      const here = await onHost().retrieve(queries, flow);
      expectSame(there, here, 1e-5);
      expect(there.work.pairsEvaluated).to.equal(here.work.pairsEvaluated);
      // Other iterations than the CPU's: they were the device's.
      expect(there.work.iterations).to.not.equal(here.work.iterations);
      for (const { energy } of there.trace!) {
        for (let step = 1; step < energy.length; ++step) expect(energy[step]!).to.be.at.most(energy[step - 1]!);
      }
    });

    it('give the same bits again, alone or with others', async () => {
      const device = onDevice();
      const [once, again] = [await device.retrieve(queries, flow), await device.retrieve(queries, flow)];
      expect([...once.clouds.points]).to.deep.equal([...again.clouds.points]);
      const first = { points: queries.points.slice(0, 15 * DIM), offsets: Uint32Array.of(0, 15) };
      const alone = await device.retrieve(first, flow);
      expect([...alone.clouds.points]).to.deep.equal([...once.clouds.points.slice(0, 15 * DIM)]);
    });

    it('go on by the CPU where pairs converge slowly', async () => {
      const slow = { ...options, epsilon: 0.01 };
      const there = await MeasureMemory.from(stored, { ...slow, device: DEVICE }).retrieve(queries, flow);
      const here = await MeasureMemory.from(stored, { ...slow, device: 'cpu' }).retrieve(queries, flow);
      expectSame(there, here, 2e-3); // what a residual of 1e-9 leaves open where problems are this stiff
    });

    it('pass pairs that no multiprocessor holds', async () => {
      const large = clouds(2, 210);
      const short = { ...flow, steps: 1 };
      const there = await MeasureMemory.from(large, { ...options, device: DEVICE }).retrieve(large, short);
      const here = await MeasureMemory.from(large, { ...options, device: 'cpu' }).retrieve(large, short);
      expectSame(there, here, 1e-5);
    });

    it('in Float64 are the CPU\'s, bit by bit', async () => {
      const asked = { ...flow, precision: 'float64' as const };
      const there = await onDevice().retrieve(queries, asked);
      const here = await onHost().retrieve(queries, asked);
      expect([...there.clouds.points]).to.deep.equal([...here.clouds.points]);
    });
  });

  it('are saved, and opened on either', async () => {
    const file = join(folder, 'measures.safetensors');
    await onDevice().save(file);
    expect((await MeasureMemory.open(file, { device: DEVICE })).deviceBytes).to.be.above(0);
    expect(MeasureMemory.openSync(file, { device: 'cpu' }).device).to.equal('cpu');
  });
});
