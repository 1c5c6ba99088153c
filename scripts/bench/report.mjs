// The results as text.
//
// @ts-check
import { memoryAim } from './rows.mjs';

/** @param {Record<string, any>} machine */
export function heading(machine) {
  const peers = Object.entries(machine.peers).map(([name, version]) => `${name} ${version}`);
  return [
    `engram ${machine.engram} (${machine.instructionSet}), ${peers.join(', ')}, Node ${machine.node}`,
    `${machine.processor}, ${machine.logicalProcessors} logical processors, ${machine.threads} threads used`,
    'Times are medians of interleaved turns. share: of the limit that bounds the row, measured in the',
    'same turns. x engram: time of the peer / time of engram, median of the ratios in each turn.',
    '',
  ].join('\n');
}

export function duration(/** @type {number} */ seconds) {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(1)} us`;
  if (seconds < 1) return `${(seconds * 1e3).toPrecision(4)} ms`;
  return `${seconds.toFixed(2)} s`;
}

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(0)} %`;

/** A count with a prefix of the SI. */
function scaled(/** @type {number} */ count) {
  for (const [unit, prefix] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) {
    if (count >= Number(unit)) return `${(count / Number(unit)).toPrecision(3)} ${prefix}`;
  }
  return `${Number(count.toPrecision(3))} `;
}

/** The least time of the row, and what it comes from where that is more than one product. */
function floor(/** @type {any} */ { floorSeconds, work }) {
  if (!floorSeconds) return '';
  const { operations, exps, bytes } = work;
  const from = `${scaled(exps)}exp, ${scaled(operations)}FLOP, ${scaled(bytes)}B`;
  return exps ? `${duration(floorSeconds)}: ${from}` : duration(floorSeconds);
}

const megabytes = (/** @type {number | undefined} */ bytes) =>
  bytes === undefined ? 'unknown' : `${(bytes / 1e6).toFixed(1)} MB`;

/** What a contestant achieved of what bounds the row. */
function achieved(/** @type {any} */ result, /** @type {any} */ contestant) {
  if (result.bound === 'read') return `${contestant.gbps.toFixed(1)} GB/s  ${percent(contestant.share)}`;
  if (result.bound === 'call') return '';
  return `${contestant.gflops.toFixed(1)} GFLOP/s  ${percent(contestant.share)}`;
}

const values = (/** @type {Record<string, number>} */ named) =>
  Object.entries(named)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(', ');

const verdict = (/** @type {string} */ found, /** @type {string} */ aim, /** @type {boolean} */ met) =>
  `${found} (aim ${aim}: ${met ? 'met' : 'NOT met'})`;

/** What was aimed at, and whether it was met; nothing for peers that are absent. */
function verdicts(/** @type {any} */ result) {
  const all = [];
  for (const { peer, aim, ratio, met } of result.aims) {
    if (ratio !== undefined) all.push(verdict(`${ratio.toFixed(2)}x ${peer}`, `${aim}x`, met));
  }
  const [ours] = result.contestants;
  if (result.share !== undefined) {
    const met = ours.share >= result.share;
    all.push(verdict(`${percent(ours.share)} of the limit`, percent(result.share), met));
  }
  for (const { name, seconds } of result.contestants) {
    const aim = result.microseconds[name];
    if (aim) all.push(verdict(`${name} ${duration(seconds)}`, `${aim} us`, seconds <= aim / 1e6));
  }
  const { patterns, 'pairs evaluated': evaluations } = result.facts;
  if (patterns) {
    const rate = (/** @type {number} */ count) => Math.round(count / ours.seconds).toLocaleString('en');
    all.push(`${rate(patterns)} patterns/s, ${rate(evaluations)} evaluations/s`);
  }
  const held = result.memoryHeld?.engram;
  if (held !== undefined) {
    const most = result.memoryAim ?? memoryAim;
    all.push(verdict(`${megabytes(held)} held`, megabytes(most), held <= most));
  }
  return all;
}

/** One row with all its contestants. */
export function rowText(/** @type {any} */ result) {
  if (result.skipped) return `${result.id}: ${result.title}\n  skipped: ${result.skipped}\n`;
  if (result.failed) return `${result.id}: ${result.title}\n  FAILED: ${result.failed}\n`;
  const { limits } = result;
  const lines = result.contestants.map((/** @type {any} */ contestant) => {
    const note = result.notes[contestant.name];
    return [
      `  ${contestant.name.padEnd(27)}`,
      duration(contestant.seconds).padStart(10),
      achieved(result, contestant).padStart(22),
      `${contestant.ratio.toFixed(2)}x`.padStart(9),
      note ? `  (${note})` : '',
    ].join(' ');
  });
  const absent = Object.entries(result.absent).map(([name, reason]) => `  ${name}: absent (${reason})`);
  const held = Object.entries(result.memoryHeld ?? {}).map(
    ([name, bytes]) => `${name} ${megabytes(/** @type {number | undefined} */ (bytes))}`,
  );
  return [
    `${result.id}: ${result.title}`,
    `  limits: ${limits.fmaGflops.toFixed(0)} GFLOP/s, ${limits.readGbps.toFixed(1)} GB/s` +
      (result.floorSeconds ? `; floor ${floor(result)}` : '') +
      `; ${values({ ...result.parameters, ...result.facts })}`,
    ...lines,
    ...absent,
    ...(held.length ? [`  held beyond inputs and outputs: ${held.join(', ')}`] : []),
    ...(verdicts(result).length ? [`  => ${verdicts(result).join('; ')}`] : []),
    '',
  ].join('\n');
}

/** Versions of the peers in Python, of whatever row they took part in; variants of one have its name first. */
function versionsOf(/** @type {any[]} */ results) {
  const versions = Object.entries(Object.assign({}, ...results.map((result) => result.versions)));
  return [...new Set(versions.map(([name, version]) => `${name.split('-')[0]} ${version}`))];
}

/** Range of the load averages after each row: how much else the machine had to do. */
function loadRange(/** @type {any[]} */ results) {
  const loads = results.flatMap(({ load }) => (load === undefined ? [] : [load]));
  return `load ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`;
}

/** All rows, one line each. */
export function summaryText(/** @type {any[]} */ results) {
  return results
    .filter((result) => result.contestants)
    .map((result) => {
      const [ours] = result.contestants;
      return `${result.title.padEnd(66)} ${duration(ours.seconds).padStart(10)}  ${verdicts(result).join('; ')}`;
    })
    .join('\n');
}

/** The results as a Markdown table, as docs/performance.md shows them. */
export function markdown(/** @type {any} */ machine, /** @type {any[]} */ results) {
  const peers = Object.entries(machine.peers).map(([name, version]) => `${name} ${version}`);
  const lines = results
    .filter((result) => result.contestants)
    .map((result) => {
      const [ours, ...others] = result.contestants;
      const ratios = others.map(
        (/** @type {any} */ other) => `${other.name} ${duration(other.seconds)} (${other.ratio.toFixed(2)}x)`,
      );
      const held = result.memoryHeld?.engram;
      return `| ${[
        result.title,
        duration(ours.seconds),
        floor(result),
        achieved(result, ours),
        ratios.join('; '),
        held === undefined ? '' : megabytes(held),
      ].join(' | ')} |`;
    });
  return [
    `${machine.processor}, ${machine.threads} threads, ${machine.instructionSet}; Node ${machine.node}, ` +
      `${[...peers, ...versionsOf(results)].join(', ')}; ${loadRange(results)}; ${machine.date.slice(0, 10)}.`,
    '',
    '| row | engram | floor | of the limit | others (time / engram\'s time) | held |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
    '',
  ].join('\n');
}
