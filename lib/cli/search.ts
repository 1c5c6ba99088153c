/** `engram search`: the most similar items of each query in a file, exactly. */
import type { Command } from 'commander';
import type { SearchResult, Similarity } from '../index.js';
import { type CommonOptions, type Context, defineAction, positiveInteger } from './command.js';
import { UsageError } from './failure.js';
import { writeWhole } from './files.js';
import { formatCount, formatFacts, formatSeconds } from './format.js';
import { type DeviceFlag, deviceOption, openDense } from './memories.js';
import { saveNpy } from './npy.js';
import { addReadOptions, type ReadFlags, readOptionsOf, similarityOption } from './read-options.js';
import { readWhole } from './readers/matrix.js';
import { openMatrix } from './readers/open.js';

interface SearchOptions extends CommonOptions, ReadFlags, DeviceFlag {
  count: number;
  output: string;
  similarity: Similarity;
}

export function addSearch(program: Command): void {
  const command = program
    .command('search')
    .description('Find the k most similar items of each query, exactly.')
    .argument('<memory>', 'a memory file')
    .argument('<queries>', 'queries (idx, idx.gz, npy, csv, safetensors)')
    .requiredOption('-k, --count <k>', 'items per query', positiveInteger)
    .requiredOption(
      '-o, --output <hits>',
      'hits.json: indices and scores; hits.npy: indices there, scores beside it in hits.scores.npy',
    )
    .addOption(similarityOption())
    .addOption(deviceOption());
  addReadOptions(command);
  defineAction<SearchOptions>(command, search);
}

async function search(
  context: Context,
  options: SearchOptions,
  [path = '', queryPath = '']: readonly string[],
): Promise<void> {
  const { output, similarity, count } = options;
  if (!/\.(json|npy)$/.test(output)) {
    throw new UsageError(`search: --output is ${JSON.stringify(output)}; expected a name that ends with .json or .npy`);
  }
  using memory = await openDense(path, context, options);
  const queries = await readWhole(await openMatrix(queryPath, readOptionsOf(options)));
  const start = performance.now();
  const hits = await context.withProgress('Searching', (onProgress) =>
    memory.search(queries, { k: count, similarity, signal: context.signal, onProgress }),
  );
  const seconds = (performance.now() - start) / 1000;
  const files = await writeHits(output, similarity, hits);
  const found = hits.indices.length / hits.k;
  context.print({ output: files, queries: found, k: hits.k, similarity, seconds }, () =>
    formatFacts([
      ['hits', files.join(', ')],
      ['queries', formatCount(found)],
      ['k', String(hits.k)],
      ['time', formatSeconds(seconds)],
    ]),
  );
}

/** Writes the hits in the format that the name asks for; returns the names of the files. */
async function writeHits(path: string, similarity: Similarity, hits: SearchResult): Promise<string[]> {
  if (path.endsWith('.npy')) {
    const scores = path.replace(/npy$/, 'scores.npy');
    await saveNpy(path, hits.indices, hits.k);
    await saveNpy(scores, hits.scores, hits.k);
    return [path, scores];
  }
  const { k } = hits;
  const result = { k, similarity, indices: rowsOf(hits.indices, k), scores: rowsOf(hits.scores, k) };
  await writeWhole(path, `${JSON.stringify(result)}\n`);
  return [path];
}

function rowsOf(numbers: Float32Array | Uint32Array, width: number): number[][] {
  return Array.from({ length: numbers.length / width }, (_, row) => [
    ...numbers.subarray(row * width, (row + 1) * width),
  ]);
}
