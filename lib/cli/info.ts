/** `engram info`: what a memory file holds. */
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Calibration } from '../index.js';
import { type CommonOptions, type Context, defineAction, loadLibrary } from './command.js';
import { formatBytes, formatCount, formatFacts, formatNumber } from './format.js';

interface InfoOptions extends CommonOptions {
  verify?: boolean;
}

export function addInfo(program: Command): void {
  const command = program
    .command('info')
    .description('Say what a memory file holds; only its header is read.')
    .argument('<memory>', 'a safetensors or .npy file')
    .option('--verify', 'read the whole file and compare its checksums');
  defineAction<InfoOptions>(command, showInfo);
}

async function showInfo(context: Context, options: InfoOptions, [path = '']: readonly string[]): Promise<void> {
  const { DenseMemory } = await loadLibrary();
  const verify = options.verify === true;
  const memory = await DenseMemory.open(path, { verify, signal: context.signal });
  try {
    const { count, liveCount, dim, valueDim, calibration, metadata, nativeBytes } = memory;
    const { size } = await stat(path);
    const result = {
      memory: path,
      bytes: size,
      verified: verify,
      ...{ count, liveCount, dim, valueDim, nativeBytes, calibration, metadata },
    };
    context.print(result, () =>
      formatFacts([
        ['file', `${path} (${formatBytes(size)}, mapped)${verify ? ', checksums verified' : ''}`],
        ['patterns', `${formatCount(count)} x ${dim}${count === liveCount ? '' : `, ${formatCount(liveCount)} live`}`],
        ['read out', valueDim === dim ? `${dim} numbers` : `values of ${valueDim} numbers`],
        ['calibration', calibration ? calibrationText(calibration) : 'none'],
        ...Object.entries(metadata),
      ]),
    );
  } finally {
    memory.dispose();
  }
}

function calibrationText({ beta, similarity, recall, sample, unreachable }: Calibration): string {
  const told = sample - unreachable;
  return `beta ${formatNumber(beta)} (${similarity}, recall ${formatNumber(recall)}, ${told} of ${sample} items told apart)`;
}
