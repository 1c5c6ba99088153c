// Rounds: archetypes that drift away, new ones, an attacker, and clients that are good together.
import { Random } from '../engram.mjs';
import { mean } from '../statistics.mjs';
import { markdownTable } from '../tables.mjs';
import { playRound, withFederation } from './federation.mjs';
import { bestOverlaps } from './judge.mjs';
import { drawExamples, randomArchetypes, uniform } from './signs.mjs';
import { measured } from './text.mjs';

export const title = 'rounds';

export const sizes = {
  full: { driftSeeds: 4, noveltySeeds: 30, attackerSeeds: 3, cooperativeSeeds: 4 },
  quick: { driftSeeds: 1, noveltySeeds: 1, attackerSeeds: 1, cooperativeSeeds: 1 },
};

/**
 * @typedef {import('../engram.mjs').FederatedOptions} FederatedOptions
 * @typedef {import('../engram.mjs').RoundReport} RoundReport
 *
 * What a client is given in a round.
 * @typedef {{ exposure: number[], count: number, quality: number }} Share
 *
 * After a round: how many archetypes are known, and the best overlap with each that there is.
 * @typedef {{ count: number, overlaps: number[], report: RoundReport }} State
 */

/**
 * Plays rounds of clients with archetypes drawn from the seed.
 * @param {{ seed: number, archetypes: number, rounds: number, options: FederatedOptions, rank?: number,
 *   clients: (round: number) => Share[] }} play
 * @returns {Promise<State[]>}
 */
function play({ seed, archetypes, rounds, options, rank, clients }) {
  const random = new Random(seed);
  const truth = randomArchetypes(random, archetypes, options.dim);
  return withFederation(options, async (memory) => {
    const states = [];
    for (let round = 0; round < rounds; ++round) {
      const examples = clients(round).map((share) => drawExamples(random, truth, share));
      const report = await playRound(memory, examples, rank === undefined ? {} : { rank });
      states.push({ count: memory.count, overlaps: bestOverlaps(memory.archetypes, truth), report });
    }
    return states;
  });
}

/** The same for seeds 1 to `seeds`. @param {number} seeds @param {Omit<Parameters<typeof play>[0], 'seed'>} setup */
async function playMany(seeds, setup) {
  const all = [];
  for (let seed = 1; seed <= seeds; ++seed) all.push(await play({ seed, ...setup }));
  return all;
}

const two = (/** @type {number[]} */ list) => list.map((x) => x.toFixed(2)).join(', ');

// ---- drift ----

/** Plasticities, and the overlaps aimed at after the last round; "high": at least .98 each. */
const DRIFTS = /** @type {{ name: string, options: Partial<FederatedOptions>, target: string }[]} */ ([
  { name: 'w = 0', options: { plasticity: 0 }, target: '1.00, .23, .24' },
  { name: 'w = 0.2', options: { plasticity: 0.2 }, target: 'all >= .98' },
  { name: 'w = 0.5', options: { plasticity: 0.5 }, target: 'all >= .98' },
  { name: 'w = 1', options: { plasticity: 1 }, target: '.28, .19, 1.00' },
  { name: 'entropy', options: { controller: 'entropy' }, target: 'all >= .98' },
  { name: 'trust', options: { controller: 'trust' }, target: '' },
  { name: 'spectral', options: { controller: 'spectral' }, target: '' },
]);

/** Each archetype has its time: shares rise and fall in triangles around the beginning, the middle and the end. */
function driftExposure(/** @type {number} */ round, /** @type {number} */ rounds) {
  const place = (2 * round) / (rounds - 1);
  return [0, 1, 2].map((centre) => Math.max(0, 1 - Math.abs(place - centre)));
}

async function drift(/** @type {number} */ seeds) {
  const rounds = 24;
  const rows = [];
  const points = /** @type {object[]} */ ([]);
  for (const { name, options, target } of DRIFTS) {
    const runs = await playMany(seeds, {
      archetypes: 3,
      rounds,
      options: { dim: 300, ...options },
      clients: (round) => new Array(3).fill({ exposure: driftExposure(round, rounds), count: 17, quality: 0.6 }),
    });
    const overlap = (/** @type {number} */ round, /** @type {number} */ mu) =>
      mean(runs.map((states) => states[round].overlaps[mu]));
    const last = [0, 1, 2].map((mu) => overlap(rounds - 1, mu));
    const counts = mean(runs.map((states) => states[rounds - 1].count));
    rows.push([name, `**${two(last)}**${target && ` (${target})`}`, counts.toFixed(2)]);
    for (let round = 0; round < rounds; ++round) {
      for (const mu of [0, 1, 2]) {
        points.push({ name, round, archetype: `archetype ${mu + 1}`, overlap: overlap(round, mu) });
      }
    }
  }
  const figure = {
    data: { values: points },
    facet: { field: 'name', type: 'nominal', title: null, sort: DRIFTS.map(({ name }) => name) },
    columns: 4,
    spec: {
      width: 150,
      height: 110,
      mark: 'line',
      encoding: {
        x: { field: 'round', type: 'quantitative' },
        y: { field: 'overlap', type: 'quantitative', scale: { domain: [0, 1] } },
        color: { field: 'archetype', type: 'nominal', scale: { range: ['#0072b2', '#d55e00', '#009e73'] } },
      },
    },
  };
  return { table: markdownTable(['controller', 'overlaps after the last round', 'archetypes known'], rows), figure };
}

// ---- novelty ----

