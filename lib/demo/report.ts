/** The report: one HTML file that needs nothing else. */
import { EXPLANATION, sheetLegend, SOFT_RETRIEVAL } from './explanation.js';
import type { DemoResult } from './demo.js';
import { neighbourTable, recallTable, sharpnessTable, speedTable, type Table } from './tables.js';

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; height: auto; border-radius: 6px; }
`;

/** The whole page. `sheet` is the contact sheet as PNG. */
export function renderReport(result: DemoResult, sheet: Uint8Array): string {
  const image = Buffer.from(sheet).toString('base64');
  const { neighbours } = result;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>engram: images recalled from damaged cues</title>
<style>${STYLE}</style>
<h1>Images recalled from damaged cues</h1>
<p>${escape(result.setting)}</p>
<h2>What was recalled</h2>
${htmlTable(recallTable(result.conditions))}
${paragraphs(EXPLANATION)}
<h2>Contact sheet</h2>
${paragraphs(sheetLegend(result.similarities))}
<img alt="Cues, recalled images and the stored truth in rows" src="data:image/png;base64,${image}">
<h2>How sharp the memory is</h2>
<p>The inverse temperature beta was found by <code>calibrate</code>, from the stored images alone.</p>
${htmlTable(sharpnessTable(result.sharpness))}
<h2>How fast</h2>
${htmlTable(speedTable(result.speeds))}
${paragraphs([result.limitsText, result.memoryText])}
${neighbours === undefined ? '' : renderNeighbours(neighbours)}
</html>
`;
}

function renderNeighbours(neighbours: NonNullable<DemoResult['neighbours']>): string {
  return `<h2>Text: the neighbours of a document</h2>
<p>Nearest to <b>${escape(neighbours.title)}</b> among ${neighbours.documents} documents. ${escape(SOFT_RETRIEVAL)}</p>
${htmlTable(neighbourTable(neighbours))}`;
}

function htmlTable({ head, rows }: Table): string {
  const line = (tag: string, cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>\n${[line('th', head), ...rows.map((row) => line('td', row))].join('\n')}\n</table>`;
}

function paragraphs(texts: readonly string[]): string {
  return texts.map((text) => `<p>${escape(text)}</p>`).join('\n');
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
