/** Memories of measures while calls run: aborted, disposed, ended with their thread. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { type FullClouds, randomClouds } from '../support/clouds.js';
import { endlessFlow } from '../support/endless-flow.js';
import { configure, EngramError, MeasureMemory, sinkhornDivergence } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { seeded } from '../support/random.js';
import { restoreThreads } from '../support/threads.js';

const dim = 3;
const options = { dim, epsilon: 0.5 };
const flow = { beta: 1, steps: 5 };
const clouds = randomClouds(seeded(51), 60, dim, 5, 30);
const queries = randomClouds(seeded(52), 6, dim, 5, 30);

const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );

/** Takes the memory away from arrays, as a caller may at any time. */
const detach = (arrays: FullClouds): void => {
  structuredClone(arrays, { transfer: Object.values(arrays).map(({ buffer }) => buffer as ArrayBuffer) });
};

describe('measures: abort', function () {
  this.timeout(60_000);
  const folder = scratchFolder();
  const memory = MeasureMemory.from(clouds, options);
  const long = endlessFlow();
  restoreThreads();

  it('rejects with the signal\'s reason in the middle of a flow, and frees the pool', async () => {
    for (let round = 0; round < 10; ++round) {
      const controller = new AbortController();
      const promise = long.memory.retrieve(long.queries, { ...long.options, signal: controller.signal });
      const reason = new Error('changed my mind');
      setTimeout(() => controller.abort(reason), 3 * round);
      expect(await reasonOf(promise)).to.equal(reason);
    }
    await memory.divergence(queries, { threads: 1 });
  });

  for (const solver of ['auto', 'kernel', 'log', 'newton'] as const) {
    it(`ends a single large problem too (${solver})`, async () => {
      configure({ threads: 1 });
      const large = randomClouds(seeded(55), 1, dim, 3000, 3000);
      const hard = { solver, tolerance: 0, maxIterations: 2 ** 31 };
      for (const delay of [0, 20, 100]) {
        const call = sinkhornDivergence(large, randomClouds(seeded(56), 1, dim, 3000, 3000), {
          ...options,
          ...hard,
          signal: AbortSignal.timeout(delay),
        });
        expect(await reasonOf(call)).to.be.instanceOf(DOMException).with.property('name', 'TimeoutError');
      }
      // The pool's only thread is free again.
      expect((await memory.divergence(queries)).rows).to.equal(6);
    });
  }

  it('rejects at once when the signal was aborted before', async () => {
    const signal = AbortSignal.abort('too late');
    const outcomes = await Promise.allSettled([
      memory.divergence(queries, { signal }),
      memory.energy(queries, { beta: 1, signal }),
      memory.retrieve(queries, { ...flow, signal }),
      sinkhornDivergence(queries, clouds, { ...options, signal }),
      memory.save('/nowhere/at/all', { signal }),
      MeasureMemory.open('/nowhere/at/all', { signal }),
    ]);
    for (const outcome of outcomes) expect(outcome).to.deep.equal({ status: 'rejected', reason: 'too late' });
  });

  it('at random moments gives the right answer or the reason', async () => {
    const random = seeded(53);
    const expected = await memory.retrieve(queries, flow);
    const endings = { answered: 0, aborted: 0 };
    for (let round = 0; round < 40; ++round) {
      const controller = new AbortController();
      const promise = memory.retrieve(queries, { ...flow, signal: controller.signal });
      // Moments from before the first slice to after the last.
      if (round % 4 === 3) await promise;
      else if (round % 4 > 0) await sleep(random.uniform() * 20);
      controller.abort('stop');
      const reason = await reasonOf(promise);
      if (reason === undefined) {
        ++endings.answered;
        expect(await promise).to.deep.equal(expected);
      } else {
        ++endings.aborted;
        expect(reason).to.equal('stop');
      }
    }
    expect(endings.aborted).to.be.at.least(10);
    expect(endings.answered).to.be.at.least(10);
  });

  it('of a save leaves the old file or a whole new one, and nothing beside it', async () => {
    const file = path.join(folder, 'aborted.safetensors');
    const large = MeasureMemory.from({ points: new Float32Array(3e6).fill(1), weights: new Float32Array(1e6).fill(2) }, options);
    memory.saveSync(file);
    for (let round = 0; round < 12; ++round) {
      const controller = new AbortController();
      const promise = large.save(file, { signal: controller.signal });
      if (round > 0) await sleep(2 * round);
      controller.abort('stop');
      const reason = await reasonOf(promise);
      if (reason !== undefined) expect(reason).to.equal('stop');
      expect([1, memory.count]).to.include(MeasureMemory.openSync(file, { verify: true }).count);
    }
    await large.save(file);
    expect(readdirSync(folder)).to.deep.equal(['aborted.safetensors']);
  });
});

