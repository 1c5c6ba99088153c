/** Rounds and eigenproblems whose messages and products come from JavaScript: aborted, ended and saved at any moment. */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { EngramError, FederatedMemory, HebbianOperator, type LinearOperator, type Message, SecondMoment, topEigenpairs } from '../support/engram.js';
import { expectRejection, expectSameBits } from '../support/expectations.js';
import { federation } from '../support/federation.js';
import { scratchFolder } from '../support/files.js';
import { seeded } from '../support/random.js';

const dim = 300;
const world = federation(dim, 3, 71);
const message = (client: string, samples = 120): HebbianOperator =>
  HebbianOperator.fromExamplesSync(world.examples(samples, 0.6), { dim, client });
const messages = ['a', 'b', 'c'].map((client) => message(client));
const ENDINGS = 30;

/** One message, and then nothing for ever. */
async function* stalling(stalled: () => void): AsyncIterable<Message> {
  yield await Promise.resolve(messages[0]!);
  stalled();
  await new Promise(() => undefined);
}

describe('federated calls', function () {
  this.timeout(60_000);
  const folder = scratchFolder();

  it('end at once when they are aborted while JavaScript owes them an answer', async () => {
    const memory = new FederatedMemory({ dim });
    const reason = new Error('enough');
    for (const begin of [
      (signal: AbortSignal, stalled: () => void) => memory.round(stalling(stalled), { signal }),
      (signal: AbortSignal, stalled: () => void) => {
        const apply = (): Promise<Float32Array> => (stalled(), new Promise(() => undefined));
        return topEigenpairs({ dim, apply }, { k: 3, signal });
      },
    ]) {
      const controller = new AbortController();
      const ending = begin(controller.signal, () => controller.abort(reason)).catch((error: unknown) => error);
      expect(await ending).to.equal(reason);
    }
    expect((await memory.round(messages)).round, 'the aborted round left nothing behind').to.equal(1);
  });

  it('take an answer that comes after the end for nothing', async () => {
    let answer: (product: Float32Array) => void = () => undefined;
    const controller = new AbortController();
    const operator: LinearOperator = {
      dim,
      apply: () => {
        setImmediate(() => controller.abort());
        return new Promise((resolve) => (answer = resolve));
      },
    };
    await topEigenpairs(operator, { k: 2, signal: controller.signal }).catch(() => undefined);
    answer(new Float32Array(dim * 10));
    await sleep(5);
  });

  it('leave the memory as it was when they are aborted at random moments', async () => {
    const random = seeded(72);
    const memory = new FederatedMemory({ dim });
    await memory.round(messages);
    for (let i = 0; i < 25; ++i) {
      const { rounds } = memory;
      const controller = new AbortController();
      const ending = memory.round(messages, { signal: controller.signal }).then(() => true, () => false);
      setTimeout(() => controller.abort(), 12 * random.uniform());
      if (await ending) continue;
      expect([rounds, rounds + 1]).to.include(memory.rounds); // whose end may have come just before
      expect(memory.count).to.equal(3);
    }
  });

  it('of one memory wait for each other, and readers never see half a round', async () => {
    const memory = new FederatedMemory({ dim });
    const [first, second] = [memory.round(messages), memory.round(messages)];
    while (memory.rounds < 2) {
      expect(memory.archetypes.length % dim).to.equal(0);
      await sleep(1);
    }
    expect([(await first).round, (await second).round].sort()).to.deep.equal([1, 2]);
  });

  it('take turns: one that waits is aborted at once, and a synchronous one is refused', async () => {
    const memory = new FederatedMemory({ dim });
    const [stall, wait] = [new AbortController(), new AbortController()];
    const stalled = memory.round(stalling(() => undefined), { signal: stall.signal }).catch((error: unknown) => error);
    const waiting = memory.round(messages, { signal: wait.signal }).catch((error: unknown) => error);
    const last = memory.round(messages);
    expect(() => memory.roundSync(messages)).to.throw(EngramError).with.property('code', 'ERR_ENGRAM_RANGE');
    wait.abort('no longer');
    expect(await waiting).to.equal('no longer');
    stall.abort('enough');
    expect(await stalled).to.equal('enough');
    expect((await last).round).to.equal(1);
    expect(memory.roundSync(messages).round).to.equal(2);
  });

  it('may ask for products of each other', async () => {
    const moment = SecondMoment.from(world.examples(80, 0.6), { dim });
    const inner: LinearOperator = { dim, apply: (block, columns) => moment.apply(block, columns) };
    const outer: LinearOperator = {
      dim,
      apply: async (block, columns) => {
        await topEigenpairs(inner, { k: 1, tolerance: 1e-3 });
        return moment.apply(block, columns);
      },
    };
    const found = await Promise.all(Array.from({ length: 12 }, () => topEigenpairs(outer, { k: 2, tolerance: 1e-3 })));
    for (const { eigenvalues } of found) expectSameBits(eigenvalues, found[0]!.eigenvalues);
  });

  it('go on from a file as if it had never been closed', async () => {
    const path = join(folder, 'midway.safetensors');
    const rounds = [0, 1, 2, 3].map((t) => [0, 1].map((c) => message(`c${c}`, 40 + 10 * t)));
    const options = { dim, controller: 'entropy', metadata: { place: 'here' } } as const;
    const whole = new FederatedMemory(options);
    const begun = new FederatedMemory(options);
    for (const round of rounds.slice(0, 2)) {
      await whole.round(round);
      await begun.round(round);
    }
    await begun.save(path);
    begun.dispose();
    const opened = await FederatedMemory.open(path, { verify: true });
    expect(opened.metadata).to.deep.equal({ place: 'here' });
    for (const round of rounds.slice(2)) {
      const [expected, found] = [await whole.round(round), await opened.round(round)];
      expect(found.round).to.equal(expected.round);
      expectSameBits(found.eigenvalues, expected.eigenvalues);
      expectSameBits(found.plasticity, expected.plasticity);
    }
    expectSameBits(opened.archetypes, whole.archetypes);
    expectSameBits(opened.overlaps, whole.overlaps);
    await expectRejection(FederatedMemory.open(join(folder, 'absent')), 'ERR_ENGRAM_IO');
    await expectRejection(FederatedMemory.open(import.meta.filename), 'ERR_ENGRAM_FORMAT');
  });

  it(`in worker threads that are ended ${ENDINGS} times in the middle leave the process unharmed`, async () => {
    const random = seeded(73);
    for (let number = 0; number < ENDINGS; ++number) {
      const workerData = { dim, bytes: messages.map((one) => one.toBytes()) };
      const worker = new Worker(new URL('./children/federating-worker.mjs', import.meta.url), { workerData, execArgv: [] });
      expect((await once(worker, 'message'))[0]).to.equal('busy');
      await sleep(10 * random.uniform());
      await worker.terminate();
    }
    expect((await new FederatedMemory({ dim }).round(messages)).detected).to.equal(3);
  });
});
