/** `engram operator`: a client's examples become a message. */
import { type Command, Option } from 'commander';
import type { HebbianOperator } from '../../index.js';
import { type CommonOptions, type Context, defineAction, loadLibrary, positiveInteger } from '../command.js';
import { writeWhole } from '../files.js';
import { formatBytes, formatCount, formatFacts, formatNumber } from '../format.js';
import { addReadOptions, type ReadFlags, readOptionsOf } from '../read-options.js';
import { type Binarisation, binarisation, readRows, type RowRange, rowRange } from './signs.js';

interface OperatorFlags extends CommonOptions, ReadFlags {
  output: string;
  rank?: number;
  client?: string;
  allowLeak?: boolean;
  binarise?: Binarisation;
  rows?: RowRange;
}

export function addOperator(program: Command): void {
  const command = program
    .command('operator')
    .description("Make a client's message of its examples: the leading eigenpairs of their second moment.")
    .argument('<examples>', 'examples of +-1 or real numbers, one in each row (idx, idx.gz, npy, csv, safetensors)')
    .requiredOption('-o, --output <message>', 'the message to write (safetensors)')
    .option('--rank <n>', 'eigenpairs that are told (default: 64, but fewer than there are examples)', positiveInteger)
    .option('--client <name>', 'what the client is called in reports')
    .option('--allow-leak', 'make a message even where the examples can be read off it')
    .addOption(
      new Option('--binarise [threshold]', "+1 above the threshold, else -1; 'median': each column's own")
        .argParser(binarisation)
        .preset('0.5'),
    )
    .option('--rows <a:b>', 'only rows a, a + 1, ... up to b, without b, counted from 0', rowRange);
  addReadOptions(command);
  defineAction<OperatorFlags>(command, encode);
}

async function encode(context: Context, flags: OperatorFlags, [path = '']: readonly string[]): Promise<void> {
  const { output, rank, client, allowLeak, binarise, rows } = flags;
  const { HebbianOperator } = await loadLibrary();
  const read = readOptionsOf(flags);
  const examples = await readRows(path, {
    read,
    ...(rows !== undefined && { rows }),
    ...(binarise !== undefined && { binarise }),
  });
  const operator = await HebbianOperator.fromExamples(examples.rows, {
    dim: examples.dim,
    signal: context.signal,
    ...(rank !== undefined && { rank }),
    ...(client !== undefined && { client }),
    ...(allowLeak !== undefined && { allowLeak }),
  });
  const bytes = operator.toBytes();
  await writeWhole(output, bytes);
  report(context, operator, output, bytes.length);
}

function report(context: Context, operator: HebbianOperator, output: string, bytes: number): void {
  const { client, dim, rank, sampleCount, trace, noiseVariance, quality, leakRisk } = operator;
  const eigenvalues = [...operator.eigenvalues];
  const result = {
    ...{ message: output, bytes, client, dim, rank, sampleCount, trace, noiseVariance, quality, leakRisk },
    eigenvalues,
  };
  context.print(result, () =>
    formatFacts([
      ['message', `${output} (${formatBytes(bytes)})`],
      ['examples', `${formatCount(sampleCount)} x ${dim}`],
      ['rank', `${rank}, ${formatNumber((100 * eigenvalues.reduce((sum, one) => sum + one, 0)) / trace)} % of the trace`],
      ['quality', quality === 0 ? 'not told from noise alone' : formatNumber(quality)],
      ...(leakRisk ? [['privacy', 'so few examples may be read off the message'] as const] : []),
    ]),
  );
}
