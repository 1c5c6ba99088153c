// `npm run bench`: engram beside the peers a Node user would pick and beside the machine's own limits.
//
// @ts-check
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { devices, version } from './engram.mjs';
import { missingData } from './data.mjs';
import { heading, markdown, rowText, summaryText } from './report.mjs';
import { rows } from './rows.mjs';
import { installedVersions } from './versions.mjs';

const usage = `npm run bench -- [options]
  --threads N      threads of engram and of the peers (default 2)
  --rows A,B       only rows whose name contains one of these
  --quick          3 turns instead of 7
  --json FILE      also write everything as JSON
  --markdown FILE  also write the table as Markdown
  --list           names of the rows`;

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rows: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/**
 * Runs row.mjs in a fresh process, so that no row inherits memory or threads from another.
 * @param {import('./row.mjs').Order} order
 * @returns {Promise<any>}
 */
function inFreshProcess(order) {
  const script = fileURLToPath(new URL('row.mjs', import.meta.url));
  const child = fork(script, [], { execArgv: ['--expose-gc'] });
  child.send(order);
  return new Promise((resolve, reject) => {
    child.on('message', (/** @type {{ result?: unknown, error?: string }} */ { result, error }) => {
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    child.on('exit', (code, signal) => reject(new Error(`the process ended (${signal ?? code})`)));
  });
}

/** @param {import('./rows.mjs').Row} row */
async function measure(row, /** @type {number} */ threads) {
  const missing = missingData(row);
  if (missing) return { id: row.id, title: row.title, skipped: missing };
  const order = { id: row.id, threads, turns: options.quick ? 3 : 7 };
  const result = await inFreshProcess(order);
  if (row.memoryHeld) {
    result.memoryHeld = { engram: await inFreshProcess({ ...order, memoryHeld: 'engram' }) };
    if (row.peers.includes('onnxruntime') && !('onnxruntime' in result.absent)) {
      result.memoryHeld.onnxruntime = await inFreshProcess({ ...order, memoryHeld: 'onnxruntime' });
    }
  }
  return result;
}

async function main() {
  if (options.help) return console.log(usage);
  if (options.list) return console.log(rows.map(({ id, title }) => `${id.padEnd(30)} ${title}`).join('\n'));
  const threads = Number(options.threads);
  if (!Number.isInteger(threads) || threads < 1) throw new RangeError('--threads takes an integer >= 1');
  const wanted = options.rows?.split(',') ?? [''];
  const chosen = rows.filter(({ id }) => wanted.some((part) => id.includes(part)));
  if (chosen.length === 0) throw new RangeError(`no row is named like ${options.rows}; see --list`);
  const machine = {
    processor: cpus()[0]?.model ?? 'unknown',
    logicalProcessors: cpus().length,
    instructionSet: devices()[0]?.instructionSet,
    node: process.version,
    engram: version,
    threads,
    date: new Date().toISOString(),
    ...installedVersions(),
  };
  console.log(heading(machine));
  const results = [];
  for (const row of chosen) {
    try {
      const result = await measure(row, threads);
      results.push({ ...result, load: loadavg()[0] }); // of all programs, this one included
    } catch (error) {
      const failed = error instanceof Error ? error.message : String(error);
      results.push({ id: row.id, title: row.title, failed });
      process.exitCode = 1;
    }
    console.log(rowText(results.at(-1)));
    if (options.json) writeFileSync(options.json, JSON.stringify({ machine, results }, null, 2) + '\n');
  }
  console.log(summaryText(results));
  if (options.markdown) writeFileSync(options.markdown, markdown(machine, results));
}

main().catch((error) => {
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
});
