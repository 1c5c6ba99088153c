// Figures of ours beside those aimed at.

/** Bold: ours; in brackets: the target, where there is one. */
export const measured = (
  /** @type {number} */ found,
  /** @type {number | string | undefined} */ target,
  /** @type {number} */ digits,
) => {
  const ours = `**${found.toFixed(digits)}**`;
  if (target === undefined) return ours;
  return `${ours} (${typeof target === 'number' ? target.toFixed(digits) : target})`;
};
