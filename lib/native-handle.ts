import { EngramError } from './errors.js';
import type { NativeMemory } from './native.js';

/** What a memory holds on to: its native side, until it is disposed. */
export class NativeHandle<T extends NativeMemory> {
  #native: T | undefined; // undefined once disposed

  constructor(native: T) {
    this.#native = native;
  }

  /** The native side, for `op`; throws when it was disposed. */
  native(op: string): T {
    if (this.#native !== undefined) return this.#native;
    throw new EngramError('ERR_ENGRAM_DISPOSED', op, 'the memory was disposed');
  }

  get nativeBytes(): number {
    return this.#native?.nativeBytes() ?? 0;
  }

  get deviceBytes(): number {
    return this.#native?.deviceBytes() ?? 0;
  }

  dispose(): void {
    this.#native?.dispose();
    this.#native = undefined;
  }
}
