/** Calls that are aborted, at random moments and alone or in company. */
import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { DenseMemory, softmax } from '../support/engram.js';
import { endless } from '../support/endless.js';
import { expectSameBits } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';

const dim = 64;
const patterns = gaussian(seeded(21), 20_000, dim);
const separation = softmax({ beta: 0.3 });
const queries = patterns.slice(0, 128 * dim);

const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );

describe('abort', function () {
  this.timeout(60_000);
  const memory = DenseMemory.from(patterns, { dim });
  const long = endless();

  it('rejects with the signal\'s reason', async () => {
    const controller = new AbortController();
    const promise = long.memory.retrieve(long.queries, { ...long.options, signal: controller.signal });
    const reason = new Error('changed my mind');
    setTimeout(() => controller.abort(reason), 5);
    expect(await reasonOf(promise)).to.equal(reason);
  });

  it('rejects at once when the signal was aborted before', async () => {
    const signal = AbortSignal.abort('too late');
    const outcomes = await Promise.allSettled([
      memory.retrieve(queries, { separation, signal }),
      memory.search(queries, { k: 1, signal }),
      memory.energy(queries, { separation, signal }),
      memory.association(queries, { separation, signal }),
      memory.calibrate({ signal }),
      memory.save('/nowhere/at/all', { signal }),
      DenseMemory.open('/nowhere/at/all', { signal }),
    ]);
    for (const outcome of outcomes) expect(outcome).to.deep.equal({ status: 'rejected', reason: 'too late' });
  });

  it('takes the reason of AbortSignal.timeout', async () => {
    const signal = AbortSignal.timeout(20);
    const reason = await reasonOf(long.memory.retrieve(long.queries, { ...long.options, signal }));
    expect(reason).to.be.instanceOf(DOMException).with.property('name', 'TimeoutError');
  });

  it('at random moments gives the right answer or the reason', async () => {
    const random = seeded(22);
    const options = { separation, steps: 3 };
    const expected = await memory.retrieve(queries, options);
    const endings = { answered: 0, aborted: 0 };
    for (let round = 0; round < 60; ++round) {
      const controller = new AbortController();
      const promise = memory.retrieve(queries, { ...options, signal: controller.signal });
      // Moments from before the first slice to after the last.
      if (round % 6 === 5) await promise;
      else if (round % 6 > 0) await sleep(random.uniform() * 20);
      controller.abort('stop');
      const reason = await reasonOf(promise);
      if (reason === undefined) {
        ++endings.answered;
        expectSameBits((await promise).patterns, expected.patterns, 'patterns');
      } else {
        ++endings.aborted;
        expect(reason).to.equal('stop');
      }
    }
    expect(endings.aborted).to.be.at.least(10);
    expect(endings.answered).to.be.at.least(10);
  });

  it('of one call leaves calls answered with it alone', async () => {
    // While the pool is busy, equal small calls gather into one pass. Every second one is aborted.
    const busy = Array.from({ length: 8 }, () => memory.search(queries, { k: 2 }));
    const one = (i: number) => queries.slice(i * dim, (i + 1) * dim);
    const controllers = Array.from({ length: 60 }, () => new AbortController());
    const calls = controllers.map(({ signal }, i) => memory.search(one(i), { k: 3, signal }));
    controllers.forEach((controller, i) => i % 2 === 0 && controller.abort(i));
    (await Promise.allSettled(calls)).forEach((outcome, i) => {
      if (outcome.status === 'rejected') expect(outcome.reason).to.equal(i);
      else expect([i % 2, outcome.value.indices[0]]).to.deep.equal([1, i]);
    });
    await Promise.all(busy);
  });

  it('leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    await memory.search(queries, { k: 1, signal });
    await reasonOf(memory.search(queries.slice(1), { k: 1, signal }));
    expect(getEventListeners(signal, 'abort')).to.have.lengthOf(0);
  });
});
