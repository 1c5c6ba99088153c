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
  checkBuffer(op, argument, value, 'a Float32Array');
  return value;
}

/** A Uint32Array over memory of a fixed size. */
export function checkedWords(op: string, argument: string, value: unknown): Uint32Array {
  if (!types.isUint32Array(value)) throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, 'a Uint32Array');
  checkBuffer(op, argument, value, 'a Uint32Array');
  return value;
}

function checkBuffer(op: string, argument: string, array: Float32Array | Uint32Array, kind: string): void {
  const buffer = array.buffer as ArrayBufferLike & { resizable?: boolean; growable?: boolean };
  if (buffer.resizable === true || buffer.growable === true) {
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, array, `${kind} over a buffer of fixed size`);
  }
  if (array.length === 0 && isDetached(array)) {
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, array, 'an array whose buffer has not been detached');
  }
}

/** True when the array's buffer was transferred away. */
function isDetached(array: ArrayBufferView): boolean {
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

function isShared(array: Numbers): boolean {
  return types.isSharedArrayBuffer(array.buffer);
}

/** Can native threads write it while JavaScript runs? Only shared memory stays where it is. */
export function isWritableByThreads(array: Float32Array): boolean {
  return isShared(array);
}

/** Arrays that native threads read. */
type Numbers = Float32Array | Int8Array;

/** Arrays of one memory, named as the arguments they came in. */
type Arrays<T> = Record<keyof T, Numbers | undefined>;

/** Arrays for a memory: to be adopted where they lie, or to be copied. */
export type Owned<T extends Arrays<T>> = T & { adopt: boolean };

/** What is to become of arrays. */
export interface OwnershipPlan {
  /** They are adopted where they lie, else copied. */
  adopt: boolean;
  /** They are to be moved, see {@link moved}. */
  moves: boolean;
}

/** Does what `ownership` asks. With 'auto' and 'share' all arrays are treated alike. */
export function takeOwnership<T extends Arrays<T>>(op: string, ownership: Ownership | undefined, arrays: T): Owned<T> {
  const { adopt, moves } = plannedOwnership(op, ownership, arrays);
  return { ...(moves ? moved(op, arrays) : arrays), adopt };
}

/** The first half of {@link takeOwnership}: checks, and leaves the arrays as they are. */
export function plannedOwnership<T extends Arrays<T>>(
  op: string,
  ownership: Ownership | undefined,
  arrays: T,
): OwnershipPlan {
  const asked = ownership === undefined ? 'auto' : choice(op, 'ownership', ownership, OWNERSHIPS);
  if (asked === 'transfer') {
    checkUnshared(op, arrays);
    return { adopt: true, moves: true };
  }
  const unshared = firstUnshared(arrays);
  if (asked === 'share' && unshared !== undefined) {
    const expected = 'an array over a SharedArrayBuffer, to be shared';
    throw badArgument('ERR_ENGRAM_TYPE', op, unshared[0], unshared[1], expected);
  }
  return { adopt: asked !== 'copy' && unshared === undefined, moves: false };
}

/** Would 'auto' share the arrays, where they are arrays and where it is free to? */
export function areShared(...arrays: (Numbers | undefined)[]): boolean {
  return arrays.every((array) => array === undefined || (ArrayBuffer.isView(array) && isShared(array)));
}

function firstUnshared<T extends Arrays<T>>(arrays: T): [string, Numbers] | undefined {
  for (const [argument, array] of named(arrays)) if (array !== undefined && !isShared(array)) return [argument, array];
  return undefined;
}

function named<T extends Arrays<T>>(arrays: T): [string, Numbers | undefined][] {
  return Object.entries(arrays);
}

function checkUnshared<T extends Arrays<T>>(op: string, arrays: T): void {
  for (const [argument, array] of named(arrays)) {
    if (array === undefined || !isShared(array)) continue;
    const expected = "an array over an ordinary ArrayBuffer, to be transferred (a shared one can be given as 'share')";
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, array, expected);
  }
}

/** The second half: arrays whose plan says so, in buffers of their own. Their elements stay where they are in memory. */
export function moved<T extends Arrays<T>>(op: string, arrays: T): T {
  const buffers = new Set<ArrayBuffer>();
  for (const [, array] of named(arrays)) if (array !== undefined) buffers.add(array.buffer as ArrayBuffer);
  const [argument, array] = named(arrays)[0]!;
  const refused = (cause?: unknown): EngramError =>
    badArgument('ERR_ENGRAM_TYPE', op, argument, array, 'an array whose buffer can be transferred', cause);
  let result: T;
  try {
    result = structuredClone(arrays, { transfer: [...buffers] });
  } catch (cause) {
    throw refused(cause);
  }
  // Node up to version 20 copies a buffer that is marked as untransferable.
  if ([...buffers].some(({ byteLength }) => byteLength > 0)) throw refused();
  return result;
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

/** A zeroed, private Float64Array. */
export function allocateDoubles(op: string, length: number): Float64Array {
  return orOutOfMemory(op, length, () => new Float64Array(length));
}

/** A zeroed, private Uint32Array. */
export function allocateWords(op: string, length: number): Uint32Array {
  return orOutOfMemory(op, length, () => new Uint32Array(length));
}

/** A zeroed, private Uint8Array. */
export function allocateBytes(op: string, length: number): Uint8Array {
  return orOutOfMemory(op, length, () => new Uint8Array(length));
}

function orOutOfMemory<T>(op: string, length: number, allocate: () => T): T {
  try {
    return allocate();
  } catch (cause) {
    throw new EngramError('ERR_ENGRAM_OUT_OF_MEMORY', op, `there is no memory for ${length} numbers`, { cause });
  }
}
