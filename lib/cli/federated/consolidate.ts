/** `engram consolidate`: a round of clients' messages becomes a memory of archetypes. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FederatedMemory, FederatedOptions, RoundReport } from '../../index.js';
import { type CommonOptions, type Context, defineAction, loadLibrary, positiveNumber } from '../command.js';
import { Failure, UsageError } from '../failure.js';
import { writeWhole } from '../files.js';
import { openFederated } from '../memories.js';
import type { ProgressReport } from '../progress.js';
import { appendRound, type RoundEntry } from './history.js';
import { consolidationText } from './consolidation-text.js';
import { reportPage } from './report-page.js';
import { type Achieved, achievedOverlaps, readTruth } from './truth.js';

interface ConsolidateFlags extends CommonOptions {
  output: string;
  into?: string;
  weights?: 'equal' | 'size' | 'maximin';
  falseAlarm?: number;
  unmixing?: NonNullable<FederatedOptions['unmixing']>;
  controller?: NonNullable<FederatedOptions['controller']>;
  plasticity?: number;
  replicate?: boolean;
  truth?: string;
  report?: string;
  history?: string;
  image?: ImageSize;
}

/** Pixels of an archetype that is an image. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** All there is to tell of a round. */
export interface Consolidation {
  readonly memory: FederatedMemory;
  readonly output: string;
  /** Files of messages, in the order of the round. */
  readonly clients: readonly string[];
  readonly report: RoundReport;
  readonly achieved: Achieved | undefined;
  /** This round and those that were kept before it. */
  readonly rounds: readonly RoundEntry[];
  readonly image: ImageSize | undefined;
}

export function addConsolidate(program: Command): void {
  const command = program
    .command('consolidate')
    .description("Add clients' messages up, find how many archetypes they share and which, and keep them.")
    .argument('<messages...>', 'what `engram operator` wrote, one for each client')
    .requiredOption('-o, --output <memory>', 'the memory to write (safetensors)')
    .option('--into <memory>', 'go on with this memory, with the options that it was made with')
    .addOption(new Option('--weights <rule>', 'how clients count (default: equal)').choices(['equal', 'size', 'maximin']))
    .option('--false-alarm <p>', 'probability of finding something in noise (default: 0.05)', positiveNumber)
    .addOption(
      new Option('--unmixing <method>', 'how archetypes are told apart (default: ica)').choices(['ica', 'signProjection', 'lam']),
    )
    .addOption(
      new Option('--controller <rule>', 'how much new data change the memory (default: fixed)').choices([
        'fixed', 'entropy', 'trust', 'spectral',
      ]),
    )
    .option('--plasticity <w>', 'share of new data with --controller fixed, 0 to 1 (default: 0.5)', share)
    .option('--replicate', 'detect only what two halves of the clients agree on')
    .option('--truth <archetypes>', 'archetypes as they really are, to compare with: rows of +-1')
    .option('--report <page.html>', 'a page with plots')
    .option('--history <rounds.json>', 'keep this round there; the report shows all of them')
    .option('--image <WxH>', 'archetypes are images of this size, which the report shows', imageSize);
  defineAction<ConsolidateFlags>(command, consolidate);
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('It must be a number from 0 to 1.');
}

function imageSize(text: string): ImageSize {
  const [, width = 0, height = 0] = (/^([1-9]\d*)x([1-9]\d*)$/.exec(text) ?? []).map(Number);
  if (width * height > 0) return { width, height };
  throw new InvalidArgumentError('It must be a width and a height in pixels, such as 28x28.');
}

async function consolidate(context: Context, flags: ConsolidateFlags, clients: readonly string[]): Promise<void> {
  const { output, image } = flags;
  using memory = await startMemory(context, flags, clients);
  if (image !== undefined && image.width * image.height !== memory.dim) {
    throw new UsageError(`consolidate: --image is ${image.width}x${image.height}; archetypes have ${memory.dim} entries`);
  }
  const truth = flags.truth === undefined ? undefined : await readTruth(flags.truth, memory.dim);
  const report = await context.withProgress('Reading', (onProgress) =>
    memory.round(messages(clients, onProgress), { signal: context.signal }),
  );
  const refused = report.rejectedClients.map(({ position, reason }) => `${clients[position]}: ${reason}`);
  if (refused.length === clients.length) {
    throw new Failure(`no message could be used; ${refused[0]}`, report.rejectedClients[0]?.code);
  }
  await memory.save(output, { signal: context.signal });
  const rounds = await appendRound(flags.history, report, memory);
  const achieved = truth && achievedOverlaps(memory, truth);
  const consolidation: Consolidation = { memory, output, clients, report, achieved, rounds, image };
  if (flags.report !== undefined) await writeWhole(flags.report, reportPage(consolidation));
  context.print(resultOf(consolidation, flags), () => consolidationText(consolidation));
}

/** The memory that the round goes to. */
async function startMemory(
  context: Context,
  flags: ConsolidateFlags,
  clients: readonly string[],
): Promise<FederatedMemory> {
  const { weights, falseAlarm, unmixing, controller, plasticity, replicate } = flags;
  const options = {
    ...(weights !== undefined && { weights }),
    ...(falseAlarm !== undefined && { falseAlarm }),
    ...(unmixing !== undefined && { unmixing }),
    ...(controller !== undefined && { controller }),
    ...(plasticity !== undefined && { plasticity }),
    ...(replicate !== undefined && { replicate }),
  };
  if (flags.into === undefined) {
    const { FederatedMemory } = await loadLibrary();
    return new FederatedMemory({ dim: await commonDim(clients), ...options });
  }
  const [given] = Object.keys(options);
  if (given === undefined) return openFederated(flags.into, context);
  throw new UsageError(`consolidate: --into goes on with the memory's own options; leave ${given} out`);
}

/** The dim of the first message that can be read. */
async function commonDim(clients: readonly string[]): Promise<number> {
  const { EngramError, HebbianOperator } = await loadLibrary();
  let problem: unknown;
  for (const client of clients) {
    try {
      return HebbianOperator.fromBytes(await readFile(client)).dim;
    } catch (error) {
      if (!(error instanceof EngramError)) throw error;
      problem ??= new Failure(`${client}: ${error.message}`, error.code, { cause: error });
    }
  }
  throw problem;
}

/** The messages' bytes, read when the round asks for them. */
async function* messages(
  clients: readonly string[],
  onProgress: (report: ProgressReport) => void,
): AsyncIterable<Uint8Array> {
  for (const [at, client] of clients.entries()) {
    yield await readFile(client);
    onProgress({ done: at + 1, total: clients.length });
  }
}

function resultOf({ memory, output, clients, report, achieved }: Consolidation, flags: ConsolidateFlags): object {
  const { eigenvalues, overlaps, clientWeights, plasticity, rejectedClients, ...rest } = report;
  return {
    memory: output,
    report: flags.report,
    dim: memory.dim,
    archetypes: memory.count,
    clients: clients.length,
    ...rest,
    eigenvalues: [...eigenvalues],
    overlaps: [...overlaps],
    achieved,
    clientWeights: [...clientWeights],
    plasticity: [...plasticity],
    rejectedClients: rejectedClients.map((one) => ({ file: clients[one.position], ...one })),
  };
}
