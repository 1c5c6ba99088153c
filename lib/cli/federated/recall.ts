/** `engram recall`: archetypes from damaged cues. */
import { type Command, Option } from 'commander';
import type { ArchetypeRetrieval, FederatedMemory } from '../../index.js';
import { type CommonOptions, type Context, defineAction, positiveInteger, positiveNumber } from '../command.js';
import { Failure } from '../failure.js';
import { formatCount, formatFacts, formatNumber } from '../format.js';
import { openFederated } from '../memories.js';
import { saveNpy } from '../npy.js';
import { addReadOptions, type ReadFlags, readOptionsOf } from '../read-options.js';
import { labeller, queryTable } from '../query-table.js';
import { type Binarisation, binarisation, readRows } from './signs.js';

type Dynamics = 'hebbian' | 'pseudoInverse' | 'glauber';

interface RecallFlags extends CommonOptions, ReadFlags {
  output: string;
  dynamics: Dynamics;
  beta?: number;
  steps?: number;
  seed?: number;
  binarise?: Binarisation;
}

export function addRecall(program: Command): void {
  const command = program
    .command('recall')
    .description('Recall archetypes from damaged cues: the state that each cue ends in goes to a .npy file.')
    .argument('<memory>', 'a memory that `engram consolidate` wrote')
    .argument('<cues>', 'cues, one in each row; 0 says nothing about an entry (idx, idx.gz, npy, csv, safetensors)')
    .requiredOption('-o, --output <out.npy>', 'states of +-1, one row for each cue')
    .addOption(
      new Option('--dynamics <rule>', 'how states are updated')
        .choices(['hebbian', 'pseudoInverse', 'glauber'])
        .default('hebbian'),
    )
    .option('--beta <beta>', 'glauber: inverse temperature (default: 3)', positiveNumber)
    .option('--steps <n>', 'most updates (default: 30)', positiveInteger)
    .option('--seed <n>', 'glauber: of its random numbers (default: 1)', positiveInteger)
    .addOption(
      new Option('--binarise [threshold]', "+1 above the threshold, else -1; 'median': each column's own")
        .argParser(binarisation)
        .preset('0.5'),
    );
  addReadOptions(command);
  defineAction<RecallFlags>(command, recall);
}

async function recall(context: Context, flags: RecallFlags, [path = '', cuePath = '']: readonly string[]): Promise<void> {
  const { output, dynamics, beta, steps, seed, binarise } = flags;
  using memory = await openFederated(path, context);
  const cues = await readRows(cuePath, { read: readOptionsOf(flags), ...(binarise !== undefined && { binarise }) });
  if (cues.dim !== memory.dim) {
    throw new Failure(`${cuePath}: has ${cues.dim} numbers per row; the memory has ${memory.dim}`, 'ERR_ENGRAM_SHAPE');
  }
  const recalled = await memory.retrieve(cues.rows, {
    dynamics,
    signal: context.signal,
    ...(beta !== undefined && { beta }),
    ...(steps !== undefined && { steps }),
    ...(seed !== undefined && { seed }),
  });
  await saveNpy(output, recalled.state, memory.dim);
  report(context, memory, recalled, output);
}

function report(context: Context, memory: FederatedMemory, recalled: ArchetypeRetrieval, output: string): void {
  const { index, overlap, converged, steps } = recalled;
  const lists = { index: [...index], overlap: [...overlap], converged: [...converged], steps: [...steps] };
  const result = { output, cues: index.length, archetypes: memory.count, ...lists };
  context.print(result, () => {
    const cue = labeller(undefined);
    const table = queryTable(['cue', 'archetype', 'overlap', 'updates'], index.length, (at) => [
      cue(at),
      index[at] === -1 ? 'none' : String(index[at]),
      formatNumber(overlap[at]!),
      String(steps[at]!),
    ]);
    const settled = converged.reduce((sum, one) => sum + one, 0);
    const facts = formatFacts([
      ['states', `${output} (${formatCount(index.length)} x ${memory.dim})`],
      ['converged', `${formatCount(settled)} of ${formatCount(index.length)}`],
    ]);
    return `${table}\n\n${facts}`;
  });
}
