/** `engram import`: patterns in files of several formats become a memory. */
import { stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { Calibration, DenseMemory, Similarity } from '../index.js';
import { type CommonOptions, type Context, defineAction, loadLibrary } from './command.js';
import { Failure, UsageError } from './failure.js';
import { formatBytes, formatCount, formatFacts, formatNumber } from './format.js';
import { addMetadataOptions, type MetadataFlags } from './metadata-options.js';
import { oneHot, readAllLabels } from './readers/labels.js';
import { concatenate, type MatrixSource, type ReadOptions, readWhole } from './readers/matrix.js';
import { openMatrix } from './readers/open.js';
import { addReadOptions, type ReadFlags, readOptionsOf, SIMILARITIES } from './read-options.js';

interface ImportOptions extends CommonOptions, ReadFlags, MetadataFlags {
  output: string;
  values?: string[];
  labels?: string[];
  labelColumn?: string;
  calibrate?: Similarity | true;
}

/** What goes into the memory beside the patterns. */
interface Values {
  readonly numbers: Float32Array;
  readonly dim: number;
  /** Names of the classes, where the values are one-hot labels. */
  readonly classes?: readonly string[];
}

export function addImport(program: Command): void {
  const command = program
    .command('import')
    .description('Make a memory of the rows of one or more files (idx, idx.gz, npy, csv, safetensors).')
    .argument('<file...>', 'files of patterns, joined in this order')
    .requiredOption('-o, --output <memory>', 'the memory to write (safetensors)')
    .option('--values <file...>', 'what the memory reads out instead of the patterns, row by row')
    .option('--labels <file...>', 'labels to read out, row by row; stored one-hot')
    .option('--label-column <column>', 'csv: the column that holds labels (name or number from 1); stored one-hot')
    .addOption(
      new Option('--calibrate [similarity]', 'calibrate the memory, so that retrieve needs no --beta')
        .choices(SIMILARITIES)
        .preset('euclidean'),
    );
  addMetadataOptions(command);
  addReadOptions(command);
  defineAction<ImportOptions>(command, importFiles);
}

async function importFiles(context: Context, options: ImportOptions, files: readonly string[]): Promise<void> {
  const given = [options.values, options.labels, options.labelColumn].filter((one) => one !== undefined);
  if (given.length > 1) throw new UsageError('import: give one of --values, --labels and --label-column');
  const readOptions: ReadOptions = {
    ...readOptionsOf(options),
    ...(options.labelColumn !== undefined && { labelColumn: options.labelColumn }),
  };
  const sources = await openAll(files, readOptions);
  const values = await readValues(files, options, readOptions);
  using memory = await context.withProgress('Reading', (onProgress) =>
    storeAll(sources, values, options, context.signal, onProgress),
  );
  const calibration = await calibrate(memory, options, context);
  await context.withProgress('Saving', (onProgress) =>
    memory.save(options.output, { signal: context.signal, onProgress }),
  );
  await report(context, memory, options.output, values, calibration);
}

async function openAll(files: readonly string[], options: ReadOptions): Promise<MatrixSource[]> {
  const sources: MatrixSource[] = [];
  for (const file of files) {
    const source = await openMatrix(file, options);
    const [first] = sources;
    if (first !== undefined && source.dim !== first.dim) {
      throw new Failure(
        `${file}: has ${source.dim} numbers per row; ${first.path} has ${first.dim}`,
        'ERR_ENGRAM_SHAPE',
      );
    }
    sources.push(source);
  }
  return sources;
}

async function readValues(
  files: readonly string[],
  { values, labels, labelColumn }: ImportOptions,
  readOptions: ReadOptions,
): Promise<Values | undefined> {
  if (values !== undefined) {
    const sources = await openAll(values, {});
    const parts: Float32Array[] = [];
    for (const source of sources) parts.push(await readWhole(source));
    return { numbers: concatenate(parts), dim: sources[0]?.dim ?? 0 };
  }
  if (labels === undefined && labelColumn === undefined) return undefined;
  const read = labels !== undefined ? await readAllLabels(labels, {}) : await readAllLabels(files, readOptions);
  return { numbers: oneHot(read), dim: read.classes.length, classes: read.classes };
}

/** Reads the sources piece by piece into a new memory. */
async function storeAll(
  sources: readonly MatrixSource[],
  values: Values | undefined,
  { name, metadata }: ImportOptions,
  signal: AbortSignal,
  onProgress: (report: { done: number; total: number }) => void,
): Promise<DenseMemory> {
  const { DenseMemory } = await loadLibrary();
  const dim = sources[0]?.dim ?? 0;
  const facts = { ...metadata, ...(values?.classes && { classes: JSON.stringify(values.classes) }) };
  const memory = DenseMemory.from(new Float32Array(0), {
    dim,
    ...(values && { valueDim: values.dim, values: new Float32Array(0) }),
    ...(name !== undefined && { name }),
    metadata: facts,
    device: 'cpu', // it is only saved
  });
  for (const [at, source] of sources.entries()) {
    for await (const patterns of source.batches()) {
      signal.throwIfAborted();
      memory.store(patterns, values && { values: valuesOf(values, memory.count, patterns.length / dim) });
    }
    onProgress({ done: at + 1, total: sources.length });
  }
  if (values !== undefined && values.numbers.length !== memory.count * values.dim) tooFew(values, memory.count);
  return memory;
}

/** The values of `count` rows from row `first` on. */
function valuesOf({ numbers, dim, classes }: Values, first: number, count: number): Float32Array {
  const rows = numbers.subarray(first * dim, (first + count) * dim);
  if (rows.length < count * dim) tooFew({ numbers, dim, ...(classes && { classes }) }, first + count, 'at least ');
  return rows;
}

function tooFew({ numbers, dim, classes }: Values, patterns: number, least = ''): never {
  const what = classes === undefined ? 'rows of values' : 'labels';
  throw new Failure(
    `there are ${numbers.length / dim} ${what} for ${least}${patterns} patterns; one for each is needed`,
    'ERR_ENGRAM_SHAPE',
  );
}

async function calibrate(
  memory: DenseMemory,
  options: ImportOptions,
  context: Context,
): Promise<Calibration | undefined> {
  const similarity = options.calibrate;
  if (similarity === undefined || similarity === true) return undefined;
  const { signal } = context;
  return context.withProgress('Calibrating', (onProgress) => memory.calibrate({ similarity, signal, onProgress }));
}

async function report(
  context: Context,
  memory: DenseMemory,
  path: string,
  values: Values | undefined,
  calibration: Calibration | undefined,
): Promise<void> {
  const { size } = await stat(path);
  const { count, dim, valueDim } = memory;
  const result = { memory: path, count, dim, valueDim, bytes: size, classes: values?.classes, calibration };
  context.print(result, () =>
    formatFacts([
      ['memory', `${path} (${formatBytes(size)})`],
      ['patterns', `${formatCount(count)} x ${dim}`],
      ...(values ? [['values', valueText(values)] as const] : []),
      ...(calibration ? [['beta', `${formatNumber(calibration.beta)} (${calibration.similarity})`] as const] : []),
    ]),
  );
}

function valueText({ dim, classes }: Values): string {
  return classes === undefined ? `${dim} numbers each` : `${dim} classes, one-hot`;
}
