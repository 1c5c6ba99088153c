/** Examples and cues in files, as signs or as the numbers they are. */
import { InvalidArgumentError } from 'commander';
import { Failure } from '../failure.js';
import { concatenate, type MatrixSource, type ReadOptions } from '../readers/matrix.js';
import { openMatrix } from '../readers/open.js';

/** What a pixel must exceed to be +1: a number, or the pixel's own median over the rows that are read. */
export type Binarisation = number | 'median';

/** Parser of `--binarise`. */
export function binarisation(text: string): Binarisation {
  const value = Number(text);
  if (text === 'median') return text;
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be a number or 'median'.");
}

/** A range of rows: from `first` on, up to but without `end`. */
export interface RowRange {
  readonly first: number;
  readonly end: number;
}

/** Parser of `--rows`: `a:b`, `a:` or `:b`, counted from 0. */
export function rowRange(text: string): RowRange {
  const match = /^(\d*):(\d*)$/.exec(text);
  const [first, end] = [Number(match?.[1] ?? ''), match?.[2] ? Number(match[2]) : Infinity];
  if (match !== null && text !== ':' && first < end) return { first, end };
  throw new InvalidArgumentError('It must be a range of rows, a:b, from row a up to row b, without b.');
}

/** How a file becomes rows. */
export interface RowOptions {
  readonly read: ReadOptions;
  readonly rows?: RowRange;
  readonly binarise?: Binarisation;
}

/** Rows of `dim` numbers, row-major. */
export interface RowSet {
  readonly rows: Float32Array;
  readonly dim: number;
}

/** The asked rows of a file. */
export async function readRows(path: string, { read, rows, binarise }: RowOptions): Promise<RowSet> {
  const source = await openMatrix(path, read);
  const numbers = await readRange(source, rows ?? { first: 0, end: Infinity });
  if (binarise !== undefined) makeSigns(numbers, source.dim, binarise);
  return { rows: numbers, dim: source.dim };
}

async function readRange(source: MatrixSource, { first, end }: RowRange): Promise<Float32Array> {
  const { path, dim } = source;
  const parts: Float32Array[] = [];
  let at = 0; // the row that the next batch begins with
  for await (const batch of source.batches()) {
    const count = batch.length / dim;
    parts.push(batch.slice(Math.max(0, first - at) * dim, Math.max(0, Math.min(end - at, count)) * dim));
    at += count;
    if (at >= end) break;
  }
  const numbers = concatenate(parts);
  if (numbers.length > 0) return numbers;
  throw new Failure(`${path}: has ${at} rows; --rows begins at ${first}`, 'ERR_ENGRAM_RANGE');
}

/** Replaces numbers by +1 above the threshold and -1 at it and below. */
function makeSigns(rows: Float32Array, dim: number, binarise: Binarisation): void {
  const thresholds = binarise === 'median' ? medians(rows, dim) : undefined;
  for (let i = 0; i < rows.length; ++i) {
    const threshold = thresholds === undefined ? (binarise as number) : thresholds[i % dim]!;
    rows[i] = rows[i]! > threshold ? 1 : -1;
  }
}

/** The median of each column. */
function medians(rows: Float32Array, dim: number): Float32Array {
  const count = rows.length / dim;
  const column = new Float32Array(count);
  return Float32Array.from({ length: dim }, (_, at) => {
    for (let row = 0; row < count; ++row) column[row] = rows[row * dim + at]!;
    column.sort();
    return (column[(count - 1) >> 1]! + column[count >> 1]!) / 2;
  });
}
