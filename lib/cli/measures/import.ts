/** `engram measures import`: point lists and images become a memory of measures. */
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Epsilon, MeasureMemory } from '../../index.js';
import { type CommonOptions, type Context, defineAction, loadLibrary, positiveNumber } from '../command.js';
import { UsageError } from '../failure.js';
import { formatBytes, formatCount, formatFacts, formatNumber } from '../format.js';
import { addMetadataOptions, type MetadataFlags } from '../metadata-options.js';
import type { ReadClouds } from '../readers/clouds.js';
import { addCloudOptions, type CloudFlags, cloudOptionsOf } from './options.js';
import { PIXELS, readWatched } from './queries.js';

interface ImportFlags extends CommonOptions, CloudFlags, MetadataFlags {
  output: string;
  epsilon?: number;
  relativeEpsilon?: number;
  costScale?: number;
}

export function addMeasuresImport(measures: Command): void {
  const command = measures
    .command('import')
    .description(
      'Make a memory of clouds: point lists (npy, csv: one cloud to a file, or npy of count x n x dim), images as ' +
        'measures (png, idx, idx.gz), clouds in safetensors, folders of these.',
    )
    .argument('<file...>', 'files and folders, joined in this order')
    .requiredOption('-o, --output <memory>', 'the memory to write (safetensors)')
    .option('--epsilon <e>', 'entropic regularisation, in units of the cost', positiveNumber)
    .option('--relative-epsilon <r>', 'the same, relative to the mean cost between two stored points', positiveNumber)
    .option('--cost-scale <k>', 'k in the cost k |x - y|^2 (default: 0.5)', positiveNumber);
  addCloudOptions(command);
  addMetadataOptions(command);
  defineAction<ImportFlags>(command, importClouds);
}

async function importClouds(context: Context, flags: ImportFlags, files: readonly string[]): Promise<void> {
  const epsilon = epsilonOf(flags);
  const read = await readWatched(context, files, cloudOptionsOf('measures import', flags));
  using memory = await makeMemory(read, epsilon, flags);
  await context.withProgress('Saving', (onProgress) =>
    memory.save(flags.output, { signal: context.signal, onProgress }),
  );
  await report(context, memory, flags.output);
}

function epsilonOf({ epsilon, relativeEpsilon }: ImportFlags): Epsilon {
  if (epsilon !== undefined && relativeEpsilon === undefined) return epsilon;
  if (relativeEpsilon !== undefined && epsilon === undefined) return { relative: relativeEpsilon };
  throw new UsageError('measures import: give one of --epsilon and --relative-epsilon');
}

async function makeMemory(
  { clouds, dim, names, pixels }: ReadClouds,
  epsilon: Epsilon,
  { costScale, name, metadata }: ImportFlags,
): Promise<MeasureMemory> {
  const { MeasureMemory } = await loadLibrary();
  return MeasureMemory.from(clouds, {
    dim,
    epsilon,
    ...(costScale !== undefined && { costScale }),
    ...(name !== undefined && { name }),
    metadata: {
      ...(names && { names: JSON.stringify(names) }),
      ...(pixels && { coordinates: PIXELS }),
      ...metadata,
    },
    ownership: 'transfer',
    device: 'cpu', // it is only saved
  });
}

async function report(context: Context, memory: MeasureMemory, path: string): Promise<void> {
  const { size } = await stat(path);
  const { count, pointCount, dim, epsilon, costScale } = memory;
  context.print({ memory: path, count, points: pointCount, dim, epsilon, costScale, bytes: size }, () =>
    formatFacts([
      ['memory', `${path} (${formatBytes(size)})`],
      ['clouds', formatCount(count)],
      ['points', `${formatCount(pointCount)} x ${dim}`],
      ['epsilon', formatNumber(epsilon)],
    ]),
  );
}
