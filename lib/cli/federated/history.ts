/** The rounds of a memory, kept beside it: its file holds only what the rounds led to. */
import { readFile } from 'node:fs/promises';
import type { FederatedMemory, RoundReport } from '../../index.js';
import { badFile } from '../failure.js';
import { writeWhole } from '../files.js';

/** What is kept of a round. */
export interface RoundEntry {
  readonly round: number;
  readonly clients: number;
  readonly detected: number;
  readonly archetypes: number;
  readonly added: number;
  readonly forgotten: number;
  readonly novelty: number;
}

const FIELDS = ['round', 'clients', 'detected', 'archetypes', 'added', 'forgotten', 'novelty'] as const;

/** Adds a round to those in the file, if one is given. Returns all of them. */
export async function appendRound(
  path: string | undefined,
  report: RoundReport,
  memory: FederatedMemory,
): Promise<RoundEntry[]> {
  const { round, detected, added, forgotten, novelty } = report;
  const clients = report.clientWeights.length - report.rejectedClients.length;
  const entry: RoundEntry = { round, clients, detected, archetypes: memory.count, added, forgotten, novelty };
  if (path === undefined) return [entry];
  const rounds = [...(await readRounds(path)), entry];
  await writeWhole(path, `${JSON.stringify(rounds, undefined, 2)}\n`);
  return rounds;
}

async function readRounds(path: string): Promise<RoundEntry[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // the first round
    throw error;
  }
  const rounds = parsed(text);
  if (Array.isArray(rounds) && rounds.every(isEntry)) return rounds;
  throw badFile(path, 'is not a history of rounds as `consolidate --history` writes it');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is RoundEntry {
  return typeof value === 'object' && value !== null && FIELDS.every((name) => Number.isFinite((value as RoundEntry)[name]));
}
