// `npm run experiments`: memories of measures beside Euclidean Hopfield memories, and federated archetypes beside
// their theory. Writes the figures and the tables of docs/experiments.md and docs/federated-experiments.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as capacity from './capacity.mjs';
import * as descent from './descent.mjs';
import { configure } from './engram.mjs';
import * as detection from './federated/detection.mjs';
import * as messages from './federated/messages.mjs';
import * as privacy from './federated/privacy.mjs';
import * as rounds from './federated/rounds.mjs';
import * as templates from './federated/pictures-of-classes.mjs';
import * as unmixing from './federated/unmixing.mjs';
import * as images from './images.mjs';
import { fillTables } from './page.mjs';
import * as paths from './paths.mjs';
import { renderSvg } from './plots.mjs';
import * as recovery from './recovery.mjs';
import * as targets from './targets.mjs';

/**
 * What an experiment gives: Markdown tables, and figures (Vega-Lite, or SVG as text), by name.
 * @typedef {{ tables: Record<string, string>, figures: Record<string, object | string> }} Outcome
 *
 * @typedef {{ title: string, sizes: any, run: (sizes: any) => Promise<Outcome> }} Experiment
 */

/** The pages of docs/, and the experiments that fill them. @type {Record<string, Record<string, Experiment>>} */
const pages = {
  experiments: { targets, recovery, descent, paths, capacity, images },
  'federated-experiments': { detection, rounds, messages, unmixing, privacy, templates },
};
const experiments = Object.assign({}, ...Object.values(pages));

const usage = `npm run experiments -- [options]
  --page A,B       only the pages named: ${Object.keys(pages).join(', ')}
  --only A,B       only these: ${Object.keys(experiments).join(', ')}
  --threads N      threads of engram (default 2); no result depends on it
  --quick          a few tiny problems, to see that everything runs
  --out FOLDER     where the pages and their figures are written (default docs)`;

const docs = fileURLToPath(new URL('../../docs', import.meta.url));

const { values: options } = parseArgs({
  options: {
    page: { type: 'string' },
    only: { type: 'string' },
    threads: { type: 'string', default: '2' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: docs },
    help: { type: 'boolean', default: false },
  },
});

/**
 * Runs one experiment and writes its figures.
 * @param {string} name
 * @returns {Promise<Outcome['tables']>}
 */
async function runOne(name) {
  const { title, sizes, run } = experiments[name];
  const start = performance.now();
  const { tables, figures } = await run(options.quick ? sizes.quick : sizes.full);
  for (const [figure, spec] of Object.entries(figures)) {
    const svg = typeof spec === 'string' ? spec : await renderSvg(spec);
    writeFileSync(path.join(options.out, 'experiments', `${figure}.svg`), svg);
  }
  console.log(`${title}: ${((performance.now() - start) / 1e3).toFixed(1)} s`);
  for (const [table, text] of Object.entries(tables)) console.log(`\n${table}\n${text}\n`);
  return tables;
}

/** Those of `names` that were asked for. */
function chosen(/** @type {string | undefined} */ list, /** @type {string[]} */ names, /** @type {string} */ what) {
  const wanted = list?.split(',') ?? names;
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new RangeError(`there is no ${what} ${unknown.join(', ')}`);
  return wanted;
}

async function main() {
  if (options.help) return console.log(usage);
  const wanted = chosen(options.only, Object.keys(experiments), 'experiment');
  configure({ threads: Number(options.threads) });
  mkdirSync(path.join(options.out, 'experiments'), { recursive: true });
  for (const name of chosen(options.page, Object.keys(pages), 'page')) {
    const ofPage = Object.keys(pages[name]).filter((experiment) => wanted.includes(experiment));
    if (ofPage.length === 0) continue;
    let page = readFileSync(path.join(docs, `${name}.md`), 'utf8');
    for (const experiment of ofPage) page = fillTables(page, await runOne(experiment));
    writeFileSync(path.join(options.out, `${name}.md`), page);
  }
}

main().catch((error) => {
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
});
