/** The check of built binaries: it passes what old systems load, and refuses newer needs and too large a plugin. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';

const SCRIPT = path.resolve('scripts/check-artifact.mjs');

describe('the check of built binaries', () => {
  let folder = '';

  before(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'engram-artifact-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Compiles a library of one C function. */
  function library(name: string, text: string): string {
    const source = path.join(folder, 'source.c');
    writeFileSync(source, text);
    const file = path.join(folder, name);
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', file, source]);
    return file;
  }

  function check(...targets: string[]) {
    const { status, stdout } = spawnSync('node', [SCRIPT, ...targets], { encoding: 'utf8' });
    return { status, stdout };
  }

  it('passes what needs little', () => {
    const { status, stdout } = check(library('plain.node', '#include <stdlib.h>\nvoid* take(void) { return malloc(1); }'));
    expect(stdout).to.include('plain.node: GLIBC 2.2.5 (malloc); floor 2.28: ok');
    expect(status).to.equal(0);
  });

  it('refuses a symbol newer than the floor, and names it', () => {
    // Since glibc 2.33, stat is a symbol of its own.
    const file = library('late.node', '#include <sys/stat.h>\nint ask(struct stat* s) { return stat("/", s); }');
    const { status, stdout } = check(file);
    expect(stdout).to.include('late.node: GLIBC 2.33 (stat); floor 2.28: ABOVE THE FLOOR');
    expect(status).to.equal(1);
  });

  it('looks at every binary of a folder, and refuses a plugin of more than 8 MB', () => {
    rmSync(path.join(folder, 'late.node'), { force: true });
    const plugin = library('libengram_cuda.so', 'int one(void) { return 1; }');
    expect(check(folder).status).to.equal(0);
    appendFileSync(plugin, Buffer.alloc(8_000_000));
    const { status, stdout } = check(folder);
    expect(stdout).to.match(/plain\.node: .*: ok/).and.to.match(/libengram_cuda\.so: 8\d+ bytes; at most 8000000: TOO LARGE/);
    expect(status).to.equal(1);
  });
});
