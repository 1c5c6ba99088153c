/**
 * A process of its own that runs every case with the instruction set its environment names, and sends
 * what it found to its parent.
 */
import { devices } from '../support/engram.js';
import { conformanceCases } from './cases.js';
import { check, type Findings } from './check.js';
import { measureCases } from './measure-cases.js';
import { checkMeasures } from './measure-check.js';
import { spectralCases } from './spectral-cases.js';
import { checkSpectral } from './spectral-check.js';

/** One case's outcome. */
export interface Outcome {
  readonly name: string;
  readonly findings: string[];
}

/** Everything a child reports. */
export interface Report {
  /** The instruction set really in use. */
  readonly instructionSet: string | undefined;
  readonly outcomes: Outcome[];
}

const outcomeOf = async (name: string, checked: Promise<Findings>): Promise<Outcome> => {
  const findings = await checked.catch((error: unknown) => [String(error)]);
  return { name, findings };
};

async function runAll(device: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const c of conformanceCases) outcomes.push(await outcomeOf(c.name, check(c, device)));
  for (const c of measureCases) outcomes.push(await outcomeOf(c.name, checkMeasures(c, device)));
  if (device !== 'cpu') return outcomes; // operators are not computed elsewhere yet
  for (const c of spectralCases) outcomes.push(await outcomeOf(c.name, checkSpectral(c)));
  return outcomes;
}

const device = process.argv[2]!;
const { instructionSet } = devices().find(({ id }) => id === device)!;
const wanted = process.env['ENGRAM_ISA'] ?? instructionSet;
// Without the set that was asked for there is nothing to learn: the parent skips the suite.
const outcomes = instructionSet === wanted ? await runAll(device) : [];
process.send!({ instructionSet, outcomes } satisfies Report);
process.disconnect();
