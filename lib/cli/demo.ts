/** `engram demo`: the main job on real data, start to finish. */
import type { Command } from 'commander';
import { type CommonOptions, defineAction, positiveInteger } from './command.js';

interface DemoFlags extends CommonOptions {
  output: string;
  cues?: number;
  fast?: boolean;
  seed: number;
  data?: string;
}

export function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('Recall 60,000 real images from damaged cues; writes a table, a contact sheet and a report.')
    .option('-o, --output <folder>', 'where contact-sheet.png and report.html go', 'demo-output')
    .option('--cues <n>', 'cues per condition (at most 10,000)', positiveInteger)
    .option('--fast', 'few cues: a look in seconds, with coarser numbers')
    .option('--seed <n>', 'of the choice of cues and their noise', positiveInteger, 1)
    .option('--data <folder>', 'the Fashion-MNIST files (default: ENGRAM_FASHION_MNIST, else the Debian package)');
  defineAction<DemoFlags>(command, async (context, flags) => {
    const { runDemo } = await import('../demo/demo.js');
    await runDemo(context, flags);
  });
}
