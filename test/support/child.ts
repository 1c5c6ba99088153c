/** Child processes that run a module of the tests. */
import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import { once } from 'node:events';

/** Starts a module in a process of its own. The loader of the tests is inherited through execArgv. */
export function start(
  module: URL,
  args: readonly string[] = [],
  options: ForkOptions = {},
): ChildProcess {
  return fork(module, args, { ...options, env: { ...process.env, ...options.env } });
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Waits until the process has ended and its output is closed. */
export async function ended(child: ChildProcess): Promise<Ending> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

/** Waits for the process's first message; rejects when it ends without one. */
export function firstMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code, signal) => {
      reject(new Error(`the process ended with ${code ?? signal}, without a message`));
    });
  });
}

/** Runs a module that sends one message, and returns the message; rejects when it fails. */
export async function reportOf<T>(
  module: URL,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
  execArgv: readonly string[] = process.execArgv,
): Promise<T> {
  const child = start(module, args, { env, execArgv: [...execArgv], stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  let report: T | undefined;
  let errors = '';
  child.on('message', (message) => (report = message as T));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const { code, signal } = await ended(child);
  if (code !== 0 || report === undefined) {
    throw new Error(`${module.pathname} ended with ${code ?? signal} and ${report ? 'a' : 'no'} report\n${errors}`);
  }
  return report;
}
