/** Rows of examples, +-1 or real, as callers give them. */
import { types } from 'node:util';
import { type Ownership, takeOwnership } from './arrays.js';
import { badArgument } from './errors.js';

/** Examples in rows of `dim`. */
export type Examples = Float32Array | Int8Array;

/** The number of rows, one at least. */
export function checkedExamples(op: string, argument: string, value: unknown, dim: number): number {
  if (!types.isFloat32Array(value) && !types.isInt8Array(value)) {
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, 'a Float32Array or an Int8Array');
  }
  const count = value.length / dim;
  if (Number.isInteger(count) && count > 0) return count;
  throw badArgument('ERR_ENGRAM_SHAPE', op, argument, value, `rows of ${dim} elements, one or more`);
}

/** Examples that stay where they are whatever the caller does with his own: shared, moved away, or copied. */
export function ownExamples(op: string, examples: Examples, ownership: Ownership | undefined): Examples {
  const { adopt, rows } = takeOwnership(op, ownership, { rows: examples });
  return adopt ? rows : rows.slice();
}
