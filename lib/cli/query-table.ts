/** Answers to queries as a table for people. */
import { formatCount, formatTable } from './format.js';

/** As many answers as a person reads; files and `--json` have all of them. */
const MOST_ROWS = 20;

/** How clouds are called: by number, and by name where they have one. */
export function labeller(names: readonly string[] | undefined): (index: number) => string {
  return (index) => (names === undefined ? String(index) : `${index} ${names[index]}`);
}

/** A line for each of the first queries, and how many more there are. */
export function queryTable(head: readonly string[], queries: number, row: (query: number) => string[]): string {
  const rows = Array.from({ length: Math.min(queries, MOST_ROWS) }, (_, query) => row(query));
  const more = queries > MOST_ROWS ? `\n... and ${formatCount(queries - MOST_ROWS)} more` : '';
  return formatTable(head, rows) + more;
}
