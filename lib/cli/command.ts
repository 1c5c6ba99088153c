/** What all commands have in common: how they are run, and what they say. */
import { InvalidArgumentError, type Command } from 'commander';
import { Interrupt } from './interrupt.js';
import { startProgress, type Progress, type ProgressReport } from './progress.js';

/** The exit of a command that a signal has ended; the process then ends by that signal. */
export class Interrupted extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super('interrupted');
  }
}

/** What a command works with. */
export interface Context {
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
  /** True when the result is printed as JSON. */
  readonly json: boolean;
  /** Prints the result: as JSON where that was asked for, else as text for people. */
  print(result: unknown, text: () => string): void;
  /** Prints a line for people on the way to the result; nothing with `--json`. */
  say(line: string): void;
  /** Runs work under a progress bar. */
  withProgress<T>(label: string, work: (onProgress: (report: ProgressReport) => void) => Promise<T>): Promise<T>;
}

/** Options that every command has. */
export interface CommonOptions {
  json?: boolean;
}

/** Gives a command its `--json` and its body. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- names the command's own options
export function defineAction<O extends CommonOptions>(
  command: Command,
  body: (context: Context, options: O, args: readonly string[]) => Promise<void>,
): void {
  command.option('--json', 'print the result as JSON').action(async () => {
    const interrupt = new Interrupt();
    const options = command.opts<O>();
    try {
      await body(new RunningCommand(interrupt.signal, options.json === true), options, command.args);
    } catch (error) {
      if (interrupt.received !== undefined) throw new Interrupted(interrupt.received);
      throw error;
    } finally {
      interrupt.dispose();
    }
  });
}

class RunningCommand implements Context {
  constructor(
    readonly signal: AbortSignal,
    readonly json: boolean,
  ) {}

  print(result: unknown, text: () => string): void {
    process.stdout.write(`${this.json ? JSON.stringify(result) : text()}\n`);
  }

  say(line: string): void {
    if (!this.json) process.stdout.write(`${line}\n`);
  }

  async withProgress<T>(
    label: string,
    work: (onProgress: (report: ProgressReport) => void) => Promise<T>,
  ): Promise<T> {
    const progress: Progress = startProgress(label, this.json);
    try {
      return await work(progress.update);
    } finally {
      progress.stop();
    }
  }
}

/** The library. Loaded when a command needs it, so that `--help` works where the addon cannot be loaded. */
export function loadLibrary(): Promise<typeof import('../index.js')> {
  return import('../index.js');
}

/** What the public library does not offer: single arrays as files. */
export async function loadBinding(): Promise<typeof import('../binding.js').binding> {
  return (await import('../binding.js')).binding;
}

/** Parser of an option that takes a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a number above 0.');
}

/** Parser of an option that takes a number of at least 0. */
export function nonNegativeNumber(text: string): number {
  return Number(text) === 0 && text.trim() !== '' ? 0 : positiveNumber(text);
}

/** Parser of an option that takes a whole number of at least 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a whole number of at least 1.');
}
