/**
 * Every operation x similarity x shape x alignment, every operation of measures x solver x shape, and every operation of
 * operators x shape x element type, against the Float64 reference, on every instruction set this machine has (one process each, forced through ENGRAM_ISA) and on
 * every device. What this machine lacks is reported as skipped.
 */
import path from 'node:path';
import { expect } from 'chai';
import { devices } from '../support/engram.js';
import { reportOf } from '../support/child.js';
import { conformanceCases } from './cases.js';
import { measureCases } from './measure-cases.js';
import type { Report } from './run-cases.js';
import { spectralCases } from './spectral-cases.js';

const INSTRUCTION_SETS = ['scalar', 'sse4', 'avx2', 'avx512', 'neon'];
const RUN_CASES = new URL(`./run-cases${path.extname(import.meta.url)}`, import.meta.url);

/** Failures shown in a message; the rest are counted. */
const SHOWN = 5;

const groups = [
  ...new Set(conformanceCases.map((c) => `${c.operation} ${c.similarity}`)),
  ...new Set(measureCases.map((c) => `${c.operation} measures`)),
];
/** Of operators, which are computed on the CPU alone. */
const cpuGroups = [...new Set(spectralCases.map((c) => `${c.operation} spectral`))];

function suite(title: string, device: string, env: NodeJS.ProcessEnv, instructionSet?: string): void {
  describe(title, function () {
    this.timeout(120_000);
    let report: Report;

    before(async function () {
      report = await reportOf<Report>(RUN_CASES, [device], env);
      if (report.instructionSet !== instructionSet) this.skip();
    });

    for (const group of device === 'cpu' ? [...groups, ...cpuGroups] : groups) {
      it(group, () => {
        const outcomes = report.outcomes.filter(({ name }) => name.startsWith(`${group} `));
        const failed = outcomes.filter(({ findings }) => findings.length > 0);
        const shown = failed.slice(0, SHOWN).map(({ name, findings }) => `\n  ${name}: ${findings[0]}`);
        expect(outcomes).to.not.have.lengthOf(0);
        expect(failed.length, `${failed.length} of ${outcomes.length} cases${shown.join('')}`).to.equal(0);
      });
    }
  });
}

describe('conformance with the Float64 reference', () => {
  for (const isa of INSTRUCTION_SETS) {
    suite(`cpu, ${isa}`, 'cpu', { ENGRAM_ISA: isa }, isa);
  }
  for (const { id, name, available, reason } of devices().filter((device) => device.id !== 'cpu')) {
    if (available) suite(`${id}, ${name}`, id, {});
    else it.skip(`${id}: ${reason}`);
  }
});
