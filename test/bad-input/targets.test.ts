/** Targets that cannot be written: nothing is lost, nothing is left behind. */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { DenseMemory } from '../support/engram.js';
import { expectRejection } from '../support/expectations.js';
import { scratchFolder } from '../support/files.js';

const SAVER = fileURLToPath(new URL('./children/saver.mjs', import.meta.url));
const run = promisify(execFile);

interface Outcome {
  readonly saved?: true;
  readonly code?: string;
  readonly cause?: string;
  readonly found: number;
}

describe('targets that cannot be written', function () {
  this.timeout(60_000);
  const folder = scratchFolder();
  const memory = DenseMemory.from(Float32Array.from({ length: 12 }, (_, i) => i), { dim: 4 });

  it('a folder that does not exist', async () => {
    const error = await expectRejection(memory.save(join(folder, 'no', 'folder', 'm')), 'ERR_ENGRAM_IO');
    expect(error.cause).to.have.property('code', 'ENOENT');
  });

  it('a folder in place of the file', async () => {
    mkdirSync(join(folder, 'taken'));
    await expectRejection(memory.save(join(folder, 'taken')), 'ERR_ENGRAM_IO');
    expect(readdirSync(folder)).to.deep.equal(['taken']);
  });

  it('a file in place of the folder', async () => {
    const blocked = join(folder, 'file');
    writeFileSync(blocked, 'mine');
    const error = await expectRejection(memory.save(join(blocked, 'm')), 'ERR_ENGRAM_IO');
    expect(error.cause).to.have.property('code', 'ENOTDIR');
    expect(readFileSync(blocked, 'utf8')).to.equal('mine');
  });

  it('a folder without permission', async function () {
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    // The superuser may write anywhere.
    if (process.getuid?.() === 0) this.skip();
    const error = await expectRejection(memory.save(join(closed, 'm')), 'ERR_ENGRAM_IO');
    expect(error.cause).to.have.property('code', 'EACCES');
  });

  it('a file system that holds no files', async function () {
    if (!existsSync('/proc/self')) this.skip();
    await expectRejection(memory.save('/proc/engram-test.safetensors'), 'ERR_ENGRAM_IO');
  });

  it('a limit on file sizes, as when the disk is full: the old file stays', async function () {
    if (process.platform === 'win32') this.skip();
    const path = join(folder, 'limited.safetensors');
    await memory.save(path);
    const before = readFileSync(path);
    // 1,000 x 1,000 floats are 4 MB; the limit is 1,024 blocks of 1,024 bytes.
    const command = `ulimit -f 1024; exec "$0" "$1" "$2" 1000 1000`;
    const { stdout } = await run('bash', ['-c', command, process.execPath, SAVER, path]);
    const outcome = JSON.parse(stdout) as Outcome;
    expect(outcome).to.deep.include({ code: 'ERR_ENGRAM_IO', cause: 'EFBIG', found: 0 });
    expect(readFileSync(path).equals(before), 'the old file').to.equal(true);
    expect(readdirSync(folder).filter((name) => name.includes('limited')), 'no half of a file stays')
      .to.deep.equal(['limited.safetensors']);
  });

  it('a full disk: the old file stays', async function () {
    const small = await smallFileSystem(folder);
    if (small === undefined) this.skip();
    try {
      const path = join(small, 'full.safetensors');
      await memory.save(path);
      const before = readFileSync(path);
      const { stdout } = await run(process.execPath, [SAVER, path, '1000', '1000']);
      expect(JSON.parse(stdout)).to.deep.include({ code: 'ERR_ENGRAM_IO', cause: 'ENOSPC', found: 0 });
      expect(readFileSync(path).equals(before), 'the old file').to.equal(true);
      expect(readdirSync(small)).to.deep.equal(['full.safetensors']);
    } finally {
      await run('umount', [small]);
    }
  });

  it('an aborted save leaves the old file and no other', async () => {
    const large = DenseMemory.from(new Float32Array(4e6).fill(1), { dim: 100 });
    const path = join(folder, 'aborted.safetensors');
    await memory.save(path);
    const before = readFileSync(path);
    const controller = new AbortController();
    const saving = large.save(path, { signal: controller.signal });
    controller.abort('never mind');
    const reason = await saving.then(() => undefined, (error: unknown) => error);
    expect(reason).to.equal('never mind');
    // The rejection comes at once; a save of the same path afterwards finds the way clear.
    await memory.save(path);
    expect(readFileSync(path).equals(before)).to.equal(true);
  });
});

/** A mounted file system of 1 MiB, where this process may mount one. */
async function smallFileSystem(folder: string): Promise<string | undefined> {
  const point = join(folder, 'small');
  mkdirSync(point);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'engram-test', point]);
    return point;
  } catch {
    return undefined;
  }
}
