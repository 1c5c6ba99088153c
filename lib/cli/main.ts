#!/usr/bin/env node
/** The `engram` command. */
import { run } from './program.js';

/** A reader that has seen enough, such as `head`, is no failure. */
function tolerateClosedPipe(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

tolerateClosedPipe(process.stdout);
tolerateClosedPipe(process.stderr);
void run(process.argv.slice(2)).then((end) => {
  // A shell that is told the signal stops its loops and scripts as well.
  if (typeof end === 'string') process.kill(process.pid, end);
  else process.exitCode = end;
});
