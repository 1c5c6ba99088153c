// How much memory a contestant takes while it answers, beyond what is there before the first call:
// stored items, queries, outputs and, for onnxruntime, its own packed copy of the memory.
//
// @ts-check
import { readFileSync, writeFileSync } from 'node:fs';

function statusBytes(/** @type {string} */ field) {
  const line = readFileSync('/proc/self/status', 'utf8').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'));
  return Number(line?.[1]) * 1024;
}

/**
 * Growth of the resident set to its peak, in bytes, over the first three calls of a fresh process;
 * undefined where the system does not tell (it takes Linux).
 * @param {import('./contestants/contestant.mjs').Contestant} contestant
 */
export async function memoryHeldBy(contestant) {
  globalThis.gc?.();
  try {
    writeFileSync('/proc/self/clear_refs', '5'); // sets the peak back to the present
    const before = statusBytes('VmRSS');
    await contestant.turn([0, 1, 2]);
    return Math.max(0, statusBytes('VmHWM') - before);
  } catch {
    return undefined;
  }
}
