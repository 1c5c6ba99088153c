/** Checks of what callers pass. Each returns the checked value, or throws the EngramError that says why not. */
import { badArgument } from './errors.js';

/** The largest whole number that the native side takes for counts and widths. */
export const MOST_UINT32 = 0xffff_ffff;

const NONE: object = Object.freeze({});

/** The options object itself: absent, or an object. */
export function optionsObject<T extends object>(op: string, value: T | undefined): T {
  if (value === undefined) return NONE as T;
  if (typeof value === 'object' && value !== null) return value;
  throw badArgument('ERR_ENGRAM_TYPE', op, 'options', value, 'an object');
}

/** A whole number in [least, most]. */
export function integer(op: string, argument: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number') {
    throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, `a whole number from ${least} to ${most}`);
  }
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw badArgument('ERR_ENGRAM_RANGE', op, argument, value, `a whole number from ${least} to ${most}`);
}

/** A finite number that `accept` likes; `expected` says in words which these are. */
export function number(
  op: string,
  argument: string,
  value: unknown,
  accept: (value: number) => boolean,
  expected: string,
): number {
  if (typeof value !== 'number') throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, expected);
  if (Number.isFinite(value) && accept(value)) return value;
  throw badArgument('ERR_ENGRAM_RANGE', op, argument, value, expected);
}

/** One of some strings. */
export function choice<T extends string>(op: string, argument: string, value: unknown, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  const code = typeof value === 'string' ? 'ERR_ENGRAM_RANGE' : 'ERR_ENGRAM_TYPE';
  throw badArgument(code, op, argument, value, choices.map((one) => `'${one}'`).join(', '));
}

export function boolean(op: string, argument: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, 'true or false');
}

/** A string that is not empty and has no NUL character. */
export function text(op: string, argument: string, value: unknown): string {
  const expected = 'a string, not empty, without NUL characters';
  if (typeof value !== 'string') throw badArgument('ERR_ENGRAM_TYPE', op, argument, value, expected);
  if (value.length > 0 && !value.includes('\0')) return value;
  throw badArgument('ERR_ENGRAM_RANGE', op, argument, value, expected);
}
