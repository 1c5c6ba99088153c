// Measures one row in a process of its own: `node --expose-gc row.mjs`, forked by main.mjs, which
// sends what to do and receives the result.
//
// @ts-check
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { compareAnswers } from './answers.mjs';
import { dense, denseContestant } from './dense.mjs';
import { measures } from './measures.mjs';
import { memoryHeldBy } from './memory-held.mjs';
import { rows } from './rows.mjs';
import { mergeContestant, spectral } from './spectral.mjs';
import { summarise } from './summary.mjs';
import { measureInTurns } from './timing.mjs';

/**
 * @typedef {import('./rows.mjs').Row} Row
 * @typedef {import('./contestants/contestant.mjs').Facts} Facts
 * @typedef {{ id: string, threads: number, turns: number, memoryHeld?: string }} Order
 */

/**
 * A row ready to be measured.
 * @typedef {object} Setting
 * @property {import('./contestants/contestant.mjs').Contestant[]} contestants engram first
 * @property {Record<string, string>} absent peers that are not there, and why
 * @property {Record<string, string>} versions
 * @property {() => void} end ends the processes of peers
 * @property {number} batches how many there are
 * @property {Record<string, number>} parameters worth reporting
 * @property {boolean} compared whether the contestants give comparable answers
 * @property {(facts: Facts) => import('./summary.mjs').Work} work of one call
 */

/** @typedef {(row: Row, order: Order) => Promise<Setting>} Prepare */

/** @type {Record<Row['kind'], Prepare>} */
const prepare = {
  retrieve: dense,
  search: dense,
  calls: dense,
  concurrent: dense,
  divergence: measures,
  recall: measures,
  eigenpairs: spectral,
  merge: spectral,
};

/** The internal measurement of the machine's limits; see native/kernels/machine_limits.h. */
function limitsProbe(/** @type {number} */ threads) {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const measure = createRequire(import.meta.url)('node-gyp-build')(root).limitsProbe(threads);
  return () => {
    // The best of a few rounds: what disturbs one can only make it slower.
    const rounds = [measure(), measure(), measure()];
    const best = (/** @type {number} */ i) => Math.max(...rounds.map((round) => round[i]));
    return { fmaGflops: best(0), readGbps: best(1) };
  };
}

async function measureRow(/** @type {Row} */ row, /** @type {Order} */ order) {
  const setting = await prepare[row.kind](row, order);
  const { contestants, absent, versions, parameters } = setting;
  try {
    const differences = setting.compared ? await compareAnswers(contestants, row.agreement) : {};
    const facts = (await contestants[0]?.facts?.()) ?? {};
    const { limits, timings } = await measureInTurns(contestants, {
      turns: order.turns,
      batches: setting.batches,
      limits: limitsProbe(order.threads),
    });
    const notes = Object.fromEntries(contestants.flatMap(({ name, note }) => (note ? [[name, note]] : [])));
    const summary = summarise(row, setting.work(facts), timings, limits);
    return { ...summary, parameters, differences, facts, absent, versions, notes };
  } finally {
    setting.end();
  }
}

async function measureMemory(/** @type {Row} */ row, /** @type {Order} */ order) {
  if (row.kind === 'merge') {
    const { contestant, end } = await mergeContestant(row, order);
    return memoryHeldBy(contestant).finally(end);
  }
  const contestant = await denseContestant(row, order);
  return contestant && memoryHeldBy(contestant);
}

function measure(/** @type {Order} */ order) {
  const row = rows.find(({ id }) => id === order.id);
  if (!row) throw new Error(`no row ${order.id}`);
  return order.memoryHeld ? measureMemory(row, order) : measureRow(row, order);
}

process.once('message', async (/** @type {Order} */ order) => {
  try {
    process.send?.({ result: await measure(order) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  process.disconnect();
});
process.once('disconnect', () => process.exit()); // done, or the parent is gone
