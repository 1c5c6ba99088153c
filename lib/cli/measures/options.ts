/** Options that the commands for measures share. */
import { type Command, Option } from 'commander';
import type { SinkhornOptions } from '../../index.js';
import { nonNegativeNumber, positiveInteger, positiveNumber } from '../command.js';
import { UsageError } from '../failure.js';
import type { CloudOptions } from '../readers/cloud-set.js';

/** What commander makes of {@link addCloudOptions}. */
export interface CloudFlags {
  weights?: boolean;
  header?: boolean;
  width?: number;
  height?: number;
  threshold?: number;
  first?: number;
}

/** How files are read as clouds. */
export function addCloudOptions(command: Command): void {
  command
    .option('--weights', 'the last column of point lists holds weights (default: all points alike)')
    .option('--header', 'csv: the first line names the columns (default: when it holds no numbers)')
    .option('--no-header', 'csv: the first line is data')
    .option('--width <pixels>', 'with --height: rows of npy, csv and flat idx files are images', positiveInteger)
    .option('--height <pixels>', 'with --width', positiveInteger)
    .option('--threshold <t>', 'images: leave out pixels of at most this intensity; bytes are 0 to 1 (default: 0)', nonNegativeNumber)
    .option('--first <n>', 'read no more than the first n clouds', positiveInteger);
}

export function cloudOptionsOf(name: string, flags: CloudFlags): CloudOptions {
  const { weights, header, width, height, threshold, first } = flags;
  if ((width === undefined) !== (height === undefined)) {
    throw new UsageError(`${name}: give both of --width and --height, or none`);
  }
  return {
    ...(weights !== undefined && { weights }),
    ...(header !== undefined && { header }),
    ...(width !== undefined && height !== undefined && { size: { width, height } }),
    ...(threshold !== undefined && { threshold }),
    ...(first !== undefined && { first }),
  };
}

/** What commander makes of {@link addSolverOptions}. */
export interface SolverFlags {
  tolerance?: number;
  maxIterations?: number;
  solver?: NonNullable<SinkhornOptions['solver']>;
  precision?: NonNullable<SinkhornOptions['precision']>;
  strict?: boolean;
}

/** How transport problems are solved. */
export function addSolverOptions(command: Command): void {
  command
    .option('--tolerance <t>', 'L1 residual at which a transport problem has converged (default: 1e-6)', nonNegativeNumber)
    .option('--max-iterations <n>', 'of a transport problem (default: 1000)', positiveInteger)
    .addOption(
      new Option('--solver <solver>', 'of transport problems (default: auto)').choices(['auto', 'kernel', 'log', 'newton']),
    )
    .addOption(
      new Option('--precision <precision>', 'of Gibbs kernels (default: float32)').choices(['float32', 'float64']),
    )
    .option('--strict', 'fail where a transport problem does not converge');
}

export function solverOptionsOf({ tolerance, maxIterations, solver, precision, strict }: SolverFlags): SinkhornOptions {
  return {
    ...(tolerance !== undefined && { tolerance }),
    ...(maxIterations !== undefined && { maxIterations }),
    ...(solver !== undefined && { solver }),
    ...(precision !== undefined && { precision }),
    ...(strict !== undefined && { strict }),
  };
}

/** The inverse temperature, which has no default: its unit is one over the cost. */
export function betaOption(): Option {
  return new Option('--beta <beta>', 'inverse temperature, in units of one over the cost')
    .argParser(positiveNumber)
    .makeOptionMandatory();
}
