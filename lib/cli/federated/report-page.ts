/** A round as a page: one HTML file that needs nothing else, and no script. */
import { formatNumber, formatShare } from '../format.js';
import { element, escaped } from '../svg.js';
import type { Consolidation } from './consolidate.js';
import { barPlot, coursePlot, signImage, spectrumPlot } from './plots.js';

/** As many archetypes as are shown as images. */
const MOST_IMAGES = 64;

// Okabe and Ito's colours, which people of any colour vision tell apart.
const STYLE = `
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --grid: #ddd; --first: #0072b2; --second: #e69f00; --cut: #d55e00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --paper: #181818; --grid: #444; --first: #56b4e9; --second: #e69f00; --cut: #ff8b4d; }
}
body { font: 15px/1.5 sans-serif; color: var(--ink); background: var(--paper); max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
svg { max-width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px sans-serif; }
.grid { stroke: var(--grid); }
.edge { stroke: var(--ink); stroke-dasharray: 2 3; }
.cut { stroke: var(--cut); stroke-width: 1.5; }
.signal, .first { fill: var(--first); }
.noise { fill: none; stroke: var(--ink); }
.second { fill: var(--second); }
.course { fill: none; stroke-width: 1.5; }
.first.course { stroke: var(--first); }
.second.course { stroke: var(--second); }
.ink { fill: var(--ink); }
.key { display: inline-block; width: 0.8em; height: 0.8em; }
.key.first { background: var(--first); }
.key.second { background: var(--second); }
.images { display: flex; flex-wrap: wrap; gap: 0.5rem; }
figure { margin: 0; }
figure svg { border: 1px solid var(--grid); }
figcaption { font-size: 12px; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
`;

export function reportPage(consolidation: Consolidation): string {
  const { report, memory } = consolidation;
  const title = `${memory.count} archetypes after round ${report.round}`;
  const body = [
    `<h1>${escaped(title)}</h1>`,
    summary(consolidation),
    spectrum(consolidation),
    overlaps(consolidation),
    images(consolidation),
    clients(consolidation),
    rounds(consolidation),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body.filter((part) => part !== '').join('\n')}
</body>
</html>
`;
}

function section(title: string, ...parts: readonly string[]): string {
  return `<section>\n<h2>${escaped(title)}</h2>\n${parts.join('\n')}\n</section>`;
}

function key(...entries: readonly (readonly ['first' | 'second', string])[]): string {
  const list = entries.map(([kind, name]) => `<span class="key ${kind}"></span> ${escaped(name)}`);
  return `<p>${list.join(' &#160; ')}</p>`;
}

function summary({ memory, output, clients: files, report }: Consolidation): string {
  const facts: readonly (readonly [string, string])[] = [
    ['memory', output],
    ['entries of an archetype', String(memory.dim)],
    ['clients', `${files.length - report.rejectedClients.length} of ${files.length}`],
    ['detected', String(report.detected)],
    ['archetypes', `${report.added} added, ${report.forgotten} forgotten`],
    ['candidates', `${report.accepted} accepted, ${report.rejected} turned down`],
    ['novelty', formatShare(report.novelty)],
  ];
  const rows = facts.map(([name, value]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(value)}</td></tr>`);
  return `<table>${rows.join('')}</table>`;
}

function spectrum({ report: { eigenvalues, edge, cut, detected } }: Consolidation): string {
  if (eigenvalues.length === 0) return section('Spectrum', '<p>No client changed the memory in this round.</p>');
  const text = `Noise alone ends at ${formatNumber(edge)} (dotted); beyond the cut at ${formatNumber(cut)} an eigenvalue is signal.`;
  return section('Spectrum', spectrumPlot([...eigenvalues], edge, cut, detected), `<p>${escaped(text)}</p>`);
}

function overlaps({ report, achieved }: Consolidation): string {
  if (report.overlaps.length === 0) return '';
  const predicted = { name: 'predicted', kind: 'first', values: [...report.overlaps] } as const;
  const series = achieved ? [predicted, { name: 'achieved', kind: 'second', values: achieved.found } as const] : [predicted];
  return section(
    'Overlap with the truth',
    barPlot('Overlap of each archetype', 'archetype', 'overlap', series),
    key(...series.map(({ kind, name }) => [kind, name] as const)),
  );
}

function images({ memory, image }: Consolidation): string {
  if (image === undefined || memory.count === 0) return '';
  const { archetypes, dim, count } = memory;
  const shown = Math.min(count, MOST_IMAGES);
  const figures = Array.from({ length: shown }, (_, k) => {
    const signs = archetypes.subarray(k * dim, (k + 1) * dim);
    return `<figure>${signImage(signs, image.width, image.height, `archetype ${k}`)}<figcaption>${k}</figcaption></figure>`;
  });
  const more = count > shown ? `<p>... and ${count - shown} more</p>` : '';
  return section('Archetypes', `<div class="images">${figures.join('')}</div>`, more);
}

function clients({ clients: files, report }: Consolidation): string {
  const { clientWeights, plasticity, rejectedClients } = report;
  const most = Math.max(...clientWeights, Number.MIN_VALUE);
  const series = [
    { name: `weight, in units of ${formatNumber(most)}`, kind: 'first', values: [...clientWeights].map((a) => a / most) },
    { name: 'plasticity', kind: 'second', values: [...plasticity] },
  ] as const;
  const refused = rejectedClients.map(({ position, reason }) =>
    element('li', {}, [escaped(`${position}: ${files[position]}: ${reason}`)]),
  );
  return section(
    'Clients',
    barPlot('Weight and plasticity of each client', 'client', 'share', series),
    key(...series.map(({ kind, name }) => [kind, name] as const)),
    refused.length === 0 ? '' : `<p>Left out:</p><ul>${refused.join('')}</ul>`,
  );
}

function rounds({ rounds: entries }: Consolidation): string {
  if (entries.length < 2) return '';
  const courses = [
    { name: 'detected', kind: 'second', values: entries.map(({ detected }) => detected) },
    { name: 'archetypes kept', kind: 'first', values: entries.map(({ archetypes }) => archetypes) },
  ] as const;
  return section(
    'Rounds',
    coursePlot('Archetypes over rounds', entries.map(({ round }) => round), courses),
    key(...courses.map(({ kind, name }) => [kind, name] as const)),
  );
}