describe('measures: dispose', function () {
  this.timeout(60_000);

  it('lets calls under way end with the right answer', async () => {
    const kept = MeasureMemory.from(clouds, options);
    const divergences = kept.divergenceSync(queries);
    const retrieval = kept.retrieveSync(queries, flow);
    const energies = kept.energySync(queries, flow);
    for (let round = 0; round < 10; ++round) {
      const memory = MeasureMemory.from(clouds, options);
      const calls = [memory.divergence(queries), memory.retrieve(queries, flow), memory.energy(queries, flow)];
      memory.dispose();
      expect(await Promise.all(calls)).to.deep.equal([divergences, retrieval, energies]);
    }
  });

  it('makes every later call fail with ERR_ENGRAM_DISPOSED, and facts stay', async () => {
    const memory = MeasureMemory.from(clouds, options);
    memory.dispose();
    memory.dispose();
    for (const call of [
      memory.divergence(queries),
      memory.energy(queries, flow),
      memory.retrieve(queries, flow),
      memory.save('/nowhere/at/all'),
    ]) {
      await expectRejection(call, 'ERR_ENGRAM_DISPOSED');
    }
    for (const call of [
      () => memory.divergenceSync(queries),
      () => memory.energySync(queries, flow),
      () => memory.retrieveSync(queries, flow),
      () => memory.saveSync('/nowhere/at/all'),
      () => memory.cloud(0),
    ]) {
      expect(call).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_DISPOSED');
    }
    expect(memory).to.include({ count: 60, dim, epsilon: 0.5, nativeBytes: 0 });
  });

  it('is what Symbol.dispose calls', () => {
    const memory = MeasureMemory.from(clouds, options);
    expect(memory.nativeBytes).to.be.at.least(clouds.points.byteLength);
    memory[Symbol.dispose]();
    expect(() => memory.cloud(0)).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_DISPOSED');
  });
});

describe('measures: buffers of the caller', function () {
  this.timeout(60_000);
  const memory = MeasureMemory.from(clouds, options);

  it('queries may be overwritten and detached as soon as the call has returned', async () => {
    const expected = [
      memory.divergenceSync(queries),
      memory.energySync(queries, flow),
      memory.retrieveSync(queries, flow),
    ];
    const given = structuredClone(queries);
    const calls = [memory.divergence(given), memory.energy(given, flow), memory.retrieve(given, flow)];
    for (const array of Object.values(given)) array.fill(NaN);
    detach(given);
    expect(await Promise.all(calls)).to.deep.equal(expected);
  });

  it('both sides of sinkhornDivergence as well', async () => {
    const [a, b] = [structuredClone(queries), structuredClone(clouds)];
    const promise = sinkhornDivergence(a, b, options);
    for (const array of [...Object.values(a), ...Object.values(b)]) array.fill(NaN);
    detach(a);
    detach(b);
    expect(await promise).to.deep.equal(memory.divergenceSync(queries));
  });

  it('results are their own: a later call changes none', async () => {
    const first = await memory.retrieve(queries, { ...flow, trace: true });
    const kept = structuredClone(first);
    await memory.retrieve(clouds, { ...flow, trace: true });
    expect(first).to.deep.equal(kept);
  });
});

describe('measures: worker threads', function () {
  this.timeout(120_000);
  const FLOWING = new URL('./children/flowing-worker.mjs', import.meta.url);
  const ENDINGS = 40;
  const folder = scratchFolder();

  it(`ended ${ENDINGS} times in the middle of a flow leave the process and its other calls unharmed`, async () => {
    const random = seeded(54);
    const memory = MeasureMemory.from(clouds, options);
    const expected = memory.divergenceSync(queries);
    let started = 0;

    async function endWorkers(): Promise<void> {
      while (started < ENDINGS) {
        const number = started++;
        const worker = new Worker(FLOWING, { workerData: { clouds, dim, folder, number }, execArgv: [] });
        const [message] = (await once(worker, 'message')) as [string];
        expect(message).to.equal('busy');
        await sleep(random.uniform() * 15);
        await worker.terminate();
      }
    }

    let ended = false;
    async function keepAsking(): Promise<number> {
      let asked = 0;
      for (; !ended; ++asked) expect(await memory.divergence(queries)).to.deep.equal(expected);
      return asked;
    }

    const asking = keepAsking();
    await Promise.all([endWorkers(), endWorkers()]).finally(() => (ended = true));
    expect(await asking).to.be.greaterThan(0);
  });
});
