/** `engram measures divergence`: how far clouds are from each stored one. */
import type { Command } from 'commander';
import type { Divergence } from '../../index.js';
import { type CommonOptions, type Context, defineAction } from '../command.js';
import { UsageError } from '../failure.js';
import { writeWhole } from '../files.js';
import { formatCount, formatFacts, formatNumber, formatSeconds } from '../format.js';
import { type DeviceFlag, deviceOption, openMeasures } from '../memories.js';
import { saveNpy } from '../npy.js';
import {
  addCloudOptions,
  addSolverOptions,
  type CloudFlags,
  cloudOptionsOf,
  type SolverFlags,
  solverOptionsOf,
} from './options.js';
import { readQueries, storedNames } from './queries.js';
import { labeller, queryTable } from '../query-table.js';

interface DivergenceFlags extends CommonOptions, CloudFlags, SolverFlags, DeviceFlag {
  output?: string;
}

export function addMeasuresDivergence(measures: Command): void {
  const command = measures
    .command('divergence')
    .description('Debiased Sinkhorn divergence of each query to each stored cloud, with the nearest of them.')
    .argument('<memory>', 'a memory of measures')
    .argument('<queries...>', 'clouds, in files and folders as `measures import` reads them')
    .option('-o, --output <out>', 'out.npy: queries x clouds, Float64; out.json: error bounds, iterations and residuals too')
    .addOption(deviceOption());
  addSolverOptions(command);
  addCloudOptions(command);
  defineAction<DivergenceFlags>(command, measure);
}

async function measure(
  context: Context,
  flags: DivergenceFlags,
  [path = '', ...queryPaths]: readonly string[],
): Promise<void> {
  const { output } = flags;
  if (output !== undefined && !/\.(json|npy)$/.test(output)) {
    const expected = 'expected a name that ends with .json or .npy';
    throw new UsageError(`measures divergence: --output is ${JSON.stringify(output)}; ${expected}`);
  }
  const cloudOptions = cloudOptionsOf('measures divergence', flags);
  using memory = await openMeasures(path, context, flags);
  const queries = await readQueries(context, memory, queryPaths, cloudOptions);
  const start = performance.now();
  const divergence = await context.withProgress('Comparing', (onProgress) =>
    memory.divergence(queries.clouds, { ...solverOptionsOf(flags), signal: context.signal, onProgress }),
  );
  const seconds = (performance.now() - start) / 1000;
  if (output !== undefined) await writeDivergence(output, divergence);
  report(context, divergence, {
    memory: path,
    output,
    seconds,
    queryLabel: labeller(queries.names),
    storedLabel: labeller(storedNames(memory)),
  });
}

async function writeDivergence(path: string, divergence: Divergence): Promise<void> {
  const { values, errorBound, iterations, residual, converged, columns } = divergence;
  if (path.endsWith('.npy')) return saveNpy(path, values, columns);
  const lists = Object.entries({ values, errorBound, iterations, residual, converged });
  const matrices = Object.fromEntries(lists.map(([name, numbers]) => [name, rowsOf(numbers, columns)]));
  await writeWhole(path, `${JSON.stringify({ rows: divergence.rows, columns, ...matrices })}\n`);
}

function rowsOf(numbers: ArrayLike<number>, columns: number): number[][] {
  return Array.from({ length: numbers.length / columns }, (_, row) =>
    Array.from({ length: columns }, (__, column) => numbers[row * columns + column]!),
  );
}

interface Outcome {
  readonly memory: string;
  readonly output: string | undefined;
  readonly seconds: number;
  readonly queryLabel: (index: number) => string;
  readonly storedLabel: (index: number) => string;
}

function report(context: Context, divergence: Divergence, outcome: Outcome): void {
  const { memory, output, seconds, queryLabel, storedLabel } = outcome;
  const { rows, columns, values, errorBound, iterations, converged } = divergence;
  const index = Array.from({ length: rows }, (_, row) => nearest(values.subarray(row * columns, (row + 1) * columns)));
  const at = (row: number): number => row * columns + index[row]!;
  const result = {
    ...{ memory, output, queries: rows, clouds: columns, seconds, index },
    divergence: index.map((_, row) => values[at(row)]!),
    errorBound: index.map((_, row) => errorBound[at(row)]!),
    converged: total(converged),
    iterations: total(iterations),
  };
  context.print(result, () => {
    const table = queryTable(['query', 'nearest', 'divergence', 'error bound'], rows, (row) => [
      queryLabel(row),
      storedLabel(index[row]!),
      formatNumber(values[at(row)]!),
      errorBound[at(row)]!.toExponential(1),
    ]);
    const facts = formatFacts([
      ...(output === undefined ? [] : [['divergences', `${output} (${rows} x ${columns})`] as const]),
      ['converged', `${formatCount(result.converged)} of ${formatCount(values.length)} pairs`],
      ['iterations', formatCount(result.iterations)],
      ['time', formatSeconds(seconds)],
    ]);
    return `${table}\n\n${facts}`;
  });
}

/** The position of the least value; the first of equal ones. */
function nearest(values: Float64Array): number {
  return values.reduce((best, value, at) => (value < values[best]! ? at : best), 0);
}

function total(numbers: Uint8Array | Uint32Array): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}
