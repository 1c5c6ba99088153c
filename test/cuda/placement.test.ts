/** Where memories come to lie: on GPUs that are full, lost or missing, and what 'auto' makes of them. On the simulated device. */
import { expect } from 'chai';
import { reportOf } from '../support/child.js';
import { engram } from '../support/command.js';
import { DenseMemory } from '../support/engram.js';
import { scratchFolder } from '../support/files.js';
import { gaussian, seeded } from '../support/random.js';

const CHILD = new URL('./children/placing.mjs', import.meta.url);
const DEVICE = 'cuda:0';
const MEMORY = 2_000_000;

interface Failure {
  readonly code: string;
  readonly message: string;
}
type Devices = Record<string, string>;

describe('where memories come to lie', function () {
  this.timeout(60_000);
  const folder = scratchFolder();
  const onMachine = <T>(machine: string, scenario: string, ...numbers: number[]): Promise<T> =>
    reportOf<T>(CHILD, [scenario, folder, ...numbers.map(String)], { ENGRAM_SIMULATED_DEVICE: machine }, []);
  const onSmall = <T>(scenario: string): Promise<T> => onMachine<T>(`memory=${MEMORY}`, scenario, MEMORY);

  const expectOnHost = (memories: Devices): void => {
    expect(Object.keys(memories)).to.have.lengthOf(9);
    for (const [how, device] of Object.entries(memories)) expect(device, how).to.equal('cpu 0 true');
  };

  describe("'auto'", () => {
    it('is the CPU where the GPU is full', async () => {
      const report = await onSmall<{ memories: Devices; rounded: Failure; intact: boolean; held: number }>('full');
      expectOnHost(report.memories);
      expect(report.held).to.be.above(0.98 * MEMORY);
      expect(report.rounded.code).to.equal('ERR_ENGRAM_RANGE');
      expect(report.rounded.message).to.contain('bf16').and.match(/could not use cuda:0: .*\d+ bytes/);
      expect(report.intact).to.equal(true);
    });

    it('is the CPU where the GPU is lost; whoever names it learns why', async () => {
      const report = await onMachine<{ memories: Devices; call: Failure; explicit: Failure; first: string }>(
        'fail_launch=1',
        'lost',
      );
      expect(report.call.code).to.equal('ERR_ENGRAM_DEVICE');
      expect(report.explicit.code).to.equal('ERR_ENGRAM_DEVICE');
      expect(report.first).to.equal(DEVICE);
      expectOnHost(report.memories);
    });

    it('says why there is no GPU to whoever wants a storage of 16 bits', async () => {
      const report = await onMachine<{ automatic: Failure; shared: Failure; cpu: Failure }>('driver=none', 'missing');
      for (const { code } of Object.values(report)) expect(code).to.equal('ERR_ENGRAM_RANGE');
      expect(report.automatic.message).to.contain('bf16').and.contain('cuda:0: no driver');
      expect(report.shared.message).to.contain('shared memory').and.not.contain('driver');
      expect(report.cpu.message).to.match(/the only one on the CPU$/);
    });

    it('leaves shared rows where they are', async () => {
      const report = await onMachine<Devices & { refused: Failure; later: Failure; copied: number }>('memory=2000000', 'shared');
      for (const how of ['default', 'auto', 'share']) expect(report[how], how).to.equal('cpu true');
      for (const how of ['copy', 'explicit']) expect(report[how], how).to.equal(`${DEVICE} false`);
      expect(report.values).to.equal(DEVICE); // not all arrays are shared: they are copied
      for (const refusal of [report.refused, report.later]) expect(refusal.code).to.equal('ERR_ENGRAM_RANGE');
      expect(report.copied).to.equal(20);
    });
  });

  it('what a GPU has no room for is still the caller\'s, also where it was to be moved', async () => {
    const report = await onSmall<{
      refusals: Failure[];
      lengths: boolean[];
      count: number;
      answered: boolean;
      fixed: string[];
      taken: unknown[];
      measuresTaken: unknown[];
    }>('refused');
    expect(report.refusals.map(({ code }) => code)).to.deep.equal(Array(3).fill('ERR_ENGRAM_OUT_OF_MEMORY'));
    expect(report.lengths).to.deep.equal([true, true, true]);
    expect(report).to.include({ count: 1, answered: true });
    expect(report.fixed).to.deep.equal(['ERR_ENGRAM_TYPE', 'ERR_ENGRAM_TYPE']);
    expect(report.taken).to.deep.equal([0, DEVICE, true, true]);
    expect(report.measuresTaken).to.deep.equal([0, DEVICE, true]);
  });

  it('the room of a memory is free when its calls have ended and it is disposed of', async () => {
    const memory = 300_000;
    expect(await onMachine(`memory=${memory}`, 'released', memory)).to.deep.equal({ failures: [] });
  });

  it('a memory grows by little where more would be too much of the GPU', async () => {
    const report = await onSmall<{ grown: number; found: boolean }>('alone');
    expect(report.grown).to.be.above(0).and.below(MEMORY / 10);
    expect(report.found).to.equal(true);
  });

  it('a memory that grows keeps a quarter of its room free, or some megabytes', async () => {
    const [few, many] = await onMachine<{ before: number; grown: number }[]>('memory=2000000000', 'growth', 5000, 8_000_000);
    expect(few!.grown).to.be.above(0).and.below(1e6);
    expect(many!.grown).to.be.above(0.2 * many!.before).and.below(0.26 * many!.before);
  });

  it('narrow rows are as wide as they lie there', async () => {
    expect(await onSmall('narrow')).to.equal(0); // they pass through
  });

  it('the garbage collector knows what memories hold on a GPU: it collects them in time', async () => {
    // Room for 150: it may come late where other processes leave it little time.
    expect(await onMachine('memory=3000000000', 'forgotten', 20_000_000, 450)).to.deep.equal({ made: 450 });
  });

  it('`engram import` computes on the CPU, as nothing stays there', async () => {
    const [source, saved] = [`${folder}/source.safetensors`, `${folder}/imported.safetensors`];
    DenseMemory.from(gaussian(seeded(1), 30, 4), { dim: 4, device: 'cpu' }).saveSync(source);
    const machine = { ENGRAM_SIMULATED_DEVICE: 'fail_launch=1' };
    const { status, stderr } = await engram(['import', source, '-o', saved, '--calibrate'], machine);
    expect(stderr).to.equal('');
    expect(status).to.equal(0);
  });
});
