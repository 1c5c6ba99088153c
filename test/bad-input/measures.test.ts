/** Options and numbers that a memory of measures cannot take. Clouds that are none: test/lib/clouds.test.ts. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { joined, randomClouds, waves } from '../support/clouds.js';
import { EngramError, type FlowOptions, MeasureMemory, sinkhornDivergence, sinkhornDivergenceSync } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { seeded } from '../support/random.js';

const dim = 2;
const stored = joined([waves(4, dim, 0.5), waves(5, dim, 2.5)]);
const query = waves(3, dim, 1.5);
const good = { dim, epsilon: 0.1 };
const refusal = (code: string) => (run: () => unknown) => expect(run).to.throw(EngramError).with.property('code', code);

/** Options, the code of the error, and the argument that the error names. */
type Bad = readonly [options: object, code: string, argument: string];

const NO_NUMBERS = ['1', null, {}, 1n, true];

/** Each value of an option that wants a number above 0. */
const positive = (option: string, wrap: (value: unknown) => object = (value) => ({ [option]: value })): Bad[] => [
  ...[0, -1, NaN, Infinity, -Infinity].map((value): Bad => [wrap(value), 'ERR_ENGRAM_RANGE', option]),
  ...['1', null, 1n].map((value): Bad => [wrap(value), 'ERR_ENGRAM_TYPE', option]),
];
const notNegative = (option: string): Bad[] => [
  ...[-1e-300, NaN, Infinity].map((value): Bad => [{ [option]: value }, 'ERR_ENGRAM_RANGE', option]),
  ...NO_NUMBERS.map((value): Bad => [{ [option]: value }, 'ERR_ENGRAM_TYPE', option]),
];
const count = (option: string): Bad[] => [
  ...[0, -1, 1.5, NaN, 2 ** 32].map((value): Bad => [{ [option]: value }, 'ERR_ENGRAM_RANGE', option]),
  ...NO_NUMBERS.map((value): Bad => [{ [option]: value }, 'ERR_ENGRAM_TYPE', option]),
];
const truth = (option: string): Bad[] =>
  [0, 'true', null].map((value): Bad => [{ [option]: value }, 'ERR_ENGRAM_TYPE', option]);
const word = (option: string): Bad[] => [
  [{ [option]: 'quick' }, 'ERR_ENGRAM_RANGE', option],
  ...[1, null, []].map((value): Bad => [{ [option]: value }, 'ERR_ENGRAM_TYPE', option]),
];

const TRANSPORT: Bad[] = [
  ...positive('epsilon'),
  ...positive('epsilon.relative', (relative) => ({ epsilon: { relative } })),
  [{ epsilon: undefined }, 'ERR_ENGRAM_TYPE', 'epsilon'],
  [{ epsilon: {} }, 'ERR_ENGRAM_TYPE', 'epsilon.relative'],
  ...positive('costScale'),
  ...[0, -1, 1.5, 2 ** 31].map((value): Bad => [{ dim: value }, 'ERR_ENGRAM_RANGE', 'dim']),
  [{ dim: '2' }, 'ERR_ENGRAM_TYPE', 'dim'],
  [{ dim: undefined }, 'ERR_ENGRAM_TYPE', 'dim'],
];
const SOLVE: Bad[] = [
  ...notNegative('tolerance'),
  ...count('maxIterations'),
  ...word('solver'),
  ...word('precision'),
  ...truth('strict'),
  ...count('threads'),
];
const FLOW: Bad[] = [
  ...count('steps'),
  ...notNegative('flowTolerance'),
  ...notNegative('prune'),
  ...truth('snap'),
  ...truth('trace'),
  [{ stepSize: 'large' }, 'ERR_ENGRAM_RANGE', 'stepSize'],
  ...[1, null, true].map((value): Bad => [{ stepSize: value }, 'ERR_ENGRAM_TYPE', 'stepSize']),
  ...positive('stepSize.points', (points) => ({ stepSize: { points, weights: 1 } })),
  ...positive('stepSize.weights', (weights) => ({ stepSize: { points: 1, weights } })),
  [{ stepSize: {} }, 'ERR_ENGRAM_TYPE', 'stepSize.points'],
];
const CALL: Bad[] = [
  [{ signal: {} }, 'ERR_ENGRAM_TYPE', 'signal'],
  [{ onProgress: 1 }, 'ERR_ENGRAM_TYPE', 'onProgress'],
  [{ priority: 'low' }, 'ERR_ENGRAM_RANGE', 'priority'],
];

