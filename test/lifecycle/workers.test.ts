/** Memories in worker threads: ended at any moment, sharing buffers. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { DenseMemory } from '../support/engram.js';
import { expectSameBits } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { gaussian, misaligned, seeded } from '../support/random.js';

const BUSY = new URL('./children/busy-worker.mjs', import.meta.url);
const SEARCHING = new URL('./children/searching-worker.mjs', import.meta.url);
const ENDINGS = 100;
const AT_ONCE = 4;

const dim = 48;
const patterns = gaussian(seeded(11), 6000, dim);
const queries = patterns.slice(0, 3 * dim);

describe('worker threads', function () {
  this.timeout(120_000);
  const folder = scratchFolder();

  it(`ended ${ENDINGS} times in the middle of their jobs leave the process and its other calls unharmed`, async () => {
    const random = seeded(12);
    const memory = DenseMemory.from(patterns, { dim });
    const expected = await memory.search(queries, { k: 4 });
    let started = 0;

    async function endWorkers(): Promise<void> {
      while (started < ENDINGS) {
        const number = started++;
        const worker = new Worker(BUSY, { workerData: { patterns, dim, folder, number }, execArgv: [] });
        const [message] = (await once(worker, 'message')) as [string];
        expect(message).to.equal('busy');
        await sleep(random.uniform() * 15);
        await worker.terminate();
      }
    }

    let ended = false;
    async function keepSearching(): Promise<number> {
      let searches = 0;
      for (; !ended; ++searches) {
        const found = await memory.search(queries, { k: 4 });
        expectSameBits(found.indices, expected.indices, 'indices');
        expectSameBits(found.scores, expected.scores, 'scores');
      }
      return searches;
    }

    const searching = keepSearching();
    await Promise.all(Array.from({ length: AT_ONCE }, endWorkers)).finally(() => (ended = true));
    expect(await searching).to.be.greaterThan(0);
    memory.dispose();
  });

  it('share one buffer and find the same', async () => {
    const shared = misaligned(patterns, 0, SharedArrayBuffer);
    const expected = DenseMemory.from(shared, { dim, ownership: 'share' }).searchSync(queries, { k: 7 });
    const workerData = { patterns: shared, dim, queries, k: 7 };
    const workers = Array.from({ length: 3 }, () => new Worker(SEARCHING, { workerData, execArgv: [] }));
    const replies = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as Found));
    for (const { indices, scores, nativeBytes } of replies) {
      expectSameBits(indices, expected.indices, 'indices');
      expectSameBits(scores, expected.scores, 'scores');
      expect(nativeBytes, 'nothing was copied').to.be.lessThan(shared.byteLength);
    }
  });

  it('end by themselves with calls that nobody waited for', async () => {
    const workerData = { patterns: patterns.slice(0, 400 * dim), dim, folder, number: 'last' };
    const worker = new Worker(BUSY, { workerData, execArgv: [] });
    await once(worker, 'message');
    worker.postMessage('unread');
    const [code] = (await once(worker, 'exit')) as [number];
    expect(code).to.equal(0);
  });
});

interface Found {
  readonly indices: Uint32Array;
  readonly scores: Float32Array;
  readonly nativeBytes: number;
}
