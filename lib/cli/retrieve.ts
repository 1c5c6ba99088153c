/** `engram retrieve`: completes queries from a file. */
import { type Command, Option } from 'commander';
import type { DenseMemory, Retrieval, Similarity } from '../index.js';
import {
  type CommonOptions,
  type Context,
  defineAction,
  loadLibrary,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
} from './command.js';
import { formatCount, formatFacts, formatNumber, formatSeconds } from './format.js';
import { type DeviceFlag, deviceOption, openDense } from './memories.js';
import { saveNpy } from './npy.js';
import { addReadOptions, type ReadFlags, readOptionsOf, similarityOption } from './read-options.js';
import { readWhole } from './readers/matrix.js';
import { openMatrix } from './readers/open.js';

interface RetrieveOptions extends CommonOptions, ReadFlags, DeviceFlag {
  output: string;
  states?: string;
  separation: 'softmax';
  beta?: number;
  similarity: Similarity;
  steps: number;
  tolerance: number;
}

export function addRetrieve(program: Command): void {
  const command = program
    .command('retrieve')
    .description('Complete queries: what the memory reads out for each goes to a .npy file.')
    .argument('<memory>', 'a memory file')
    .argument('<queries>', 'queries (idx, idx.gz, npy, csv, safetensors)')
    .requiredOption('-o, --output <out.npy>', 'the readout, one row for each query')
    .option('--states <states.npy>', 'also write the final states of the queries (they differ when there are values)')
    .addOption(
      new Option('--separation <function>', 'how similarities become weights').choices(['softmax']).default('softmax'),
    )
    .option('--beta <beta>', 'inverse temperature (default: as calibrated; calibrates if need be)', positiveNumber)
    .option('--steps <n>', 'most updates', positiveInteger, 1)
    .addOption(similarityOption())
    .option('--tolerance <t>', 'stop a query when its update changes no number by more', nonNegativeNumber, 0)
    .addOption(deviceOption());
  addReadOptions(command);
  defineAction<RetrieveOptions>(command, retrieve);
}

async function retrieve(
  context: Context,
  options: RetrieveOptions,
  [path = '', queryPath = '']: readonly string[],
): Promise<void> {
  const { softmax } = await loadLibrary();
  using memory = await openDense(path, context, options);
  const queries = await readWhole(await openMatrix(queryPath, readOptionsOf(options)));
  const beta = options.beta ?? (await calibratedBeta(memory, options.similarity, context));
  const { similarity, steps, tolerance } = options;
  const start = performance.now();
  const retrieval = await context.withProgress('Retrieving', (onProgress) =>
    memory.retrieve(queries, {
      separation: softmax({ beta }),
      similarity,
      steps,
      tolerance,
      signal: context.signal,
      onProgress,
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  await saveNpy(options.output, retrieval.values, memory.valueDim);
  if (options.states !== undefined) await saveNpy(options.states, retrieval.patterns, memory.dim);
  report(context, options, { retrieval, beta, seconds });
}

/** The memory's own beta for this similarity, found now where it has none. */
async function calibratedBeta(memory: DenseMemory, similarity: Similarity, context: Context): Promise<number> {
  const { calibration } = memory;
  if (calibration?.similarity === similarity) return calibration.beta;
  const { signal } = context;
  const found = await context.withProgress('Calibrating', (onProgress) =>
    memory.calibrate({ similarity, signal, onProgress }),
  );
  return found.beta;
}

interface Outcome {
  retrieval: Retrieval;
  beta: number;
  seconds: number;
}

function report(context: Context, options: RetrieveOptions, { retrieval, beta, seconds }: Outcome): void {
  const { output, similarity, separation } = options;
  const { energy, steps, converged } = retrieval;
  const lists = { energy: [...energy], steps: [...steps], converged: [...converged] };
  const { states } = options;
  const result = { output, states, queries: steps.length, separation, similarity, beta, seconds, ...lists };
  context.print(result, () => {
    const settled = converged.reduce((sum, one) => sum + one, 0);
    return formatFacts([
      ['readout', `${output} (${formatCount(steps.length)} queries)`],
      ['beta', `${formatNumber(beta)} (${similarity})`],
      ['energy', `${formatNumber(energy.reduce((sum, one) => sum + one, 0) / energy.length)} on average`],
      ['converged', `${formatCount(settled)} of ${formatCount(steps.length)}`],
      ['time', formatSeconds(seconds)],
    ]);
  });
}
