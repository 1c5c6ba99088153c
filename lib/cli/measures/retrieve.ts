/** `engram measures retrieve`: moves perturbed clouds onto the stored ones they resemble. */
import { type Command, InvalidArgumentError } from 'commander';
import type { FlowOptions, MeasureMemory, MeasureRetrieval } from '../../index.js';
import { type CommonOptions, type Context, defineAction, nonNegativeNumber, positiveInteger } from '../command.js';
import { Failure, UsageError } from '../failure.js';
import { writeWhole } from '../files.js';
import { formatCount, formatFacts, formatNumber, formatSeconds, formatShare } from '../format.js';
import { type DeviceFlag, deviceOption, openMeasures } from '../memories.js';
import { cloudAt, cloudCount } from '../readers/cloud-set.js';
import type { ReadClouds } from '../readers/clouds.js';
import {
  addCloudOptions,
  addSolverOptions,
  betaOption,
  type CloudFlags,
  cloudOptionsOf,
  type SolverFlags,
  solverOptionsOf,
} from './options.js';
import { drawRecalls, type Recall } from './picture.js';
import { PIXELS, readQueries, storedNames } from './queries.js';
import { checkOutput, writeRecalled } from './recalled.js';
import { labeller, queryTable } from '../query-table.js';

type StepSize = NonNullable<FlowOptions['stepSize']>;

interface RetrieveFlags extends CommonOptions, CloudFlags, SolverFlags, DeviceFlag {
  beta: number;
  output?: string;
  picture?: string;
  steps?: number;
  stepSize?: StepSize;
  flowTolerance?: number;
  prune?: number;
  snap?: boolean;
}

/** As many panels as a picture has room for. */
const MOST_PANELS = 12;

export function addMeasuresRetrieve(measures: Command): void {
  const command = measures
    .command('retrieve')
    .description('Recall: move each query, points and weights together, onto the stored cloud it resembles.')
    .argument('<memory>', 'a memory of measures')
    .argument('<queries...>', 'clouds, in files and folders as `measures import` reads them')
    .addOption(betaOption())
    .addOption(deviceOption())
    .option('-o, --output <out>', 'recalled clouds: out.safetensors, a memory; else a folder of npy, weights in the last column')
    .option('--picture <out.svg>', `cue, path, recalled and stored cloud of each query, of ${MOST_PANELS} at most`)
    .option('--steps <n>', 'most steps of the flow (default: 50)', positiveInteger)
    .option('--step-size <rule>', 'auto (backtracking), bound (from the curvature) or points,weights (default: auto)', stepSize)
    .option('--flow-tolerance <t>', 'end where the norm of the energy\'s gradient is below (default: 1e-4)', nonNegativeNumber)
    .option('--prune <p>', 'change of Gibbs weights that skipping far clouds may make (default: 1e-12)', nonNegativeNumber)
    .option('--snap', 'return a stored cloud itself where its Gibbs weight leaves no doubt');
  addSolverOptions(command);
  addCloudOptions(command);
  defineAction<RetrieveFlags>(command, retrieve);
}

function stepSize(text: string): StepSize {
  if (text === 'auto' || text === 'bound') return text;
  const [points = NaN, weights = NaN, ...more] = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (points > 0 && weights > 0 && Number.isFinite(points + weights) && more.length === 0) return { points, weights };
  throw new InvalidArgumentError('It must be auto, bound, or two numbers above 0: points,weights.');
}

async function retrieve(
  context: Context,
  flags: RetrieveFlags,
  [path = '', ...queryPaths]: readonly string[],
): Promise<void> {
  const { output, picture } = flags;
  if (output !== undefined) checkOutput(output);
  if (picture?.endsWith('.svg') === false) {
    throw new UsageError(`measures retrieve: --picture is ${JSON.stringify(picture)}; expected a name that ends with .svg`);
  }
  const cloudOptions = cloudOptionsOf('measures retrieve', flags);
  using memory = await openMeasures(path, context, flags);
  const queries = await readQueries(context, memory, queryPaths, cloudOptions);
  if (picture !== undefined) refuseCrowd(cloudCount(queries));
  const start = performance.now();
  const retrieval = await context.withProgress('Retrieving', (onProgress) =>
    memory.retrieve(queries.clouds, { ...flowOptionsOf(flags), signal: context.signal, onProgress }),
  );
  const seconds = (performance.now() - start) / 1000;
  if (output !== undefined) await writeRecalled(output, retrieval.clouds, memory);
  if (picture !== undefined) await writeWhole(picture, drawn(memory, queries, retrieval));
  report(context, flags, { path, memory, queries, retrieval, seconds });
}

