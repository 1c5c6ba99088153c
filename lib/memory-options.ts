/** Options that every kind of memory has, and their checks. */
import { binding } from './binding.js';
import type { CallOptions } from './call.js';
import { badArgument } from './errors.js';
import { boolean, integer, text } from './options.js';

/** Options of every memory. */
export interface MemoryOptions {
  /**
   * `'cpu'`, `'cuda:<n>'`, or `'auto'` (default): the first GPU that is available, and the CPU where there is none or it
   * has no room for the memory or cannot be used. See {@link devices}.
   */
  device?: string;
  /** Kept as `metadata.name`. */
  name?: string;
  /** Saved with the memory. Keys that begin with `engram.` are reserved. */
  metadata?: Record<string, string>;
}

/** Options of opening a memory's file. What is given stands in place of what the file says. */
export interface OpenOptions extends MemoryOptions, Pick<CallOptions, 'signal'> {
  /** Reads the whole file first and compares its checksums. Default false. */
  verify?: boolean;
}

const MOST_DIM = 2 ** 31 - 1;

export function checkedDim(op: string, argument: string, value: unknown): number {
  return integer(op, argument, value, 1, MOST_DIM);
}

/** A device by its id, and whether `'auto'` chose it: then the CPU stands in where it refuses. */
export interface ChosenDevice {
  device: string;
  automatic: boolean;
}

export function isAutomatic(device: string | undefined): boolean {
  return device === undefined || device === 'auto';
}

/** The device that the option stands for. */
export function chosenDevice(op: string, device: string | undefined): ChosenDevice {
  const automatic = isAutomatic(device);
  return { device: binding.resolveDevice(automatic ? 'auto' : text(op, 'device', device)), automatic };
}

const REFUSALS = ['ERR_ENGRAM_OUT_OF_MEMORY', 'ERR_ENGRAM_DEVICE'];

/** Does the error say that a device is full, or cannot be used: another program has it for itself, it was lost? */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.includes((error as { code?: string } | null)?.code ?? '');
}

export function isVerified(op: string, { verify }: Pick<OpenOptions, 'verify'>): boolean {
  return verify !== undefined && boolean(op, 'verify', verify);
}

const RESERVED = 'engram.';

/** The caller's metadata, `name` among them. */
export function checkedMetadata(op: string, options: MemoryOptions): Record<string, string> {
  const { name, metadata } = options;
  const result: Record<string, string> = {};
  if (metadata !== undefined) {
    if (typeof metadata !== 'object' || metadata === null) {
      throw badArgument('ERR_ENGRAM_TYPE', op, 'metadata', metadata, 'an object of strings');
    }
    for (const [key, value] of Object.entries(metadata)) {
      if (key.startsWith(RESERVED)) {
        throw badArgument('ERR_ENGRAM_RANGE', op, 'metadata key', key, `a key that does not begin with '${RESERVED}'`);
      }
      if (typeof value !== 'string') {
        throw badArgument('ERR_ENGRAM_TYPE', op, `metadata.${key}`, value, 'a string');
      }
      result[key] = value;
    }
  }
  if (name !== undefined) result.name = text(op, 'name', name);
  return result;
}
