/** Where dense memories are computed, and how. */
import { devices } from './devices.js';
import { badArgument } from './errors.js';
import { chosenDevice, type ChosenDevice, isAutomatic, type MemoryOptions } from './memory-options.js';
import { choice } from './options.js';

/** How a GPU keeps the numbers of a memory: `'f32'` as they are, or rounded to 16 bits. */
export type Storage = 'f32' | 'f16' | 'bf16';

/**
 * How a GPU multiplies Float32 rows with many queries: `'tf32x3'` keeps the accuracy of Float32, `'tf32'` has 10 bits
 * of mantissa, `'bf16'` 7. Few queries are always multiplied in Float32, rows of 16 bits as they are.
 */
export type Arithmetic = 'tf32x3' | 'tf32' | 'bf16';

const STORAGES: readonly Storage[] = ['f32', 'f16', 'bf16'];
const ARITHMETICS: readonly Arithmetic[] = ['tf32x3', 'tf32', 'bf16'];

export interface PlacementOptions extends Pick<MemoryOptions, 'device'> {
  /**
   * Default `'f32'`. The others halve the memory on a GPU and speed calls up; answers are then those of the rounded
   * rows, but for {@link DenseMemory.search}, which stays exact. The CPU has `'f32'` only.
   */
  storage?: Storage;
  /** Default `'tf32x3'`. Of no effect on the CPU, which computes in Float32. */
  arithmetic?: Arithmetic;
}

/** Where a dense memory is computed, and how. */
export interface Placement extends ChosenDevice {
  storage: number;
  arithmetic: number;
}

/**
 * The placement that the options stand for. `onHost`: the rows are the caller's to read and write, which only the CPU
 * allows; `'auto'` is the CPU then.
 */
export function checkedPlacement(op: string, options: PlacementOptions, onHost = false): Placement {
  const storage = options.storage === undefined ? 'f32' : choice(op, 'storage', options.storage, STORAGES);
  const arithmetic =
    options.arithmetic === undefined ? 'tf32x3' : choice(op, 'arithmetic', options.arithmetic, ARITHMETICS);
  const automatic = isAutomatic(options.device);
  const chosen = onHost && automatic ? { device: 'cpu', automatic } : chosenDevice(op, options.device);
  if (onHost && chosen.device !== 'cpu') {
    const expected = "'cpu' or 'auto': rows in shared memory are read where they lie, a GPU needs its own copy";
    throw badArgument('ERR_ENGRAM_RANGE', op, 'device', options.device, expected);
  }
  const placement = { ...chosen, storage: STORAGES.indexOf(storage), arithmetic: ARITHMETICS.indexOf(arithmetic) };
  if (chosen.device !== 'cpu') return placement;
  if (onHost) return onCpu(op, placement, 'rows in shared memory are read where they lie');
  return onCpu(op, placement, automatic ? `'auto' found no GPU: ${missingDevices()}` : undefined);
}

/** The placement on the CPU, which stands in for the device that `'auto'` chose: it refused the memory. */
export function insteadOf(op: string, placement: Placement, refusal: unknown): Placement {
  const { message } = refusal as Error;
  return onCpu(op, placement, `'auto' could not use ${placement.device}: ${message}`, refusal);
}

/** `why` it is the CPU, for the one who wants what only a GPU has. */
function onCpu(op: string, placement: Placement, why?: string, cause?: unknown): Placement {
  const storage = STORAGES[placement.storage];
  if (storage === 'f32') return { ...placement, device: 'cpu' };
  const expected = `'f32', the only one on the CPU${why === undefined ? '' : ` (${why})`}`;
  throw badArgument('ERR_ENGRAM_RANGE', op, 'storage', storage, expected, cause);
}

/** Each GPU that cannot be used, and why. */
function missingDevices(): string {
  const missing = devices().filter(({ available }) => !available);
  return missing.map(({ id, reason }) => `${id}: ${reason ?? 'no reason known'}`).join('; ');
}
