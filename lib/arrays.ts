/** Typed arrays from and for callers: checks, ownership, allocation. */
import { types } from 'node:util';
import { binding } from './binding.js';
import { badArgument, EngramError } from './errors.js';
import { choice } from './options.js';

/**
 * What becomes of an array handed to a memory. `'share'`: read where it lies, which only a
 * SharedArrayBuffer allows. `'transfer'`: its whole buffer is moved in, the source is left detached.
 * `'copy'`: copied. `'auto'`: shared buffers are shared, ordinary ones copied.
 */
export type Ownership = 'auto' | 'share' | 'transfer' | 'copy';

const OWNERSHIPS: readonly Ownership[] = ['auto', 'share', 'transfer', 'copy'];

/** A Float32Array over memory of a fixed size. */
export function checkedFloats(op: string, argument: string, value: unknown): Float32Array {
  if (!types.isFloat32Array(value)) throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, 'a Float32Array');
  const buffer = value.buffer as ArrayBufferLike & { resizable?: boolean; growable?: boolean };
  if (buffer.resizable === true || buffer.growable === true) {
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, 'a Float32Array over a buffer of fixed size');
  }
  if (value.length === 0 && isDetached(value)) {
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, 'an array whose buffer has not been detached');
  }
  return value;
}

/** True when the array's buffer was transferred away. */
export function isDetached(array: Float32Array): boolean {
  if (array.byteLength > 0) return false;
  try {
    return new Uint8Array(array.buffer).byteLength < 0;
  } catch {
    return true;
  }
}

/** Rows of `dim` elements each; the number of rows. */
export function rowCount(op: string, argument: string, rows: Float32Array, dim: number): number {
  if (rows.length % dim === 0) return rows.length / dim;
  throw badArgument('ERR_ENGRAM_SHAPE', op, argument, rows, `a multiple of ${dim} elements`);
}

/** Refuses an array that has not exactly `length` elements. */
export function checkLength(op: string, argument: string, array: Float32Array, length: number, meaning: string): void {
  if (array.length === length) return;
  throw badArgument('ERR_ENGRAM_SHAPE', op, argument, array, `${length} elements (${meaning})`);
}

function isShared(array: Float32Array): boolean {
  return types.isSharedArrayBuffer(array.buffer);
}

/** Can native threads write it while JavaScript runs? Only shared memory stays where it is. */
export function isWritableByThreads(array: Float32Array): boolean {
  return isShared(array);
}

/** Rows for a memory: to be adopted where they lie, or to be copied. */
export interface OwnedRows {
  adopt: boolean;
  patterns: Float32Array;
  values: Float32Array | undefined;
}

/** Does what `ownership` asks. With 'auto' and 'share' patterns and values are treated alike. */
export function takeOwnership(
  op: string,
  ownership: Ownership | undefined,
  patterns: Float32Array,
  values: Float32Array | undefined,
): OwnedRows {
  const asked = ownership === undefined ? 'auto' : choice(op, 'ownership', ownership, OWNERSHIPS);
  const arrays = { patterns, values };
  const shared = isShared(patterns) && (values === undefined || isShared(values));
  if (asked === 'share' && !shared) {
    const [argument, value] = isShared(patterns) ? ['values', values] : ['patterns', patterns];
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, "an array over a SharedArrayBuffer, to be shared");
  }
  if (asked === 'transfer') return { adopt: true, ...transfer(op, patterns, values) };
  return { adopt: asked !== 'copy' && shared, ...arrays };
}

function transfer(
  op: string,
  patterns: Float32Array,
  values: Float32Array | undefined,
): { patterns: Float32Array; values: Float32Array | undefined } {
  for (const [argument, array] of Object.entries({ patterns, values })) {
    if (array === undefined || !isShared(array)) continue;
    const expected = "an array over an ordinary ArrayBuffer, to be transferred (a shared one can be given as 'share')";
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, array, expected);
  }
  const buffers = new Set([patterns.buffer as ArrayBuffer]);
  if (values !== undefined) buffers.add(values.buffer as ArrayBuffer);
  try {
    return structuredClone({ patterns, values }, { transfer: [...buffers] });
  } catch (cause) {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'patterns', patterns, 'an array whose buffer can be transferred', cause);
  }
}

const ALIGNMENT = 64;

/** A zeroed Float32Array in shared memory, its first element at a multiple of 64 bytes. */
export function allocateShared(op: string, length: number): Float32Array {
  const buffer = orOutOfMemory(op, length, () => new SharedArrayBuffer(length * 4 + ALIGNMENT));
  const offset = binding.alignmentOffset(new Uint8Array(buffer));
  binding.preferHugePages(new Uint8Array(buffer, offset));
  return new Float32Array(buffer, offset, length);
}

/** A zeroed, private Float32Array. */
export function allocateFloats(op: string, length: number): Float32Array {
  return orOutOfMemory(op, length, () => new Float32Array(length));
}

/** A zeroed, private Uint32Array. */
export function allocateWords(op: string, length: number): Uint32Array {
  return orOutOfMemory(op, length, () => new Uint32Array(length));
}

function orOutOfMemory<T>(op: string, length: number, allocate: () => T): T {
  try {
    return allocate();
  } catch (cause) {
    const message = `there is no memory for ${length} numbers (${length * 4} bytes)`;
    throw new EngramError('ERR_ENGRAM_OUT_OF_MEMORY', op, message, { cause });
  }
}