/** Three archetypes; from round 12 on, half of the examples come from three more, at once within four rounds. */
function noveltyExposure(/** @type {number} */ round) {
  const fresh = round < 12 ? 0 : 0.5 * Math.min(1, (round - 12 + 1) / 4);
  return [...new Array(3).fill((1 - fresh) / 3), ...new Array(3).fill(fresh / 3)];
}

async function novelty(/** @type {number} */ seeds) {
  const rounds = 24;
  const targets = /** @type {Record<number, [number, number | undefined]>} */ ({
    11: [3, undefined],
    12: [5.75, 0.9],
    13: [6, 0.98],
    23: [6, 0.99],
  });
  const rows = [];
  const points = /** @type {object[]} */ ([]);
  for (const controller of /** @type {const} */ (['fixed', 'spectral'])) {
    const runs = await playMany(seeds, {
      archetypes: 6,
      rounds,
      options: { dim: 400, controller },
      clients: (round) => new Array(3).fill({ exposure: noveltyExposure(round), count: 34, quality: 0.8 }),
    });
    const at = (/** @type {number} */ round) => ({
      count: mean(runs.map((states) => states[round].count)),
      old: mean(runs.flatMap((states) => states[round].overlaps.slice(0, 3))),
      fresh: mean(runs.flatMap((states) => states[round].overlaps.slice(3))),
      novelty: mean(runs.map((states) => states[round].report.novelty)),
    });
    for (const [round, [count, fresh]] of Object.entries(targets)) {
      const found = at(Number(round));
      rows.push([
        controller,
        round,
        measured(found.count, count, 2),
        Number(round) < 12 ? '' : measured(found.fresh, fresh, 2),
        measured(found.old, 0.998, 3),
        found.novelty.toFixed(2),
      ]);
    }
    for (let round = 0; round < rounds; ++round) points.push({ controller, round, ...at(round) });
  }
  const line = (/** @type {string} */ field, /** @type {string} */ label) => ({
    width: 230,
    height: 160,
    data: { values: points },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'round', type: 'quantitative' },
      y: { field, type: 'quantitative', title: label },
      color: { field: 'controller', type: 'nominal', scale: { range: ['#0072b2', '#d55e00'] } },
    },
  });
  const table = markdownTable(
    ['controller', 'round', 'archetypes known', 'overlap of the new', 'overlap of the old', 'novelty reported'],
    rows,
  );
  const figure = {
    hconcat: [line('count', 'archetypes known'), line('fresh', 'overlap of the new'), line('novelty', 'novelty')],
  };
  return { table, figure };
}

// ---- attacker ----

async function attacker(/** @type {number} */ seeds) {
  const rows = [];
  for (const controller of /** @type {const} */ (['fixed', 'entropy', 'trust', 'spectral'])) {
    const good = { exposure: uniform(3), count: 16, quality: 0.9 };
    const runs = await playMany(seeds, {
      archetypes: 3,
      rounds: 10,
      options: { dim: 1000, controller },
      clients: () => [good, good, good, good, { ...good, quality: 0 }],
    });
    const worst = Math.min(...runs.flatMap((states) => states.flatMap(({ overlaps }) => overlaps)));
    const last = runs.map((states) => states[9].report.plasticity);
    rows.push([
      controller,
      measured(worst, 1, 3),
      mean(runs.map((states) => states[9].count)).toFixed(2),
      mean(last.flatMap((plasticity) => Array.from(plasticity.subarray(0, 4)))).toFixed(3),
      mean(last.map((plasticity) => plasticity[4])).toFixed(3),
    ]);
  }
  return markdownTable(
    ['controller', 'least overlap of any in any round', 'archetypes known', 'w of good clients', 'w of the attacker'],
    rows,
  );
}

// ---- cooperative ----

async function cooperative(/** @type {number} */ seeds) {
  const cases = /** @type {{ qualities: number[], target: [number, number] }[]} */ ([
    { qualities: [0.8, 0.8, 0.8], target: [1, 3] },
    { qualities: [0.8, 0.2, 0.2], target: [1, 3] },
    { qualities: [0.2, 0.2, 0.2], target: [1, 3] },
    { qualities: [0.05, 0.05, 0.05], target: [0, 0] },
  ]);
  const rows = [];
  for (const { qualities, target } of cases) {
    const runs = await playMany(seeds, {
      archetypes: 3,
      rounds: 12,
      options: { dim: 400, plasticity: 0.6 },
      rank: 16,
      clients: () => qualities.map((quality) => ({ exposure: uniform(3), count: 400, quality })),
    });
    const last = runs.map((states) => states[11]);
    const overlap = mean(last.flatMap(({ overlaps }) => overlaps));
    rows.push([
      qualities.join(', '),
      target[1] > 0 ? measured(overlap, target[0], 3) : overlap.toFixed(3),
      measured(mean(last.map(({ count }) => count)), target[1], 2),
      mean(runs.flatMap((states) => states.map(({ report }) => report.detected))).toFixed(2),
    ]);
  }
  return markdownTable(
    ['qualities of the clients', 'overlap after the last round', 'archetypes known', 'detected, mean of all rounds'],
    rows,
  );
}

/** @param {typeof sizes.full} given */
export async function run({ driftSeeds, noveltySeeds, attackerSeeds, cooperativeSeeds }) {
  const drifts = await drift(driftSeeds);
  const fresh = await novelty(noveltySeeds);
  return {
    tables: {
      drift: drifts.table,
      novelty: fresh.table,
      attacker: await attacker(attackerSeeds),
      cooperative: await cooperative(cooperativeSeeds),
    },
    figures: { drift: drifts.figure, novelty: fresh.figure },
  };
}
