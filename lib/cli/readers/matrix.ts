/** Matrices in files, whatever their format. */

/** How to read a file. */
export interface ReadOptions {
  /** The format; found out from the first bytes when absent. */
  format?: Format;
  /** Every number is multiplied by it. Default: 1/255 for the unsigned bytes of an idx file, else 1. */
  scale?: number;
  /** Does the first line of a csv file name its columns? Found out when absent. */
  header?: boolean;
  /** Column of a csv file that holds labels and no numbers: its name, or its position counted from 1. */
  labelColumn?: string;
  /** Which tensor of a safetensors file; `patterns`, or the only one, when absent. */
  tensor?: string;
}

export const FORMATS = ['idx', 'csv', 'npy', 'safetensors'] as const;
export type Format = (typeof FORMATS)[number];

/** A matrix in a file, read in pieces. */
export interface MatrixSource {
  readonly path: string;
  /** Numbers per row. */
  readonly dim: number;
  /** Whole rows, row-major, a few megabytes at a time. At least one row in all. */
  batches(): AsyncIterable<Float32Array>;
}

/** A class of each row. */
export interface Labels {
  /** The names of the classes. */
  readonly classes: readonly string[];
  /** For each row the position of its class in `classes`. */
  readonly rows: Uint32Array;
}

/** Rows in a piece of about 4 MiB. */
export function rowsPerBatch(dim: number): number {
  return Math.max(1, Math.floor((1 << 20) / dim));
}

/** All rows of a source in one array. */
export async function readWhole(source: MatrixSource): Promise<Float32Array> {
  const batches: Float32Array[] = [];
  for await (const batch of source.batches()) batches.push(batch);
  return concatenate(batches);
}

export function concatenate(parts: readonly Float32Array[]): Float32Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
