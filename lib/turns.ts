/** Calls that take turns. */

/** A line of calls of which one runs at a time, in the order in which they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** True while a call runs or waits. */
  get taken(): boolean {
    return this.#waiting > 0;
  }

  /** Runs `call` when those before it have ended; not at all, and rejecting at once, where the signal is aborted before. */
  async take<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const running = this.taken ? before.then(() => (signal?.aborted === true ? undefined : call())) : call();
    ++this.#waiting;
    this.#last = running.then(
      () => --this.#waiting,
      () => --this.#waiting,
    );
    return (await untilAborted(running, signal)) as T;
  }
}

/** Settles as the promise does, or rejects with the signal's reason as soon as it is aborted. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!(signal instanceof AbortSignal)) return promise;
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
