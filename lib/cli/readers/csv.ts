/** Comma-separated numbers, one row to a line; optionally a header and a column of labels. */
import { pipeline } from 'node:stream';
import { type CsvError, parse } from 'csv-parse';
import { badFile, Failure } from '../failure.js';
import { contents } from './bytes.js';
import { type Labels, type MatrixSource, type ReadOptions, rowsPerBatch } from './matrix.js';

interface Line {
  readonly record: readonly string[];
  /** In the file, counted from 1. */
  readonly number: number;
}

/** Where a csv file keeps what. */
interface Layout {
  readonly header: boolean;
  readonly columns: number;
  /** Position of the column of labels. */
  readonly label: number | undefined;
}

/** The numbers of a csv file. All columns but that of the labels must be numbers. */
export async function openCsv(path: string, options: ReadOptions): Promise<MatrixSource> {
  const layout = await readLayout(path, options);
  const dim = layout.columns - (layout.label === undefined ? 0 : 1);
  if (dim === 0) throw badFile(path, 'has no column of numbers');
  return { path, dim, batches: () => csvBatches(path, layout, dim, options.scale ?? 1) };
}

/** The classes in the label column of a csv file; in its only column where none is named. */
export async function readCsvLabels(path: string, options: ReadOptions): Promise<Labels> {
  const layout = await readLayout(path, options);
  const column = layout.label ?? 0;
  if (layout.label === undefined && layout.columns !== 1) {
    throw new Failure(`${path}: has ${layout.columns} columns; say which holds labels with --label-column`);
  }
  const position = new Map<string, number>();
  const rows: number[] = [];
  for await (const { record } of dataLines(path, layout)) {
    const name = record[column] ?? '';
    if (!position.has(name)) position.set(name, position.size);
    rows.push(position.get(name) ?? 0);
  }
  return { classes: [...position.keys()], rows: Uint32Array.from(rows) };
}

async function readLayout(path: string, { header, labelColumn }: ReadOptions): Promise<Layout> {
  for await (const { record } of lines(path)) {
    const label = labelColumn === undefined ? undefined : columnOf(path, record, labelColumn);
    const named = record.some((field, column) => column !== label && !isNumber(field));
    // A column that is called by a name that stands in the first line makes that line a header.
    const called = label !== undefined && record[label] === labelColumn;
    return { header: header ?? (named || called), columns: record.length, label };
  }
  throw badFile(path, 'is empty');
}

function columnOf(path: string, first: readonly string[], wanted: string): number {
  const named = first.indexOf(wanted);
  if (named >= 0) return named;
  const position = Number(wanted);
  if (Number.isInteger(position) && position >= 1 && position <= first.length) return position - 1;
  throw new Failure(`${path}: has no column ${JSON.stringify(wanted)}; its first line is ${first.join(',').slice(0, 80)}`);
}

async function* csvBatches(
  path: string,
  layout: Layout,
  dim: number,
  scale: number,
): AsyncGenerator<Float32Array> {
  const most = rowsPerBatch(dim) * dim;
  let batch = new Float32Array(most);
  let length = 0;
  let found = false;
  for await (const line of dataLines(path, layout)) {
    found = true;
    line.record.forEach((field, column) => {
      if (column !== layout.label) batch[length++] = numberOf(path, line, column) * scale;
    });
    if (length === most) {
      yield batch;
      batch = new Float32Array(most);
      length = 0;
    }
  }
  if (!found) throw badFile(path, 'has no rows of numbers');
  if (length > 0) yield batch.slice(0, length);
}

async function* dataLines(path: string, layout: Layout): AsyncGenerator<Line> {
  let first = true;
  for await (const line of lines(path)) {
    if (!(first && layout.header)) yield line;
    first = false;
  }
}

async function* lines(path: string): AsyncGenerator<Line> {
  const parser = parse({ bom: true, trim: true, skip_empty_lines: true, info: true });
  try {
    for await (const parsed of pipeline(contents(path), parser, () => undefined)) {
      const { record, info } = parsed as { record: string[]; info: { lines: number } };
      yield { record, number: info.lines };
    }
  } catch (error) {
    const { code, message } = error as CsvError;
    if (code?.startsWith('CSV_')) throw badFile(path, message, error);
    throw error;
  }
}

function isNumber(field: string): boolean {
  return field !== '' && Number.isFinite(Number(field));
}

function numberOf(path: string, line: Line, column: number): number {
  const field = line.record[column] ?? '';
  if (isNumber(field)) return Number(field);
  const found = JSON.stringify(field.slice(0, 40));
  throw badFile(path, `line ${line.number}, column ${column + 1}: ${found} is no finite number`);
}
