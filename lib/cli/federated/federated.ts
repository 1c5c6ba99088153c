/** The commands for memories that many clients build together. */
import type { Command } from 'commander';
import { addConsolidate } from './consolidate.js';
import { addOperator } from './operator.js';
import { addRecall } from './recall.js';

export function addFederated(program: Command): void {
  addOperator(program);
  addConsolidate(program);
  addRecall(program);
}
