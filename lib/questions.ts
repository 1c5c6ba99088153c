/** Answers to native calls that ask JavaScript things on their way. */
import { binding } from './binding.js';
import { EngramError } from './errors.js';
import type { NativeSettle } from './native.js';

/** The questions of one call. `answer` may fail: the call then ends, with that failure as it is. */
export class Questions<Question extends unknown[]> {
  /** Of the call that asks; known once it was taken in, which is before its first question. */
  id = 0;
  #failed: { readonly error: unknown } | undefined;

  constructor(
    readonly op: string,
    readonly answer: (...question: Question) => Promise<unknown>,
    readonly end: NativeSettle,
  ) {}

  /** For the native side. */
  readonly ask = (...question: Question): void => {
    this.answer(...question).then(
      (answer) => binding.answer(this.id, answer),
      (error: unknown) => {
        this.#failed = { error };
        binding.answer(this.id, undefined);
      },
    );
  };

  /** For the native side: the end of the call. A failed answer goes before what it led to. */
  readonly settle: NativeSettle = (error, ...results) => {
    if (error === undefined || this.#failed === undefined) this.end(error, ...results);
    else this.end((this.#failed.error ?? this.#unexplained()) as Error);
  };

  #unexplained(): EngramError {
    return new EngramError('ERR_ENGRAM_TYPE', this.op, 'what was called back failed without an error');
  }
}
