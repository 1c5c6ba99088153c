/** Options that say how files are read, and how queries meet a memory. */
import { type Command, Option } from 'commander';
import type { Similarity } from '../index.js';
import { positiveNumber } from './command.js';
import { type Format, FORMATS, type ReadOptions } from './readers/matrix.js';

export const SIMILARITIES: readonly Similarity[] = ['euclidean', 'cosine', 'dot'];

/** What commander makes of {@link addReadOptions}. */
export interface ReadFlags {
  format?: Format;
  scale?: number;
  header?: boolean;
  tensor?: string;
}

export function addReadOptions(command: Command): void {
  command
    .addOption(new Option('--format <format>', 'of the input (default: by its first bytes)').choices(FORMATS))
    .option('--scale <factor>', 'multiply every number (default: 1/255 for the bytes of idx files, else 1)', positiveNumber)
    .option('--header', 'csv: the first line names the columns (default: when it holds no numbers)')
    .option('--no-header', 'csv: the first line is data')
    .option('--tensor <name>', 'safetensors: which tensor (default: patterns, or the only one)');
}

export function readOptionsOf({ format, scale, header, tensor }: ReadFlags): ReadOptions {
  return {
    ...(format !== undefined && { format }),
    ...(scale !== undefined && { scale }),
    ...(header !== undefined && { header }),
    ...(tensor !== undefined && { tensor }),
  };
}

export function similarityOption(): Option {
  return new Option('--similarity <similarity>', 'how alike a query and an item are')
    .choices(SIMILARITIES)
    .default('euclidean');
}
