// Calls of the library on the CPU and on every device, timed as JavaScript sees them.
//
//   node scripts/device/calls.mjs --out FILE [--quick]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DenseMemory, devices, softmax } from 'engram';

const { values: options } = parseArgs({ options: { out: { type: 'string' }, quick: { type: 'boolean' } } });
const DIM = 128;
const COUNT = options.quick ? 2_000 : 1_000_000;
const BATCHES = options.quick ? [1, 8] : [1, 64, 4096];
const LEAST_RUNS = options.quick ? 1 : 7;
const ENOUGH_MS = options.quick ? 0 : 1000;

const report = { passed: 0, failed: 0, skipped: 0, rows: [], skips: [] };

/** Uniform numbers of mean 0: quick to make. */
const fresh = (count) => Float32Array.from({ length: count }, () => Math.random() - 0.5);

async function timed(work) {
  const times = [];
  let last;
  for (let sum = 0; times.length < LEAST_RUNS || sum < ENOUGH_MS; sum += times.at(-1)) {
    const begin = performance.now();
    last = await work();
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return { seconds: times[times.length >> 1] / 1e3, runs: times.length, last };
}

/** Queries are stored patterns with a little noise: each must come back as the best. */
function isRight(indices, chosen, k) {
  return chosen.every((item, i) => indices[i * k] === item);
}

async function measure(device, storage) {
  const patterns = fresh(COUNT * DIM);
  const memory = DenseMemory.from(patterns, { dim: DIM, device, storage });
  const separation = softmax({ beta: 4 });
  for (const queries of BATCHES) {
    const chosen = Array.from({ length: queries }, () => Math.floor(Math.random() * COUNT));
    const noise = fresh(queries * DIM);
    const cues = Float32Array.from(noise, (x, at) => 0.1 * x + patterns[chosen[Math.floor(at / DIM)] * DIM + (at % DIM)]);
    const calls = {
      search: () => memory.search(cues, { k: 10 }),
      retrieve: () => memory.retrieve(cues, { separation, energy: false }),
    };
    for (const [name, call] of Object.entries(calls)) {
      await call(); // brings the memory to the device
      const { last, ...times } = await timed(call);
      const right = name !== 'search' || isRight(last.indices, chosen, last.k);
      report[right ? 'passed' : 'failed'] += 1;
      report.rows.push({ name: `${name} ${COUNT}x${DIM} Q=${queries} ${storage}`, device, right, ...times });
      console.log(`${device}: ${report.rows.at(-1).name}: ${(1e3 * times.seconds).toFixed(3)} ms${right ? '' : ' WRONG'}`);
    }
  }
  memory.dispose();
}

for (const { id, available, reason } of devices()) {
  for (const storage of id === 'cpu' ? ['f32'] : ['f32', 'bf16']) {
    if (available) {
      await measure(id, storage);
      continue;
    }
    report.skipped += 2 * BATCHES.length;
    report.skips.push(`${id}: ${reason}`);
    console.log(`SKIPPED: ${id} (${2 * BATCHES.length}): ${reason}`);
  }
}
if (options.out) writeFileSync(options.out, JSON.stringify(report));
process.exitCode = report.failed === 0 ? 0 : 1;
