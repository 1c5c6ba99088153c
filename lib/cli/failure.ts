/** How commands fail: one clear line on stderr and an exit status. */

/** Exit statuses of the command. */
export const EXIT = {
  /** All that was asked for is done. */
  done: 0,
  /** It could not be done; the line on stderr says why. */
  failed: 1,
  /** The command line itself was wrong. */
  usage: 2,
} as const;

/** Something about the user's input that the command line cannot work with. */
export class Failure extends Error {
  override readonly name = 'Failure';

  /**
   * @param message what is wrong, where, and what would be right
   * @param code an error code of the library where one fits, e.g. `ERR_ENGRAM_FORMAT`
   */
  constructor(
    message: string,
    readonly code?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Options that are fine one by one, but not together. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A file that does not follow its format. */
export function badFile(path: string, problem: string, cause?: unknown): Failure {
  return new Failure(`${path}: ${problem}`, 'ERR_ENGRAM_FORMAT', cause === undefined ? undefined : { cause });
}

/** The error on one line, its code in brackets at the end. */
export function oneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  const message = error.message.replace(/\s*\n\s*/g, ' ');
  return typeof code === 'string' && !message.includes(code) ? `${message} [${code}]` : message;
}
