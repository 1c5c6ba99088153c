/**
 * Devices that are missing, full, failing or lost, and calls on them that are aborted, abandoned or many: on the
 * simulated device, whose machine the variable ENGRAM_SIMULATED_DEVICE describes (test/cuda/simulator/faults.h).
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { type Ending, ended, reportOf, start } from '../support/child.js';
import { engram } from '../support/command.js';
import { DenseMemory, type DeviceInfo, EngramError, softmax } from '../support/engram.js';
import { expectClose, expectRejection, expectSameBits } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';
import { gaussian, seeded } from '../support/random.js';

const child = (name: string): URL => new URL(`./children/${name}.mjs`, import.meta.url);
const ON_MACHINE = child('on-machine');
const EXIT = child('exit-mid-call');
const WORKER = child('searching-worker');

const DEVICE = 'cuda:0';
const DIM = 16;
const patterns = gaussian(seeded(71), 300, DIM);
const queries = patterns.slice(0, 4 * DIM);
const separation = softmax({ beta: 1 });

interface Failure {
  readonly code: string;
  readonly message: string;
}

/** Runs a scenario of the child in a process whose machine is as described. */
const onMachine = <T>(machine: string, scenario: string, ...args: number[]): Promise<T> =>
  reportOf<T>(ON_MACHINE, [scenario, ...args.map(String)], { ENGRAM_SIMULATED_DEVICE: machine }, []);

describe('machines without a usable GPU', function () {
  this.timeout(60_000);
  const folder = scratchFolder();
  const garbage = join(folder, 'garbage.so');
  before(() => writeFileSync(garbage, 'no library'));

  const machines: [what: string, reason: string, env: () => NodeJS.ProcessEnv][] = [
    ['no driver', 'no driver', () => ({ ENGRAM_SIMULATED_DEVICE: 'driver=none' })],
    ['a driver that is too old', 'driver too old: it supports CUDA 11.4', () => ({ ENGRAM_SIMULATED_DEVICE: 'driver=old' })],
    ['no device', 'no device', () => ({ ENGRAM_SIMULATED_DEVICE: 'devices=0' })],
    ['a device that is too old', 'compute capability 7.5', () => ({ ENGRAM_SIMULATED_DEVICE: 'major=7,minor=5' })],
    ['no plugin', 'this build has no CUDA backend', () => ({ ENGRAM_CUDA_PLUGIN: join(folder, 'missing.so') })],
    ['a plugin that is no library', 'the CUDA backend cannot be loaded', () => ({ ENGRAM_CUDA_PLUGIN: garbage })],
  ];
  for (const [what, reason, env] of machines) {
    it(`${what}: 'auto' is the CPU, and whoever asks learns the reason`, async () => {
      const report = await reportOf<{
        devices: DeviceInfo[];
        auto: string;
        answered: boolean;
        refused: Failure;
      }>(ON_MACHINE, ['listed'], env(), []);
      expect(report).to.include({ auto: 'cpu', answered: true });
      const [, device] = report.devices;
      expect(device).to.include({ id: DEVICE, available: false });
      expect(device!.reason).to.contain(reason);
      expect(report.refused.code).to.equal('ERR_ENGRAM_DEVICE');
      expect(report.refused.message).to.contain(DEVICE).and.contain(reason);

      const { status, stdout } = await engram(['doctor', '--json'], env());
      expect(status).to.equal(0);
      expect((JSON.parse(stdout) as { devices: DeviceInfo[] }).devices[1]).to.deep.equal(device);
    });
  }
});

describe('memory of a GPU', function () {
  this.timeout(60_000);
  const MEMORY = 2_000_000;
  const onSmall = <T>(scenario: string): Promise<T> => onMachine<T>(`memory=${MEMORY}`, scenario, MEMORY);

  const expectOutOfMemory = (failure: Failure): void => {
    expect(failure.code).to.equal('ERR_ENGRAM_OUT_OF_MEMORY');
    expect(failure.message).to.contain(DEVICE).and.match(/\d+ bytes/);
  };

  it('that is taken is refused, changes nothing, and can be had again after dispose()', async () => {
    const report = await onSmall<{
      refused: Failure;
      notStored: Failure;
      stored: number;
      answered: boolean;
      bytes: number;
    }>('crowded');
    expectOutOfMemory(report.refused);
    expectOutOfMemory(report.notStored);
    expect(report).to.include({ stored: 1, answered: true });
    expect(report.bytes).to.be.above(MEMORY / 2);
  });

  it('is taken row by row where there is no room to grow by more', async () => {
    const report = await onSmall<{ refused?: Failure; grown: number; other: boolean }>('tight');
    expect(report).to.not.have.property('refused');
    expect(report.grown).to.be.above(0).and.below(MEMORY / 10);
    expect(report.other).to.equal(true);
  });

  it('that a call lacks for its work ends the call alone', async () => {
    const report = await onSmall<{ refused: Failure; again: Failure; answered: boolean }>('cramped');
    expectOutOfMemory(report.refused);
    expectOutOfMemory(report.again);
    expect(report.answered).to.equal(true);
  });

  it('may be smaller than the rows: they pass through it', async () => {
    interface Found {
      readonly indices: number[];
      readonly energy: number[];
    }
    const report = await onSmall<{ bytes: number; there: Found; here: Found }>('larger');
    expect(report.bytes).to.equal(0);
    expect(report.there.indices).to.deep.equal(report.here.indices);
    expectClose(report.there.energy, report.here.energy, 1e-4);
  });
});

