// Numbers as people read them, and tables of them in Markdown.

/**
 * @param {string[]} head
 * @param {(string | number)[][]} rows
 */
export function markdownTable(head, rows) {
  const line = (/** @type {(string | number)[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Three significant digits at most, without a needless exponent. */
export function short(/** @type {number} */ x) {
  if (x === 0) return '0';
  if (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5) return x.toExponential(1).replace('e+', 'e');
  return String(Number(x.toPrecision(3)));
}

/** A share, 0 to 1, with two decimals. */
export const share = (/** @type {number} */ x) => x.toFixed(2);
