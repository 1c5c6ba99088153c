/** A round for people at a terminal. */
import { formatCount, formatFacts, formatNumber, formatShare, formatTable } from '../format.js';
import type { Consolidation } from './consolidate.js';

/** Characters of the longest bar. */
const WIDTH = 40;
/** Eigenvalues below the cut that are shown, to see how far off the others are. */
const SHOWN_BELOW = 3;
/** As many rows of any kind as a person reads. */
const MOST_ROWS = 24;

export function consolidationText(consolidation: Consolidation): string {
  const parts = [spectrum(consolidation), archetypes(consolidation), refused(consolidation), facts(consolidation)];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** Eigenvalues as bars on a logarithmic scale, with the edge of the noise between them. */
function spectrum({ report: { eigenvalues, edge, cut, detected } }: Consolidation): string {
  const shown = eigenvalues.subarray(0, Math.min(detected, MOST_ROWS) + SHOWN_BELOW);
  const [most = 1, least] = [shown[0], Math.min(edge, shown.at(-1) ?? edge) / 2];
  const bar = (value: number): string =>
    '#'.repeat(Math.max(1, Math.round((WIDTH * Math.log(value / least)) / Math.log(most / least))));
  const lines: string[] = [];
  for (const [at, value] of shown.entries()) {
    if (at === detected || (at === 0 && detected === 0)) lines.push(cutLine(edge, cut));
    lines.push(`${formatNumber(value).padStart(10)}  ${value > 0 ? bar(value) : ''}`);
  }
  if (lines.length === 0) return 'nothing to look at: no client changes the memory';
  if (detected >= shown.length) lines.push(cutLine(edge, cut));
  return `eigenvalues, logarithmic\n${lines.join('\n')}`;
}

function cutLine(edge: number, cut: number): string {
  return `${'-'.repeat(10)}  cut ${formatNumber(cut)}; noise ends at ${formatNumber(edge)}`;
}

function archetypes({ report: { overlaps }, achieved }: Consolidation): string {
  if (overlaps.length === 0) return '';
  const rows = [...overlaps.subarray(0, MOST_ROWS)].map((overlap, at) => [
    String(at),
    overlap.toFixed(3),
    ...(achieved === undefined ? [] : [achieved.found[at]!.toFixed(3)]),
  ]);
  const head = ['archetype', 'predicted overlap', ...(achieved === undefined ? [] : ['achieved'])];
  const more = overlaps.length > MOST_ROWS ? `\n... and ${formatCount(overlaps.length - MOST_ROWS)} more` : '';
  return formatTable(head, rows) + more;
}

function refused({ report: { rejectedClients }, clients }: Consolidation): string {
  return rejectedClients.map(({ position, reason }) => `left out: ${clients[position]}: ${reason}`).join('\n');
}

function facts({ memory, output, clients, report, achieved }: Consolidation): string {
  const used = clients.length - report.rejectedClients.length;
  const missed = achieved?.truth.filter((overlap) => overlap < 0.5).length ?? 0;
  return formatFacts([
    ['memory', `${output} (${formatCount(memory.count)} archetypes of ${memory.dim}, round ${report.round})`],
    ['clients', `${formatCount(used)} of ${formatCount(clients.length)}`],
    ['detected', formatCount(report.detected)],
    ['archetypes', `${report.added} added, ${report.forgotten} forgotten`],
    ['candidates', `${report.accepted} accepted, ${report.rejected} turned down`],
    ['novelty', formatShare(report.novelty)],
    ...(report.discardedTrace > 0 ? [['left out', `a trace of ${formatNumber(report.discardedTrace)}`] as const] : []),
    ...(achieved === undefined
      ? []
      : [['truth', `${achieved.truth.length - missed} of ${achieved.truth.length} found (overlap of .5 or more)`] as const]),
  ]);
}
