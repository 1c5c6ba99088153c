/** Classes as values of a memory. */
import type { Labels, ReadOptions } from './matrix.js';
import { readLabels } from './open.js';

/** The labels in several files, one after the other; classes of the same name are the same. */
export async function readAllLabels(paths: readonly string[], options: ReadOptions): Promise<Labels> {
  const parts: Labels[] = [];
  for (const path of paths) parts.push(await readLabels(path, options));
  const classes = [...new Set(parts.flatMap((part) => part.classes))].sort(byNumberThenName);
  const position = new Map(classes.map((name, at) => [name, at]));
  const rows = new Uint32Array(parts.reduce((count, part) => count + part.rows.length, 0));
  let at = 0;
  for (const part of parts) {
    for (const row of part.rows) rows[at++] = position.get(part.classes[row] ?? '') ?? 0;
  }
  return { classes, rows };
}

/** Rows x classes: 1 in the column of the row's class, else 0. */
export function oneHot({ classes, rows }: Labels): Float32Array {
  const matrix = new Float32Array(rows.length * classes.length);
  rows.forEach((label, row) => {
    matrix[row * classes.length + label] = 1;
  });
  return matrix;
}

function byNumberThenName(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  if (!Number.isNaN(difference)) return difference;
  return a < b ? -1 : Number(a > b);
}
