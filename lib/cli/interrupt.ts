/** Ctrl-C and friends, as an AbortSignal. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Watches for the signals that ask a process to end. */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #listeners = SIGNALS.map((name) => ({ name, listener: () => this.#interrupt(name) }));
  #received: NodeJS.Signals | undefined;

  constructor() {
    for (const { name, listener } of this.#listeners) process.on(name, listener);
  }

  /** Aborted by the first of the signals; a second one ends the process at once, as it would without us. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Which signal came, if one did. */
  get received(): NodeJS.Signals | undefined {
    return this.#received;
  }

  /** Gives the signals back to their default. */
  dispose(): void {
    for (const { name, listener } of this.#listeners) process.off(name, listener);
  }

  #interrupt(name: NodeJS.Signals): void {
    this.dispose();
    this.#received = name;
    this.#controller.abort();
  }
}
