// `npm run experiments`: memories of measures beside Euclidean Hopfield memories, on Gaussian clouds and on images.
// Writes the figures and the tables of docs/experiments.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as capacity from './capacity.mjs';
import * as descent from './descent.mjs';
import { configure } from './engram.mjs';
import * as images from './images.mjs';
import { fillTables } from './page.mjs';
import * as paths from './paths.mjs';
import { renderSvg } from './plots.mjs';
import * as recovery from './recovery.mjs';
import * as targets from './targets.mjs';

/** @type {Record<string, { title: string, sizes: any, run: (sizes: any) => Promise<Outcome> }>} */
const experiments = { targets, recovery, descent, paths, capacity, images };

/**
 * What an experiment gives: Markdown tables and Vega-Lite figures, by name.
 * @typedef {{ tables: Record<string, string>, figures: Record<string, object> }} Outcome
 */

const usage = `npm run experiments -- [options]
  --only A,B       only these: ${Object.keys(experiments).join(', ')}
  --threads N      threads of engram (default 2); no result depends on it
  --quick          a few tiny problems, to see that everything runs
  --out FOLDER     where the page and its figures are written (default docs)`;

const docs = fileURLToPath(new URL('../../docs', import.meta.url));

const { values: options } = parseArgs({
  options: {
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
    writeFileSync(path.join(options.out, 'experiments', `${figure}.svg`), await renderSvg(spec));
  }
  console.log(`${title}: ${((performance.now() - start) / 1e3).toFixed(1)} s`);
  for (const [table, text] of Object.entries(tables)) console.log(`\n${table}\n${text}\n`);
  return tables;
}

async function main() {
  if (options.help) return console.log(usage);
  const wanted = options.only?.split(',') ?? Object.keys(experiments);
  const unknown = wanted.filter((name) => !(name in experiments));
  if (unknown.length > 0) throw new RangeError(`there is no experiment ${unknown.join(', ')}`);
  configure({ threads: Number(options.threads) });
  mkdirSync(path.join(options.out, 'experiments'), { recursive: true });
  let page = readFileSync(path.join(docs, 'experiments.md'), 'utf8');
  for (const name of wanted) page = fillTables(page, await runOne(name));
  writeFileSync(path.join(options.out, 'experiments.md'), page);
}

main().catch((error) => {
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
});
