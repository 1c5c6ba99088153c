// Summaries of lists of numbers.

/** The mean; of booleans, the share of those that are true. */
export function mean(/** @type {(number | boolean)[]} */ list) {
  let sum = 0;
  for (const x of list) sum += Number(x);
  return sum / list.length;
}

/** The number below which a share `p` of the list lies, interpolated. */
export function quantile(/** @type {number[]} */ list, /** @type {number} */ p) {
  const sorted = [...list].sort((a, b) => a - b);
  const at = p * (sorted.length - 1);
  const low = sorted[Math.floor(at)];
  return low + (at % 1) * (sorted[Math.ceil(at)] - low);
}

export const median = (/** @type {number[]} */ list) => quantile(list, 0.5);
