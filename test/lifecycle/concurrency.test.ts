/** Many calls at once: coalesced, prioritised, reporting progress, with the event loop free. */
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { DenseMemory, EngramError, softmax } from '../support/engram.js';
import { endless } from '../support/endless.js';
import { expectClose } from '../support/expectations.js';
import { gaussian, noisyRows, seeded } from '../support/random.js';
import { row } from '../support/reference.js';
import * as tolerance from '../support/tolerance.js';

const SELF = new URL(import.meta.url);
const dim = 32;
const count = 2000;
const patterns = gaussian(seeded(51), count, dim);
const beta = 1;
const separation = softmax({ beta });
const stored = { keys: patterns, dim };

describe('concurrent calls', function () {
  this.timeout(60_000);
  const memory = DenseMemory.from(patterns, { dim });

  it('10,000 small searches at once are each answered with their own item', async () => {
    const calls = Array.from({ length: 10_000 }, (_, i) => {
      const item = i % count;
      return memory.search(patterns.slice(item * dim, (item + 1) * dim), { k: 1 + (i % 2) });
    });
    (await Promise.all(calls)).forEach(({ indices, scores, k }, i) => {
      expect([k, indices[0], scores[0]]).to.deep.equal([1 + (i % 2), i % count, 0]);
    });
  });

  it('3,000 small retrievals of different size equal those made alone, to rounding', async () => {
    const calls = Array.from({ length: 3000 }, (_, i) => {
      const queries = noisyRows(seeded(i), patterns, dim, 1 + (i % 3), 0.3);
      return { queries, result: memory.retrieve(queries, { separation }) };
    });
    for (const { queries, result } of calls.filter((_, i) => i % 25 === 0)) {
      const together = await result;
      const alone = memory.retrieveSync(queries, { separation });
      for (let i = 0; i < queries.length / dim; ++i) {
        const q = row(queries, dim, i);
        const range = [i * dim, (i + 1) * dim] as const;
        const readout = tolerance.readoutError(stored, 'euclidean', beta, q, patterns, dim);
        expectClose(together.patterns.subarray(...range), alone.patterns.subarray(...range), 2 * readout);
        const allowed = 4 * tolerance.energyError(stored, 'euclidean', beta, q);
        expectClose([together.energy[i]!], [alone.energy[i]!], allowed);
      }
    }
    await Promise.all(calls.map(({ result }) => result));
  });

  it('a bad query among many fails alone', async () => {
    const busy = memory.search(patterns.slice(), { k: 1 });
    const calls = Array.from({ length: 50 }, (_, i) => {
      const query = patterns.slice(i * dim, (i + 1) * dim);
      // Finite, but its scores overflow Float32, which only the pass itself finds out.
      if (i === 20) query.fill(3e38);
      return memory.search(query, { k: 1 });
    });
    const outcomes = await Promise.allSettled(calls);
    outcomes.forEach((outcome, i) => {
      if (i === 20) {
        expect(outcome.status).to.equal('rejected');
        const { reason } = outcome as PromiseRejectedResult;
        expect(reason).to.be.instanceOf(EngramError).with.property('code', 'ERR_ENGRAM_RANGE');
      } else {
        const { value } = outcome as PromiseFulfilledResult<{ indices: Uint32Array }>;
        expect(value.indices[0]).to.equal(i);
      }
    });
    await busy;
  });

  it('progress rises, and ends at the total', async () => {
    const reports: { done: number; total: number }[] = [];
    const large = DenseMemory.from(gaussian(seeded(52), 20_000, 64), { dim: 64 });
    await large.retrieve(gaussian(seeded(53), 256, 64), {
      separation: softmax({ beta: 0.05 }),
      steps: 4,
      onProgress: (progress) => reports.push({ ...progress }),
    });
    expect(reports).to.not.have.lengthOf(0);
    reports.forEach(({ done, total }, i) => {
      expect(done).to.be.within(reports[i - 1]?.done ?? 0, total);
      expect(total).to.equal(reports[0]!.total);
    });
    expect(reports.at(-1)!.done).to.equal(reports.at(-1)!.total);
  });

  it('interactive and batch calls all complete', async () => {
    const large = gaussian(seeded(54), 128, dim);
    const calls = Array.from({ length: 40 }, (_, i) =>
      memory.retrieve(i % 2 === 0 ? large : large.slice(0, dim), {
        separation,
        steps: 3,
        priority: i % 2 === 0 ? 'batch' : 'interactive',
      }),
    );
    for (const [i, call] of calls.entries()) {
      expect((await call).patterns).to.have.lengthOf(i % 2 === 0 ? large.length : dim);
    }
  });

  it('timers go on firing while a long call runs', async () => {
    const { memory: large, queries, options } = endless();
    const controller = new AbortController();
    const call = large.retrieve(queries, { ...options, signal: controller.signal });
    let settled = false;
    const outcome = call.catch((reason: unknown) => reason).finally(() => (settled = true));
    // A call that blocked the event loop would settle before the timers come to fire.
    for (let fired = 0; fired < 100; ++fired) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(settled).to.equal(false);
    }
    controller.abort('enough');
    expect(await outcome).to.equal('enough');
  });

  it('file-system calls are not held up: nothing runs on the thread pool of Node', async () => {
    const { memory: large, queries, options } = endless();
    const controller = new AbortController();
    // More calls than Node's pool has threads.
    const calls = Array.from({ length: 8 }, () => large.retrieve(queries, { ...options, signal: controller.signal }));
    for (let i = 0; i < 20; ++i) expect((await readFile(SELF)).length).to.be.greaterThan(0);
    controller.abort('enough');
    for (const outcome of await Promise.allSettled(calls)) expect(outcome).to.have.property('reason', 'enough');
  });
});
