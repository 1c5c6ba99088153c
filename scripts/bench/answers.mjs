// Contestants must give the same answer before they are timed.
//
// @ts-check

const allowed = 1e-3; // of the largest number of the answer

/** @typedef {import('./contestants/contestant.mjs').Answer} Answer */

const numbers = (/** @type {Answer} */ answer) => ('output' in answer ? answer.output : answer.scores);

/**
 * Largest difference of two answers, relative to the largest number; a shorter answer is compared as far as
 * it goes. Searches are compared by scores: near ties may be in either order.
 * @param {Answer} ours
 * @param {Answer} theirs
 */
export function difference(ours, theirs) {
  const a = numbers(ours);
  const b = numbers(theirs);
  let most = 0;
  let largest = 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const gap = Math.abs(a[i] - b[i]);
    if (!(gap <= most)) most = gap; // NaN counts as a difference
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return most / largest;
}

/**
 * @param {import('./contestants/contestant.mjs').Contestant[]} contestants all are compared with the first
 * @returns {Promise<Record<string, number>>}
 */
export async function compareAnswers(contestants) {
  const [first, ...others] = contestants;
  /** @type {Record<string, number>} */
  const differences = {};
  if (!first) return differences;
  const ours = await first.answer(0);
  for (const other of others) {
    const found = difference(ours, await other.answer(0));
    differences[other.name] = found;
    if (!(found <= allowed)) {
      throw new Error(`answers of ${first.name} and ${other.name} differ by ${found} (allowed: ${allowed})`);
    }
  }
  return differences;
}
