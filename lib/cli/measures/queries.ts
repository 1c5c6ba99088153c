/** A memory of measures and what it is asked, opened together. */
import type { MeasureMemory } from '../../index.js';
import type { Context } from '../command.js';
import { Failure } from '../failure.js';
import { type ReadClouds, readClouds } from '../readers/clouds.js';
import type { CloudOptions } from '../readers/cloud-set.js';

/** `metadata.coordinates` of memories of images: column and row, counted from the top. */
export const PIXELS = 'pixels';

/** Reads clouds under a progress bar. */
export function readWatched(context: Context, paths: readonly string[], options: CloudOptions): Promise<ReadClouds> {
  return context.withProgress('Reading', (onProgress) =>
    readClouds(paths, options, (share) => {
      context.signal.throwIfAborted();
      onProgress({ done: share, total: 1 });
    }),
  );
}

/** The clouds in the files, which must be of the memory's dim. */
export async function readQueries(
  context: Context,
  memory: MeasureMemory,
  paths: readonly string[],
  options: CloudOptions,
): Promise<ReadClouds> {
  const queries = await readWatched(context, paths, options);
  if (queries.dim === memory.dim) return queries;
  const mayBeWeights = queries.dim === memory.dim + 1 && options.weights !== true && !queries.pixels;
  const hint = mayBeWeights ? '; is the last column weights? Then add --weights' : '';
  throw new Failure(
    `${paths[0]}: has points of dim ${queries.dim}; those of the memory have dim ${memory.dim}${hint}`,
    'ERR_ENGRAM_SHAPE',
  );
}

/** Names of the stored clouds, where the memory has been imported from a file for each. */
export function storedNames({ metadata, count }: MeasureMemory): readonly string[] | undefined {
  try {
    const names = JSON.parse(metadata.names ?? '') as unknown;
    return Array.isArray(names) && names.length === count ? names.map(String) : undefined;
  } catch {
    return undefined; // the caller's own metadata
  }
}

