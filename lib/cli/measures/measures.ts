/** `engram measures`: memories of weighted point clouds. */
import type { Command } from 'commander';
import { addMeasuresDivergence } from './divergence.js';
import { addMeasuresImport } from './import.js';
import { addMeasuresRetrieve } from './retrieve.js';

export function addMeasures(program: Command): void {
  const measures = program
    .command('measures')
    .description('Store weighted point clouds (and images as such), compare and recall them: `engram measures --help`.');
  addMeasuresImport(measures);
  addMeasuresDivergence(measures);
  addMeasuresRetrieve(measures);
}
