import { binding } from './binding.js';
import { MOST_THREADS, synchronous } from './call.js';
import { badArgument } from './errors.js';
import { integer, optionsObject } from './options.js';

/** Something engram can, or could, compute on. */
export interface DeviceInfo {
  /** `'cpu'` or `'cuda:<n>'`. */
  id: string;
  name: string;
  available: boolean;
  /** Why it is not available. */
  reason?: string;
  /** Memory of the device; of the CPU what this process may use. 0 where unknown. */
  memoryBytes: number;
  /** CPU: the instruction set in use. */
  instructionSet?: string;
  /** CPU: threads that work on calls. */
  threads?: number;
}

/** Every device this build knows of, available or not; the CPU comes first. */
export function devices(): DeviceInfo[] {
  return binding.devices().map(([id, name, available, reason, memoryBytes, instructionSet]) => ({
    id,
    name,
    available,
    ...(reason && { reason }),
    memoryBytes,
    ...(instructionSet && { instructionSet }),
    ...(id === 'cpu' && { threads: binding.threads() }),
  }));
}

/**
 * Settings of the process. `threads`: how many work on calls, 1 to 1024; by default what the affinity mask and the
 * cgroup quota allow, or `ENGRAM_THREADS`. Results do not depend on it.
 * @throws {EngramError} `ERR_ENGRAM_RANGE`, `ERR_ENGRAM_TYPE`.
 */
export function configure(options: { threads?: number }): void {
  const op = 'configure';
  if (options === undefined) throw badArgument('ERR_ENGRAM_TYPE', op, 'options', options, 'an object');
  const { threads } = optionsObject(op, options);
  if (threads === undefined) return;
  synchronous(op, () => binding.configure(integer(op, 'threads', threads, 1, MOST_THREADS)));
}
