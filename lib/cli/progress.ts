/** Progress bars: on stderr, and only where a person watches a terminal. */
import cliProgress from 'cli-progress';

/** What the library's `onProgress` reports. */
export interface ProgressReport {
  done: number;
  total: number;
}

/** A bar under way. */
export interface Progress {
  /** Shows how far the work is. */
  readonly update: (report: ProgressReport) => void;
  /** Takes the bar away. */
  stop(): void;
}

const SILENT: Progress = { update: () => undefined, stop: () => undefined };

/** Starts a bar, or nothing at all where stderr is no terminal or `quiet` is set. */
export function startProgress(label: string, quiet: boolean): Progress {
  if (quiet || !process.stderr.isTTY) return SILENT;
  const bar = new cliProgress.SingleBar(
    {
      stream: process.stderr,
      format: `${label} {bar} {percentage} %  {eta_formatted} left`,
      hideCursor: true,
      clearOnComplete: true,
      stopOnComplete: false,
    },
    cliProgress.Presets.shades_classic,
  );
  bar.start(1, 0);
  return {
    update: ({ done, total }) => {
      bar.setTotal(total);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}