function expectNamed(error: unknown, [options, code, argument]: Bad): void {
  const what = JSON.stringify(options, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  expect(error, what).to.be.instanceOf(EngramError).with.property('code', code);
  expect(error, what).to.have.nested.property('detail.argument', argument);
}

function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('options of memories of measures', () => {
  const memory = MeasureMemory.from(stored, good);
  const beta = 10;

  it('of transport', async () => {
    for (const bad of TRANSPORT) {
      const options = { ...good, ...bad[0] };
      expectNamed(thrown(() => MeasureMemory.from(stored, options)), bad);
      expectNamed(thrown(() => sinkhornDivergenceSync(query, stored, options)), bad);
      expectNamed(await expectRejection(sinkhornDivergence(query, stored, options), bad[1]), bad);
    }
  });

  it('of the solver', async () => {
    for (const bad of SOLVE) {
      const options: FlowOptions = { beta, ...bad[0] };
      for (const run of [
        () => memory.divergenceSync(query, options),
        () => memory.energySync(query, options),
        () => memory.retrieveSync(query, options),
        () => sinkhornDivergenceSync(query, stored, { ...good, ...options }),
      ]) {
        expectNamed(thrown(run), bad);
      }
      for (const call of [
        memory.divergence(query, options),
        memory.energy(query, options),
        memory.retrieve(query, options),
        sinkhornDivergence(query, stored, { ...good, ...options }),
      ]) {
        expectNamed(await expectRejection(call, bad[1]), bad);
      }
    }
  });

  it('of the flow', async () => {
    for (const bad of FLOW) {
      const options = { beta, ...bad[0] } as FlowOptions;
      expectNamed(thrown(() => memory.retrieveSync(query, options)), bad);
      expectNamed(await expectRejection(memory.retrieve(query, options), bad[1]), bad);
    }
  });

  it('of calls', async () => {
    for (const bad of CALL) {
      const options: FlowOptions = { beta, ...bad[0] };
      for (const call of [memory.divergence(query, options), memory.energy(query, options), memory.retrieve(query, options)]) {
        expectNamed(await expectRejection(call, bad[1]), bad);
      }
    }
  });

  it('beta, which energy and retrieval need', async () => {
    for (const bad of [...positive('beta'), [{}, 'ERR_ENGRAM_TYPE', 'beta'] as const]) {
      const options = bad[0] as FlowOptions;
      expectNamed(thrown(() => memory.energySync(query, options)), bad);
      expectNamed(await expectRejection(memory.energy(query, options), bad[1]), bad);
      expectNamed(await expectRejection(memory.retrieve(query, options), bad[1]), bad);
    }
    await expectRejection(memory.energy(query, undefined as never), 'ERR_ENGRAM_TYPE');
    await expectRejection(memory.retrieve(query, null as never), 'ERR_ENGRAM_TYPE');
  });

  it('priors: one finite number for each cloud', () => {
    const from = (logPrior: unknown) => () => MeasureMemory.from(stored, { ...good, logPrior: logPrior as Float32Array });
    refusal('ERR_ENGRAM_SHAPE')(from(new Float32Array(1)));
    refusal('ERR_ENGRAM_SHAPE')(from(new Float32Array(3)));
    refusal('ERR_ENGRAM_TYPE')(from([0, 0]));
    refusal('ERR_ENGRAM_TYPE')(from(new Float64Array(2)));
    for (const bad of [NaN, Infinity, -Infinity]) {
      expect(from(Float32Array.of(0, bad))).to.throw('logPrior[1]').with.property('code', 'ERR_ENGRAM_NONFINITE');
    }
  });

  it('devices that are not there', () => {
    refusal('ERR_ENGRAM_DEVICE')(() => MeasureMemory.from(stored, { ...good, device: 'cuda:99' }));
    refusal('ERR_ENGRAM_TYPE')(() => MeasureMemory.from(stored, { ...good, device: 1 as never }));
  });

  it('names and metadata that are none', () => {
    refusal('ERR_ENGRAM_TYPE')(() => MeasureMemory.from(stored, { ...good, name: 1 as never }));
    refusal('ERR_ENGRAM_RANGE')(() => MeasureMemory.from(stored, { ...good, metadata: { 'engram.kind': 'x' } }));
  });
});

describe('numbers that transport cannot bear', () => {
  it('a relative epsilon where all points coincide', async () => {
    const same = { points: new Float32Array(8).fill(3) };
    const options = { dim, epsilon: { relative: 0.1 } };
    refusal('ERR_ENGRAM_RANGE')(() => MeasureMemory.from(same, options));
    await expectRejection(sinkhornDivergence(query, same, options), 'ERR_ENGRAM_RANGE');
  });

  it('an epsilon too small beside the costs is refused, or answered rightly', async () => {
    for (const epsilon of [1e-6, 1e-12, 1e-100, 5e-324]) {
      const memory = MeasureMemory.from(stored, { dim, epsilon });
      for (const solver of ['auto', 'kernel', 'log', 'newton'] as const) {
        const outcome = await memory.divergence(query, { solver }).catch((error: unknown) => error);
        if (outcome instanceof Error) {
          expect(outcome).to.be.instanceOf(EngramError).with.property('code', 'ERR_ENGRAM_RANGE');
          expect(outcome.message).to.include('epsilon');
          continue;
        }
        const { values, errorBound } = outcome as { values: Float64Array; errorBound: Float64Array };
        values.forEach((value, i) => {
          expect(Number.isFinite(value) && errorBound[i]! >= 0).to.equal(true);
          expect(value).to.be.at.least(-errorBound[i]! - 1e-6);
        });
      }
    }
  });

  it('huge and tiny coordinates give numbers', async () => {
    for (const scale of [1e-15, 1e15]) {
      const points = stored.points.map((x) => x * scale);
      const memory = MeasureMemory.from({ ...stored, points }, { dim, epsilon: { relative: 0.1 } });
      const cue = { ...query, points: query.points.map((x) => x * scale) };
      const { values } = await memory.divergence(cue);
      expect(values.every((value) => Number.isFinite(value) && value > 0)).to.equal(true);
      const { clouds, energy } = await memory.retrieve(cue, { beta: 1 / memory.epsilon, steps: 5 });
      expect([...clouds.points, ...clouds.weights, ...energy].every(Number.isFinite)).to.equal(true);
    }
  });

  it('more results than memory can hold', async () => {
    // 200,000 x 200,000 divergences are 320 GB of values alone.
    const many = { points: new Float32Array(200_000), offsets: Uint32Array.from({ length: 200_001 }, (_, i) => i) };
    const memory = MeasureMemory.from(many, { dim: 1, epsilon: 1 });
    await expectRejection(memory.divergence(many), 'ERR_ENGRAM_OUT_OF_MEMORY');
  });
});

describe('files that hold no memory of measures', () => {
  const folder = scratchFolder();

  it('are ERR_ENGRAM_FORMAT or ERR_ENGRAM_IO, and named', async () => {
    const garbage = path.join(folder, 'garbage.safetensors');
    writeFileSync(garbage, Buffer.alloc(100, 7));
    for (const [file, code] of [[garbage, 'ERR_ENGRAM_FORMAT'], [path.join(folder, 'none'), 'ERR_ENGRAM_IO']] as const) {
      expect((await expectRejection(MeasureMemory.open(file), code)).message).to.include(file);
      expect(() => MeasureMemory.openSync(file)).to.throw(EngramError, file).with.property('code', code);
    }
  });

  it('need a path, and verify is true or false', async () => {
    const memory = MeasureMemory.from(randomClouds(seeded(1), 2, dim, 2, 4), good);
    for (const [bad, code] of [['', 'ERR_ENGRAM_RANGE'], ['a\0b', 'ERR_ENGRAM_RANGE'], [1, 'ERR_ENGRAM_TYPE']] as const) {
      await expectRejection(memory.save(bad as string), code);
      await expectRejection(MeasureMemory.open(bad as string), code);
      refusal(code)(() => memory.saveSync(bad as string));
      refusal(code)(() => MeasureMemory.openSync(bad as string));
    }
    await expectRejection(MeasureMemory.open('a', { verify: 1 as never }), 'ERR_ENGRAM_TYPE');
  });
});
