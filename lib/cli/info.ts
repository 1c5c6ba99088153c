/** `engram info`: what a memory file holds. */
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Calibration, OpenOptions } from '../index.js';
import { type CommonOptions, type Context, defineAction, loadLibrary } from './command.js';
import { formatBytes, formatCount, formatFacts, formatNumber, shorten } from './format.js';
import { type MemoryKind, memoryKind } from './memories.js';

interface InfoOptions extends CommonOptions {
  verify?: boolean;
}

/** What is told, and how people read it. */
interface Description {
  readonly result: object;
  readonly facts: readonly (readonly [string, string])[];
}

const MOST_METADATA = 100;

export function addInfo(program: Command): void {
  const command = program
    .command('info')
    .description('Say what a memory file holds.')
    .argument('<memory>', 'a safetensors or .npy file')
    .option('--verify', 'read the whole file and compare its checksums');
  defineAction<InfoOptions>(command, showInfo);
}

async function showInfo(context: Context, options: InfoOptions, [path = '']: readonly string[]): Promise<void> {
  const verify = options.verify === true;
  const kind = await memoryKind(path);
  const { result, facts } = await DESCRIBE[kind](path, { verify, signal: context.signal });
  const { size } = await stat(path);
  context.print({ memory: path, kind, bytes: size, verified: verify, ...result }, () =>
    formatFacts([['file', `${path} (${formatBytes(size)}, mapped)${verify ? ', checksums verified' : ''}`], ...facts]),
  );
}

type Opening = Pick<OpenOptions, 'signal' | 'verify'>;

/** Only the header of the file is read. */
async function describeDense(path: string, opening: Opening): Promise<Description> {
  const { DenseMemory } = await loadLibrary();
  using memory = await DenseMemory.open(path, { ...opening, device: 'cpu' });
  const { count, liveCount, dim, valueDim, calibration, metadata, nativeBytes } = memory;
  const live = count === liveCount ? '' : `, ${formatCount(liveCount)} live`;
  return {
    result: { count, liveCount, dim, valueDim, nativeBytes, calibration, metadata },
    facts: [
      ['patterns', `${formatCount(count)} x ${dim}${live}`],
      ['read out', valueDim === dim ? `${dim} numbers` : `values of ${valueDim} numbers`],
      ['calibration', calibration ? calibrationText(calibration) : 'none'],
      ...metadataFacts(metadata),
    ],
  };
}

/** Every point is read and checked. */
async function describeMeasures(path: string, opening: Opening): Promise<Description> {
  const { MeasureMemory } = await loadLibrary();
  using memory = await MeasureMemory.open(path, { ...opening, device: 'cpu' });
  const { count, pointCount, dim, epsilon, costScale, metadata, nativeBytes } = memory;
  return {
    result: { count, points: pointCount, dim, epsilon, costScale, nativeBytes, metadata },
    facts: [
      ['clouds', `${formatCount(count)}, of ${formatNumber(pointCount / count)} points on average`],
      ['points', `${formatCount(pointCount)} x ${dim}`],
      ['epsilon', formatNumber(epsilon)],
      ['cost', `${formatNumber(costScale)} |x - y|^2`],
      ...metadataFacts(metadata),
    ],
  };
}

async function describeFederated(path: string, opening: Opening): Promise<Description> {
  const { FederatedMemory } = await loadLibrary();
  using memory = await FederatedMemory.open(path, opening);
  const { count, dim, rounds, metadata, nativeBytes } = memory;
  const overlaps = [...memory.overlaps];
  return {
    result: { count, dim, rounds, overlaps, nativeBytes, metadata },
    facts: [
      ['archetypes', `${formatCount(count)} x ${dim}`],
      ['rounds', formatCount(rounds)],
      ...(count === 0 ? [] : [['overlaps', `${overlaps.map(formatNumber).join(' ')} (predicted)`] as [string, string]]),
      ...metadataFacts(metadata),
    ],
  };
}

/** All of it is read and checked, whatever was asked for. */
async function describeOperator(path: string): Promise<Description> {
  const { HebbianOperator } = await loadLibrary();
  const operator = HebbianOperator.fromBytes(await readFile(path));
  const { client, dim, rank, sampleCount, trace, noiseVariance, quality } = operator;
  return {
    result: { client, dim, rank, sampleCount, trace, noiseVariance, quality, eigenvalues: [...operator.eigenvalues] },
    facts: [
      ['client', client === '' ? 'without a name' : client],
      ['examples', `${formatCount(sampleCount)} x ${dim}`],
      ['rank', formatCount(rank)],
      ['quality', quality === 0 ? 'not told from noise alone' : formatNumber(quality)],
    ],
  };
}

const DESCRIBE: Readonly<Record<MemoryKind, (path: string, opening: Opening) => Promise<Description>>> = {
  dense: describeDense,
  measures: describeMeasures,
  'federated-memory': describeFederated,
  'hebbian-operator': describeOperator,
};

function metadataFacts(metadata: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(metadata).map(([key, value]) => [key, shorten(value, MOST_METADATA)]);
}

function calibrationText({ beta, similarity, recall, sample, unreachable }: Calibration): string {
  const told = sample - unreachable;
  return `beta ${formatNumber(beta)} (${similarity}, recall ${formatNumber(recall)}, ${told} of ${sample} items told apart)`;
}
