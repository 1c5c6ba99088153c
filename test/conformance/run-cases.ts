/**
 * A process of its own that runs every case with the instruction set its environment names, and sends
 * what it found to its parent.
 */
import { devices } from '../support/engram.js';
import { conformanceCases } from './cases.js';
import { check } from './check.js';

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

async function runAll(device: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const c of conformanceCases) {
    const findings = await check(c, device).catch((error: unknown) => [String(error)]);
    outcomes.push({ name: c.name, findings });
  }
  return outcomes;
}

const device = process.argv[2]!;
const { instructionSet } = devices().find(({ id }) => id === device)!;
const wanted = process.env['ENGRAM_ISA'] ?? instructionSet;
// Without the set that was asked for there is nothing to learn: the parent skips the suite.
const outcomes = instructionSet === wanted ? await runAll(device) : [];
process.send!({ instructionSet, outcomes } satisfies Report);
process.disconnect();
