/** Numbers and tables for people to read. */

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** 60000 as `60,000`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Three significant digits: 0.00123, 1.23, 123, 1,230. */
export function formatNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

/** In powers of 1000: `188 MB`. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let scaled = bytes;
  while (scaled >= 1000 && unit + 1 < BYTE_UNITS.length) {
    scaled /= 1000;
    ++unit;
  }
  return `${unit === 0 ? scaled : scaled.toPrecision(3)} ${BYTE_UNITS[unit]}`;
}

/** A share of 1 in per cent: `97.2 %`. */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** `12.3 s` or, below one second, `45.6 ms`. */
export function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${(1000 * seconds).toPrecision(3)} ms` : `${seconds.toPrecision(3)} s`;
}

/** A table with a head; the first column is aligned to the left, the others to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    widths
      .map((width, column) => {
        const cell = cells[column] ?? '';
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** Breaks a text into lines of at most 100 characters, between words. */
export function wrap(text: string): string {
  return text.replace(/(?=\S)(.{1,99}\S|\S)(?:\s+|$)/g, '$1\n').trimEnd();
}

/** The beginning of a text that is longer than `most` characters. */
export function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3).trimEnd()}...`;
}

/** Names and values in two columns. */
export function formatFacts(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
