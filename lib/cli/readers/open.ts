/** Opens files of any format the command line reads. */
import { badFile, Failure } from '../failure.js';
import { contents, firstBytes, isGzip } from './bytes.js';
import { openCsv, readCsvLabels } from './csv.js';
import { openIdx, readIdxLabels } from './idx.js';
import type { Format, Labels, MatrixSource, ReadOptions } from './matrix.js';
import { openTensor, readTensorLabels } from './tensor.js';

/** The matrix in a file. */
export async function openMatrix(path: string, options: ReadOptions = {}): Promise<MatrixSource> {
  switch (options.format ?? (await detectFormat(path))) {
    case 'idx':
      return openIdx(path, options.scale);
    case 'csv':
      return openCsv(path, options);
    case 'npy':
    case 'safetensors':
      return openTensor(path, options.tensor, options.scale);
  }
}

/** The labels in a file: a list of whole numbers, or a column of a csv file. */
export async function readLabels(path: string, options: ReadOptions = {}): Promise<Labels> {
  switch (options.format ?? (await detectFormat(path))) {
    case 'idx':
      return readIdxLabels(path);
    case 'csv':
      return readCsvLabels(path, options);
    case 'npy':
    case 'safetensors':
      return readTensorLabels(path, options.tensor);
  }
}

/** The format that a file's first bytes announce. */
export async function detectFormat(path: string): Promise<Format> {
  const compressed = isGzip(await firstBytes(path, 2));
  const start = compressed ? await firstContent(path) : await firstBytes(path, 16);
  if (start.length === 0) throw badFile(path, 'is empty');
  const format = formatOf(start);
  if (compressed && (format === 'npy' || format === 'safetensors')) {
    throw new Failure(`${path}: ${format} files are read uncompressed; run gunzip first`);
  }
  return format;
}

function formatOf(start: Buffer): Format {
  if (start.toString('latin1', 0, 6) === '\x93NUMPY') return 'npy';
  // The length of a safetensors header, then its first character.
  if (start.length > 8 && start[8] === 0x7b && start.readUInt32LE(4) === 0) return 'safetensors';
  if (start[0] === 0 && start[1] === 0) return 'idx';
  return 'csv';
}

async function firstContent(path: string): Promise<Buffer> {
  for await (const chunk of contents(path)) return chunk;
  return Buffer.alloc(0);
}
