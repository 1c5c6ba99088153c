/** The commands of `engram`, and how each of their ends becomes an exit status. */
import { Command, CommanderError } from 'commander';
import { Interrupted } from './command.js';
import { addDemo } from './demo.js';
import { addDoctor } from './doctor.js';
import { EXIT, oneLine, UsageError } from './failure.js';
import { addFederated } from './federated/federated.js';
import { addImport } from './import.js';
import { addInfo } from './info.js';
import { addMeasures } from './measures/measures.js';
import { addRetrieve } from './retrieve.js';
import { addSearch } from './search.js';
import { version } from '../package.cjs';

/** The command line as commander sees it. */
export function createProgram(): Command {
  const program = new Command('engram')
    .description('Associative memory: store vectors or weighted point clouds, or learn archetypes from many clients; recall them from partial or noisy cues.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(try `engram --help`)');
  program.commandsGroup('Memories of vectors:');
  addImport(program);
  addRetrieve(program);
  addSearch(program);
  program.commandsGroup('Memories of measures:');
  addMeasures(program);
  program.commandsGroup('Memories of archetypes, from many clients:');
  addFederated(program);
  program.commandsGroup('General:');
  addInfo(program);
  addDoctor(program);
  addDemo(program);
  program.helpCommand(true);
  return program;
}

/** Runs one command line. Returns the exit status, or the signal that ended it. */
export async function run(args: readonly string[]): Promise<number | NodeJS.Signals> {
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof Interrupted) {
      process.stderr.write('engram: interrupted\n');
      return error.signal;
    }
    // Commander has printed its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    process.stderr.write(`engram: ${oneLine(error)}\n`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}