describe('several GPUs', function () {
  this.timeout(60_000);

  it('are each a device, and answer alike', async () => {
    const report = await onMachine<{
      devices: DeviceInfo[];
      auto: string;
      same: boolean;
      bytes: boolean[];
      refused: Failure;
    }>('devices=2', 'both');
    expect(report.devices.map(({ id, available }) => `${id} ${available}`)).to.deep.equal([
      'cpu true',
      'cuda:0 true',
      'cuda:1 true',
    ]);
    expect(report).to.deep.include({ auto: DEVICE, same: true, bytes: [true, true] });
    expect(report.refused.code).to.equal('ERR_ENGRAM_DEVICE');
    expect(report.refused.message).to.contain('cuda:2').and.contain('there are 2 CUDA devices');
  });
});

describe('a GPU that fails', function () {
  this.timeout(60_000);

  interface Aftermath {
    readonly [call: string]: Failure;
  }
  const machines = [
    ['in its first kernel', 'fail_launch=1'],
    ['in a later kernel', 'fail_launch=23'],
    ['by being lost in the first call', 'lose_after=20'],
    ['by being lost in a later call', 'lose_after=300'],
  ] as const;
  for (const [how, fault] of machines) {
    it(`${how}: calls there fail with ERR_ENGRAM_DEVICE, dispose() works, others go on`, async () => {
      const report = await onMachine<Aftermath & { many: Failure[]; other: boolean; cpu: boolean }>(
        `devices=2,${fault}`,
        'failing',
      );
      for (const call of ['first', 'search', 'retrieve', 'sync', 'create']) {
        expect(report[call]?.code, call).to.equal('ERR_ENGRAM_DEVICE');
        expect(report[call]!.message, call).to.match(/cuda:0: .* failed: /);
      }
      expect(report.many.map(({ code }) => code)).to.deep.equal(Array(20).fill('ERR_ENGRAM_DEVICE'));
      expect(report).not.to.have.property('dispose');
      expect(report).to.include({ other: true, cpu: true });
    });
  }
});

describe('measures on a GPU', function () {
  this.timeout(60_000);
  interface Aftermath {
    readonly refused?: Failure;
    readonly calls: (Failure | undefined)[];
    readonly dispose?: Failure;
    readonly cpu: boolean;
  }

  it('that has no room for them are refused, fewer are not', async () => {
    const report = await onMachine<Aftermath>('memory=100000', 'measures', 1800);
    expect(report.refused).to.include({ code: 'ERR_ENGRAM_OUT_OF_MEMORY' });
    expect(report.refused!.message).to.contain(DEVICE).and.match(/\d+ bytes/);
    expect(report.calls.filter(Boolean)).to.deep.equal([]);
    expect(report).to.include({ cpu: true }).and.not.have.property('dispose');
  });

  it('that fails: calls there fail with ERR_ENGRAM_DEVICE, dispose() works, the CPU goes on', async () => {
    const report = await onMachine<Aftermath>('fail_launch=1', 'measures', 5);
    for (const call of report.calls) expect(call).to.include({ code: 'ERR_ENGRAM_DEVICE' });
    expect(report).to.include({ cpu: true }).and.not.have.property('dispose');
    expect(report).to.not.have.property('refused');
  });
});

describe('process exit in the middle of a call on a GPU', function () {
  this.timeout(60_000);

  async function run(way: string, delay: number): Promise<Ending & { output: string }> {
    const process = start(EXIT, [way, String(delay)], { execArgv: [], silent: true });
    let output = '';
    process.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
    process.stderr!.resume();
    return { ...(await ended(process)), output };
  }

  for (const delay of [0, 2, 30]) {
    it(`process.exit after ${delay} ms keeps its exit code`, async () => {
      expect(await run('exit', delay)).to.include({ code: 7, signal: null });
    });
  }

  it('dispose and process.exit at once keep the exit code', async () => {
    expect(await run('dispose', 5)).to.include({ code: 7, signal: null });
  });

  it('an uncaught exception ends with status 1', async () => {
    expect(await run('throw', 5)).to.include({ code: 1, signal: null });
  });

  it('calls under way keep the process alive until they have settled', async () => {
    expect(await run('end', 0)).to.include({ code: 0, output: 'settled\n' });
  });
});

