// How far resident memory grows while memories are made and forgotten. Needs --expose-gc.
import { setImmediate } from 'node:timers/promises';

const ROUNDS = 150;

async function settle() {
  for (let i = 0; i < 3; ++i) {
    globalThis.gc();
    await setImmediate();
  }
}

/** Does it many times and sends a report to the parent process; `way` returns the bytes that it made. */
export async function reportGrowth(way) {
  for (let round = 0; round < 10; ++round) await way();
  await settle();
  const before = process.memoryUsage().rss;
  let bytes = 0;
  let peak = before;
  for (let round = 0; round < ROUNDS; ++round) {
    bytes += await way();
    if (round % 5 === 4) await settle();
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  await settle();
  process.send({ made: bytes, peakGrowth: peak - before, growth: process.memoryUsage().rss - before });
  process.disconnect();
}
