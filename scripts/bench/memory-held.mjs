// How much memory a contestant takes while it answers, beyond what is there before the first call:
// stored items, queries, outputs and, for onnxruntime, its own packed copy of the memory.
//
// @ts-check
import { readFileSync, writeFileSync } from 'node:fs';

function statusBytes(/** @type {string} */ field) {
  const line = readFileSync('/proc/self/status', 'utf8').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'));
  return Number(line?.[1]) * 1024;
}

/** Has garbage of earlier work collected, buffers included, which are freed a little later. */
async function settle() {
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/**
 * Growth of the resident set to its peak, in bytes, during one call: the most of the first three in a
 * fresh process. undefined where the system does not tell (it takes Linux).
 * @param {import('./contestants/contestant.mjs').Contestant} contestant
 */
export async function memoryHeldBy(contestant) {
  let most = 0;
  for (const batch of [0, 1, 2]) {
    await settle();
    try {
      writeFileSync('/proc/self/clear_refs', '5'); // sets the peak back to the present
      const before = statusBytes('VmRSS');
      await contestant.turn([batch]);
      most = Math.max(most, statusBytes('VmHWM') - before);
    } catch {
      return undefined;
    }
  }
  return most;
}
