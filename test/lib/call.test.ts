/** Options that all calls share. */
import { getEventListeners, once } from 'node:events';
import { expect } from 'chai';
import { DenseMemory, softmax } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { gaussian, seeded } from '../support/random.js';

const dim = 16;
const patterns = gaussian(seeded(85), 4000, dim);
const queries = patterns.slice(0, 64 * dim);
const separation = softmax({ beta: 5 });

describe('call options', () => {
  const memory = DenseMemory.from(patterns, { dim });

  it('bad ones reject, and never throw', async () => {
    const bad: [object, string][] = [
      [{ signal: {} }, 'ERR_ENGRAM_TYPE'],
      [{ signal: null }, 'ERR_ENGRAM_TYPE'],
      [{ onProgress: 'loud' }, 'ERR_ENGRAM_TYPE'],
      [{ priority: 'urgent' }, 'ERR_ENGRAM_RANGE'],
      [{ priority: 1 }, 'ERR_ENGRAM_TYPE'],
      [{ threads: 0 }, 'ERR_ENGRAM_RANGE'],
      [{ threads: 1025 }, 'ERR_ENGRAM_RANGE'],
      [{ threads: '2' }, 'ERR_ENGRAM_TYPE'],
    ];
    for (const [options, code] of bad) {
      await expectRejection(memory.retrieve(queries, { separation, ...options }), code);
      await expectRejection(memory.search(queries, { k: 1, ...options }), code);
      await expectRejection(memory.save('/nowhere/at/all', options), code);
    }
    await expectRejection(memory.retrieve(queries, 1 as never), 'ERR_ENGRAM_TYPE');
    await expectRejection(memory.search(queries, undefined as never), 'ERR_ENGRAM_TYPE');
    await expectRejection(DenseMemory.open(1 as never), 'ERR_ENGRAM_TYPE');
  });

  it('priority and threads change nothing in the answer', async () => {
    const expected = await memory.retrieve(queries, { separation });
    for (const options of [{ priority: 'batch' }, { priority: 'interactive' }, { threads: 1 }] as const) {
      expect(await memory.retrieve(queries, { separation, ...options })).to.deep.equal(expected);
    }
  });

  it('progress ends at the total', async () => {
    const reports: { done: number; total: number }[] = [];
    await memory.search(queries, { k: 1, onProgress: (progress) => reports.push(progress) });
    expect(reports.length).to.be.at.least(1);
    const { done, total } = reports.at(-1)!;
    expect(total).to.be.above(0);
    expect(done).to.equal(total);
    expect(reports.map((report) => report.done)).to.deep.equal(reports.map((report) => report.done).sort((a, b) => a - b));
  });

  it('what onProgress throws is an uncaught exception, and the call goes on', async () => {
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const caught = once(process, 'uncaughtException');
    try {
      const oops = new Error('oops');
      const onProgress = (): never => {
        throw oops;
      };
      const { indices } = await memory.search(queries, { k: 1, onProgress });
      expect(indices[1]).to.equal(1);
      expect((await caught)[0]).to.equal(oops);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });

  it('a signal has no listener of ours once the call has ended', async () => {
    const { signal } = new AbortController();
    await Promise.all([
      memory.retrieve(queries, { separation, signal }),
      memory.search(queries, { k: 1, signal }),
      expectRejection(DenseMemory.open('/nowhere/at/all', { signal }), 'ERR_ENGRAM_IO'),
    ]);
    expect(getEventListeners(signal, 'abort')).to.deep.equal([]);
  });
});