describe('calls on a GPU', function () {
  this.timeout(60_000);
  const onDevice = () => DenseMemory.from(patterns, { dim: DIM, device: DEVICE });
  const own = (i: number): Float32Array => patterns.slice(i * DIM, (i + 1) * DIM);

  /** Half of the items x, half -x, at the critical temperature: a retrieval creeps on for ever. */
  function endless() {
    const x = 1 / Math.sqrt(DIM);
    const rows = Float32Array.from({ length: 60 * DIM }, (_, e) => (Math.floor(e / DIM) % 2 === 0 ? x : -x));
    const memory = DenseMemory.from(rows, { dim: DIM, device: DEVICE });
    const call = (signal: AbortSignal) =>
      memory.retrieve(new Float32Array(2 * DIM).fill(x), { separation, similarity: 'dot', steps: 2 ** 31, signal });
    return { memory, call };
  }

  it('leave the event loop free, and end when they are aborted', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let settled = false;
    const call = endless()
      .call(controller.signal)
      .catch((error: unknown) => error)
      .finally(() => (settled = true));
    for (let fired = 0; fired < 50; ++fired) {
      await sleep(1);
      expect(settled).to.equal(false);
    }
    controller.abort(reason);
    expect(await call).to.equal(reason);
  });

  it('end, or are told of it, when their memory is disposed of', async () => {
    const expected = await onDevice().search(queries, { k: 3 });
    for (let round = 0; round < 10; ++round) {
      const memory = onDevice();
      const calls = Array.from({ length: 8 }, () => memory.search(queries, { k: 3 }));
      if (round % 2 === 1) await sleep(round);
      memory.dispose();
      expect(memory.deviceBytes).to.equal(0);
      for (const outcome of await Promise.allSettled(calls)) {
        if (outcome.status === 'fulfilled') expectSameBits(outcome.value.indices, expected.indices, 'indices');
        else expect(outcome.reason).to.be.instanceOf(EngramError).with.property('code', 'ERR_ENGRAM_DISPOSED');
      }
      await expectRejection(memory.search(queries, { k: 1 }), 'ERR_ENGRAM_DISPOSED');
    }
  });

  it('that are aborted while rows are brought in leave the rest to the next call', async () => {
    const random = seeded(72);
    const host = DenseMemory.from(patterns, { dim: DIM, device: 'cpu' });
    const expected = await host.search(queries, { k: 5 });
    let aborted = 0;
    for (let round = 0; round < 20; ++round) {
      // Rows that are moved in are brought in apart, one piece after the other.
      const piece = () => ({ ownership: 'transfer' }) as const;
      const memory = DenseMemory.from(patterns.slice(0, 30 * DIM), { dim: DIM, device: DEVICE, ...piece() });
      for (let i = 1; i < 10; ++i) memory.store(patterns.slice(i * 30 * DIM, (i + 1) * 30 * DIM), piece());
      const controller = new AbortController();
      const call = memory.search(queries, { k: 5, signal: controller.signal });
      if (round % 5 > 0) await sleep(random.uniform() * 8);
      controller.abort('stop');
      await call.catch((reason: unknown) => {
        expect(reason).to.equal('stop');
        ++aborted;
      });
      const found = await memory.search(queries, { k: 5 });
      expectSameBits(found.indices, expected.indices, 'indices');
      memory.dispose();
    }
    expect(aborted).to.be.above(0);
  });

  it('that fail do not make others fail', async () => {
    const memory = onDevice();
    const calls = Array.from({ length: 40 }, (_, i) => {
      const query = own(i);
      if (i === 20) query.fill(3e38); // scores overflow
      return memory.search(query, { k: 1 });
    });
    for (const [i, outcome] of (await Promise.allSettled(calls)).entries()) {
      if (i === 20) expect(outcome).to.have.nested.property('reason.code', 'ERR_ENGRAM_RANGE');
      else expect(outcome).to.have.nested.property('value.indices.0', i);
    }
  });

  it('may be many, from several threads with memories of their own', async () => {
    const calls = 60;
    const workers = Array.from(
      { length: 3 },
      () => new Worker(WORKER, { workerData: { patterns, dim: DIM, calls }, execArgv: [] }),
    );
    const replies = workers.map(async (worker) => {
      for await (const [message] of onMessages(worker)) if (message !== 'busy') return message as number[][];
      return expect.fail('the worker ended without an answer');
    });
    const memory = onDevice();
    const here = await Promise.all(Array.from({ length: calls }, (_, i) => memory.search(own(i), { k: 1 + (i % 3) })));
    const expected = here.map(({ indices }) => [...indices]);
    expected.forEach(([first], i) => expect(first).to.equal(i));
    for (const reply of await Promise.all(replies)) expect(reply).to.deep.equal(expected);
  });

  it('of threads that are ended leave the others unharmed', async () => {
    const memory = onDevice();
    const expected = await memory.search(queries, { k: 4 });
    for (let round = 0; round < 8; ++round) {
      const worker = new Worker(WORKER, { workerData: { patterns, dim: DIM, calls: 200 }, execArgv: [] });
      await once(worker, 'message');
      await sleep(round);
      await worker.terminate();
      expectSameBits((await memory.search(queries, { k: 4 })).indices, expected.indices, 'indices');
    }
  });
});

/** The messages of a worker, until it ends; rejects where it fails. */
async function* onMessages(worker: Worker): AsyncGenerator<[unknown]> {
  for (;;) yield (await once(worker, 'message')) as [unknown];
}
