/** Opens memories of each kind, with a plain word where a command is for another one. */
import { InvalidArgumentError, Option } from 'commander';
import type { DenseMemory, FederatedMemory, MeasureMemory } from '../index.js';
import { type Context, loadLibrary } from './command.js';
import { Failure } from './failure.js';
import { peekHeader } from './readers/safetensors-header.js';

/** What a command for another kind is told. */
const OTHER = {
  dense: 'is a memory of vectors; use `engram retrieve` or `engram search`',
  measures: 'is a memory of measures; use `engram measures retrieve` or `engram measures divergence`',
  'federated-memory': 'is a memory of archetypes; use `engram recall` or `engram consolidate --into`',
  'hebbian-operator': "is a client's message; use `engram consolidate`",
} as const;

export type MemoryKind = keyof typeof OTHER;

function isKind(kind: string | undefined): kind is MemoryKind {
  return kind !== undefined && Object.hasOwn(OTHER, kind);
}

/** Which kind of memory a file holds; files of other programs, which do not say it, can only be dense. */
export async function memoryKind(path: string): Promise<MemoryKind> {
  const kind = (await peekHeader(path))?.kind;
  return isKind(kind) ? kind : 'dense';
}

/** Where a command computes. */
export interface DeviceFlag {
  device: string;
}

export function deviceOption(): Option {
  return new Option('--device <device>', 'where to compute: auto, cpu or cuda:<n>')
    .argParser(deviceName)
    .default('auto');
}

/** Whether such a device is there is for the library to say. */
function deviceName(text: string): string {
  if (/^(auto|cpu|cuda:\d+)$/.test(text)) return text;
  throw new InvalidArgumentError('It must be auto, cpu or cuda:<n>.');
}

export async function openDense(path: string, { signal }: Context, { device }: DeviceFlag): Promise<DenseMemory> {
  const { DenseMemory } = await loadLibrary();
  return explained(path, 'dense', DenseMemory.open(path, { signal, device }));
}

export async function openMeasures(path: string, { signal }: Context, { device }: DeviceFlag): Promise<MeasureMemory> {
  const { MeasureMemory } = await loadLibrary();
  return explained(path, 'measures', MeasureMemory.open(path, { signal, device }));
}

export async function openFederated(path: string, { signal }: Context): Promise<FederatedMemory> {
  const { FederatedMemory } = await loadLibrary();
  return explained(path, 'federated-memory', FederatedMemory.open(path, { signal }));
}

/** Where a file does not open because it is of another kind, says which commands are for it. */
async function explained<T>(path: string, wanted: MemoryKind, opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_ENGRAM_FORMAT') throw error;
    const found = (await peekHeader(path))?.kind;
    if (found === wanted || !isKind(found)) throw error;
    throw new Failure(`${path}: ${OTHER[found]}`, 'ERR_ENGRAM_FORMAT', { cause: error });
  }
}
