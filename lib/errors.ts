import { getSystemErrorName } from 'node:util';

/** The codes of {@link EngramError}. They are stable: programs may branch on them. */
export type EngramErrorCode =
  | 'ERR_ENGRAM_SHAPE'
  | 'ERR_ENGRAM_RANGE'
  | 'ERR_ENGRAM_TYPE'
  | 'ERR_ENGRAM_NONFINITE'
  | 'ERR_ENGRAM_ABORTED'
  | 'ERR_ENGRAM_DISPOSED'
  | 'ERR_ENGRAM_OUT_OF_MEMORY'
  | 'ERR_ENGRAM_FORMAT'
  | 'ERR_ENGRAM_IO'
  | 'ERR_ENGRAM_DEVICE'
  | 'ERR_ENGRAM_NOT_CONVERGED';

/** What exactly was wrong with an argument. */
export interface ArgumentDetail {
  /** Which argument or option. */
  argument: string;
  /** What was passed. */
  value: unknown;
  /** What would have been valid, in words. */
  expected: string;
}

/** Every failure that engram reports, apart from an `AbortSignal`'s own reason. */
export class EngramError extends Error {
  override readonly name = 'EngramError';
  /** Stable, for programs. */
  readonly code: EngramErrorCode;
  /** The operation that failed, e.g. `DenseMemory.retrieve`. */
  readonly op: string;
  /** For a bad argument an {@link ArgumentDetail}. */
  declare readonly detail?: unknown;

  constructor(
    code: EngramErrorCode,
    op: string,
    message: string,
    options: { detail?: unknown; cause?: unknown } = {},
  ) {
    super(`${op}: ${message}`, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.op = op;
    if (options.detail !== undefined) this.detail = options.detail;
  }
}

/** A value as a short text for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (ArrayBuffer.isView(value)) {
    const length = (value as { length?: number }).length;
    return `${value.constructor.name}(${length ?? value.byteLength})`;
  }
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = (value as { constructor?: { name?: string } }).constructor?.name;
  return name && name !== 'Object' ? `a ${name}` : 'an object';
}

/** The error for an argument that is not valid. */
export function badArgument(
  code: EngramErrorCode,
  op: string,
  argument: string,
  value: unknown,
  expected: string,
  cause?: unknown,
): EngramError {
  const detail: ArgumentDetail = { argument, value, expected };
  const message = `${argument} is ${describe(value)}; expected ${expected}`;
  return new EngramError(code, op, message, cause === undefined ? { detail } : { detail, cause });
}

/** What the native side throws: an Error with our code, and errno where the system refused. */
interface NativeError extends Error {
  code: EngramErrorCode;
  errno?: number;
}

function isNativeError(error: unknown): error is NativeError {
  const code = (error as { code?: unknown } | null)?.code;
  return error instanceof Error && typeof code === 'string' && code.startsWith('ERR_ENGRAM_');
}

function systemError(errno: number, message: string): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(message), { code, errno: -errno });
}

/** Gives an error from the native side its public form; anything else is passed through. */
export function toEngramError(error: unknown, op: string): unknown {
  if (error instanceof EngramError || !isNativeError(error)) return error;
  const options = error.errno === undefined ? {} : { cause: systemError(error.errno, error.message) };
  return new EngramError(error.code, op, error.message, options);
}