function refuseCrowd(queries: number): void {
  if (queries <= MOST_PANELS) return;
  throw new Failure(
    `a picture has room for ${MOST_PANELS} queries; there are ${formatCount(queries)}, take some of them with --first`,
  );
}

function flowOptionsOf(flags: RetrieveFlags): FlowOptions {
  const { beta, steps, stepSize, flowTolerance, prune, snap, picture } = flags;
  return {
    beta,
    ...solverOptionsOf(flags),
    ...(steps !== undefined && { steps }),
    ...(stepSize !== undefined && { stepSize }),
    ...(flowTolerance !== undefined && { flowTolerance }),
    ...(prune !== undefined && { prune }),
    ...(snap !== undefined && { snap }),
    trace: picture !== undefined,
  };
}

function drawn(memory: MeasureMemory, queries: ReadClouds, { clouds, index, steps, trace = [] }: MeasureRetrieval): string {
  const { dim, metadata } = memory;
  const [queryLabel, storedLabel] = [labeller(queries.names), labeller(storedNames(memory))];
  const recalls = trace.map(
    ({ points, weights }, query): Recall => ({
      title: `query ${queryLabel(query)} \u2192 ${storedLabel(index[query]!)}, ${steps[query]!} steps`,
      path: { points, weights },
      states: steps[query]! + 1,
      recalled: cloudAt({ clouds, dim, pixels: false }, query),
      stored: memory.cloud(index[query]!),
    }),
  );
  return drawRecalls(recalls, { dim, downwards: metadata.coordinates === PIXELS });
}

interface Outcome {
  readonly path: string;
  readonly memory: MeasureMemory;
  readonly queries: ReadClouds;
  readonly retrieval: MeasureRetrieval;
  readonly seconds: number;
}

function report(context: Context, { beta, output, picture }: RetrieveFlags, outcome: Outcome): void {
  const { path, memory, queries, retrieval, seconds } = outcome;
  const { index, divergence, energy, steps, converged, work } = retrieval;
  const count = index.length;
  const lists = {
    ...{ index: [...index], divergence: [...divergence], energy: [...energy] },
    ...{ steps: [...steps], converged: [...converged] },
  };
  const result = { memory: path, output, picture, queries: count, beta, seconds, ...lists, work };
  context.print(result, () => {
    const [queryLabel, storedLabel] = [labeller(queries.names), labeller(storedNames(memory))];
    const table = queryTable(['query', 'nearest', 'divergence', 'energy', 'steps', 'converged'], count, (query) => [
      queryLabel(query),
      storedLabel(index[query]!),
      formatNumber(divergence[query]!),
      formatNumber(energy[query]!),
      String(steps[query]!),
      converged[query] === 1 ? 'yes' : 'no',
    ]);
    return `${table}\n\n${formatFacts([
      ...(output === undefined ? [] : [['recalled', output] as const]),
      ...(picture === undefined ? [] : [['picture', picture] as const]),
      ['work', workText(work)],
      ['time', formatSeconds(seconds)],
    ])}`;
  });
}

function workText({ pairsEvaluated, pairsPruned, iterations }: MeasureRetrieval['work']): string {
  const pairs = pairsEvaluated + pairsPruned;
  const skipped = formatShare(pairs === 0 ? 0 : pairsPruned / pairs);
  return `${formatCount(pairsEvaluated)} divergences (${skipped} of all skipped), ${formatCount(iterations)} iterations`;
}
