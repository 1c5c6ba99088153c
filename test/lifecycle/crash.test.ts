/** A process killed at any moment of saving leaves the old file or the new one, never half of either. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { DenseMemory } from '../support/engram.js';
import { ended, firstMessage, start } from '../support/child.js';
import { scratchFolder } from '../support/files.js';
import { seeded } from '../support/random.js';

const SAVER = new URL('./children/endless-saver.mjs', import.meta.url);
const KILLS = 25;
const count = 4000;
const dim = 64;

describe('a crash while saving', function () {
  this.timeout(120_000);
  const folder = scratchFolder();
  const path = join(folder, 'memory.safetensors');

  it(`leaves a whole file, ${KILLS} times`, async () => {
    const random = seeded(61);
    const seen = new Set<number>();
    for (let kill = 0; kill < KILLS; ++kill) {
      const child = start(SAVER, [path, String(count), String(dim)], { execArgv: [] });
      await firstMessage(child);
      await sleep(random.uniform() * 30);
      child.kill('SIGKILL');
      expect((await ended(child)).signal).to.equal('SIGKILL');
      seen.add(await onlyValue(path));
    }
    expect([...seen].every((value) => value === 1 || value === 2)).to.equal(true);
  });

  it('a later save works beside what the killed processes left', async () => {
    const memory = DenseMemory.from(new Float32Array(count * dim).fill(3), { dim });
    await memory.save(path);
    expect(await onlyValue(path)).to.equal(3);
    const strangers = readdirSync(folder).filter((name) => !name.includes('memory.safetensors'));
    expect(strangers, 'temporary files are named after their target').to.deep.equal([]);
  });
});

/** The one value that every element of the file has; fails when the file is not whole. */
async function onlyValue(file: string): Promise<number> {
  const memory = await DenseMemory.open(file, { verify: true });
  expect([memory.count, memory.dim]).to.deep.equal([count, dim]);
  memory.dispose();
  const bytes = readFileSync(file);
  const start = bytes.length - count * dim * 4;
  const elements = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
  const [first] = elements;
  expect(elements.every((x) => x === first)).to.equal(true);
  return first!;
}
