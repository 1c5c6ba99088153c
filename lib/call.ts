/** What every heavy call has in common: options, cancellation, progress, and errors in their public form. */
import { binding } from './binding.js';
import { badArgument, toEngramError } from './errors.js';
import type { NativeProgress, NativeSettle } from './native.js';
import { choice, integer, optionsObject } from './options.js';

export interface CallOptions {
  /** Aborting rejects the promise with the signal's reason at once; the work itself stops within about 1 ms. */
  signal?: AbortSignal;
  /**
   * Called at most ten times a second and once at the end, in units of the operation's choice. What it throws
   * is an uncaught exception, as from any event listener.
   */
  onProgress?: (progress: { done: number; total: number }) => void;
  /** `'batch'` work lets `'interactive'` work (the default) go first. */
  priority?: 'interactive' | 'batch';
  /** Most threads that may work on this call, 1 to 1024; as many as there are when absent. */
  threads?: number;
}

/** Options of a synchronous twin. */
export type SyncOptions<T extends CallOptions> = Omit<T, 'signal' | 'onProgress'>;

const PRIORITIES = ['interactive', 'batch'] as const;
export const MOST_THREADS = 1024;

/** Most threads as the native side takes it: 0 for no limit. */
export function maxThreads(op: string, options: CallOptions): number {
  return options.threads === undefined ? 0 : integer(op, 'threads', options.threads, 1, MOST_THREADS);
}

/** One asynchronous call on its way. */
export class Call<T> {
  readonly interactive: boolean;
  readonly maxThreads: number;
  readonly progress: NativeProgress | undefined;
  readonly #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(
    readonly op: string,
    options: CallOptions,
    readonly resolve: (value: T) => void,
    readonly reject: (reason: unknown) => void,
  ) {
    this.interactive =
      options.priority === undefined || choice(op, 'priority', options.priority, PRIORITIES) === 'interactive';
    this.maxThreads = maxThreads(op, options);
    this.progress = checkedProgress(op, options.onProgress);
    this.#signal = checkedSignal(op, options.signal);
  }

  /** True when the signal was aborted before the call: the promise is rejected then, nothing is to be done. */
  rejectedByAbort(): boolean {
    if (!this.#signal?.aborted) return false;
    this.reject(this.#signal.reason);
    return true;
  }

  /**
   * The callback for the native side. `result` makes the public result of the native ones. What the call
   * writes must be reachable from `result`: the native side holds this callback until it writes no more.
   */
  settle(result: (...results: never[]) => T): NativeSettle {
    return (error, ...results) => {
      this.#stopListening();
      try {
        if (error !== undefined) throw error;
        this.resolve(result(...results));
      } catch (reason) {
        this.reject(toEngramError(reason, this.op));
      }
    };
  }

  /** The native side has taken the call: from now on it can be cancelled. */
  started(id: number): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    this.#onAbort = () => {
      this.#stopListening();
      binding.cancel(id);
      this.reject(signal.reason);
    };
    signal.addEventListener('abort', this.#onAbort);
  }

  #stopListening(): void {
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#onAbort = undefined;
  }
}

/** A promise for an asynchronous call. Whatever is thrown on the way, bad arguments too, rejects it. */
export function asynchronous<T, O extends CallOptions>(
  op: string,
  given: O | undefined,
  begin: (call: Call<T>, options: O) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    try {
      const options = optionsObject(op, given);
      const call = new Call<T>(op, options, resolve, reject);
      if (!call.rejectedByAbort()) begin(call, options);
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever was thrown is passed on
      reject(toEngramError(error, op));
    }
  });
}

/** Runs native work of the calling thread, giving errors their public form. */
export function synchronous<T>(op: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw toEngramError(error, op);
  }
}

function checkedSignal(op: string, signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  if (signal instanceof EventTarget && 'aborted' in signal) return signal as AbortSignal;
  throw badArgument('ERR_ENGRAM_TYPE', op, 'signal', signal, 'an AbortSignal');
}

function checkedProgress(op: string, listener: CallOptions['onProgress']): NativeProgress | undefined {
  if (listener === undefined) return undefined;
  if (typeof listener !== 'function') {
    throw badArgument('ERR_ENGRAM_TYPE', op, 'onProgress', listener, 'a function');
  }
  return (done, total) => {
    try {
      listener({ done, total });
    } catch (error) {
      // Thrown where nothing of engram's is on the stack, so that all other calls are settled.
      process.nextTick(() => {
        throw error;
      });
    }
  };
}
