/** Reads clouds from files of any format the command line knows, and from folders of them. */
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { Failure } from '../failure.js';
import { cloudCount, type CloudOptions, type CloudSet, firstClouds, joinSets } from './cloud-set.js';
import { readIdxImages, readImageRows, readPngCloud, type Watch } from './images.js';
import { detectFormat } from './open.js';
import { isPng } from './png.js';
import { readCsvPoints, readStoredClouds, readTensorPoints } from './point-lists.js';
import { peekHeader } from './safetensors-header.js';

/** What a folder may hold beside other things; idx files are named one by one, as those of labels lie beside them. */
const IN_FOLDERS: ReadonlySet<string> = new Set(['.npy', '.csv', '.png', '.safetensors']);

/** All clouds read. */
export interface ReadClouds extends CloudSet {
  /** A name for each cloud; undefined where a file held several. */
  readonly names: readonly string[] | undefined;
}

/** Reads the clouds of files and folders, in this order; all must have the same dim. */
export async function readClouds(
  paths: readonly string[],
  options: CloudOptions,
  watch: Watch = () => undefined,
): Promise<ReadClouds> {
  const files = await filesOf(paths);
  const sets: CloudSet[] = [];
  let wanted = options.first ?? Infinity;
  for (const [at, path] of files.entries()) {
    if (wanted === 0) break;
    const set = await readFirst(path, options, wanted, (share) => watch((at + share) / files.length));
    const [first] = sets;
    if (first !== undefined && set.dim !== first.dim) {
      throw new Failure(`${path}: has points of dim ${set.dim}; ${files[0]} has dim ${first.dim}`, 'ERR_ENGRAM_SHAPE');
    }
    sets.push(set);
    wanted -= cloudCount(set);
    watch((at + 1) / files.length);
  }
  const single = sets.every((set) => cloudCount(set) === 1);
  const names = single ? files.slice(0, sets.length).map((path) => basename(path)) : undefined;
  return { ...joinSets(sets), names };
}

async function readFirst(path: string, options: CloudOptions, most: number, watch: Watch): Promise<CloudSet> {
  const limited = Number.isFinite(most) ? { ...options, first: most } : options;
  return firstClouds(await readFile(path, limited, watch), most);
}

async function readFile(path: string, options: CloudOptions, watch: Watch): Promise<CloudSet> {
  if (await isPng(path)) return readPngCloud(path, options);
  const { size } = options;
  switch (await detectFormat(path)) {
    case 'idx':
      return readIdxImages(path, options, watch);
    case 'csv':
      return size ? readImageRows(path, size, options, watch) : readCsvPoints(path, options);
    case 'npy':
      return size ? readImageRows(path, size, options, watch) : readTensorPoints(path, options);
    case 'safetensors': {
      const tensors = (await peekHeader(path))?.tensors;
      if (tensors?.has('points') === true) return readStoredClouds(path, tensors);
      return size ? readImageRows(path, size, options, watch) : readTensorPoints(path, options);
    }
  }
}

async function filesOf(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) files.push(...((await stat(path)).isDirectory() ? await filesIn(path) : [path]));
  return files;
}

/** The files of a folder by name, 2 before 10. */
async function filesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => IN_FOLDERS.has(extname(name).toLowerCase()));
  if (names.length === 0) {
    throw new Failure(`${folder}: holds none of ${[...IN_FOLDERS].join(', ')}`, 'ERR_ENGRAM_FORMAT');
  }
  const { compare } = new Intl.Collator('en', { numeric: true });
  return names.sort(compare).map((name) => join(folder, name));
}
