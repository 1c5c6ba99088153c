/**
 * The package as a user gets it: packed with its prebuilt addon, installed into an empty folder without
 * scripts, used where there is no compiler.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';

const RETRIEVAL = `
const memory = DenseMemory.from(Float32Array.of(0, 0, 10, 10), { dim: 2 });
const { patterns } = memory.retrieveSync(Float32Array.of(9, 8), { separation: softmax({ beta: 2 }) });
console.log(patterns.join(), version);`;

const CONSUMER = `
import { DenseMemory, EngramError, softmax, type Retrieval } from 'engram';
const memory: DenseMemory = DenseMemory.allocate(2, 3);
const answer: Promise<Retrieval> = memory.retrieve(new Float32Array(3), { separation: softmax({ beta: 1 }), steps: 2 });
answer.then(({ energy }) => energy.length).catch((error: unknown) => error instanceof EngramError && error.code);
// @ts-expect-error -- beta is a number
softmax({ beta: '1' });
`;

describe('the package', function () {
  this.timeout(240_000);
  let folder = '';
  let app = '';

  /** Runs a program where there is Node and a shell, but no compiler, CMake or Python. */
  function inApp(args: readonly string[], file = process.execPath) {
    const env = { PATH: path.join(folder, 'bin'), HOME: folder };
    return spawnSync(file, args, { cwd: app, encoding: 'utf8', env });
  }

  before(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'engram-package-'));
    app = path.join(folder, 'app');
    mkdirSync(app);
    mkdirSync(path.join(folder, 'bin'));
    for (const program of [process.execPath, '/bin/sh']) symlinkSync(program, path.join(folder, 'bin', path.basename(program)));
    execFileSync('npm', ['run', '--silent', 'prebuild'], { stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { stdio: 'pipe' });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack made no tarball');
    writeFileSync(path.join(app, 'package.json'), '{"name":"app","private":true}');
    // What the package depends on was put into npm's cache by the project's own installation.
    const options = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
    execFileSync('npm', ['install', ...options, path.join(folder, tarball)], { cwd: app, stdio: 'pipe' });
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('holds the builds, the sources and the prebuilt addon, and nothing else', () => {
    const files = readdirSync(path.join(app, 'node_modules/engram'));
    expect(files).to.include.members(['dist', 'docs', 'native', 'prebuilds', 'CMakeLists.txt', 'LICENSE', 'README.md']);
    expect(files).not.to.include('test');
    expect(files).not.to.include('build');
  });

  it('holds what its documents link to', () => {
    const root = path.join(app, 'node_modules/engram');
    const documents = ['README.md', ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.md'))
      .map((file) => path.join('docs', file))];
    const missing = documents.flatMap((document) =>
      [...readFileSync(path.join(root, document), 'utf8').matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)]
        .map(([, link = '']) => path.join(path.dirname(document), link))
        .filter((target) => !existsSync(path.join(root, target)))
        .map((target) => `${target}, of ${document}`),
    );
    expect(documents.length).to.be.greaterThan(1);
    expect(missing).to.deep.equal([]);
  });

  it('works as an ES module and as CommonJS', () => {
    const module = inApp(['--input-type=module', '-e', `import { DenseMemory, softmax, version } from 'engram';${RETRIEVAL}`]);
    expect(module.stderr).to.equal('');
    expect(module.stdout).to.equal('10,10 0.1.0\n');
    const common = inApp(['-e', `const { DenseMemory, softmax, version } = require('engram');${RETRIEVAL}`]);
    expect(common.stderr).to.equal('');
    expect(common.stdout).to.equal('10,10 0.1.0\n');
  });

  it('brings its command', () => {
    const { status, stdout } = inApp(['doctor', '--json'], path.join(app, 'node_modules/.bin/engram'));
    expect(status).to.equal(0);
    expect(JSON.stringify(JSON.parse(stdout))).to.include(path.join('node_modules', 'engram', 'prebuilds'));
  });

  it('brings the CUDA plugin, where nvcc is, and finds it beside the addon', function () {
    if (!existsSync('build/Release/libengram_cuda.so')) this.skip();
    const { stdout } = inApp(['doctor', '--json'], path.join(app, 'node_modules/.bin/engram'));
    expect(stdout).to.include('cuda');
    expect(stdout).not.to.include('has no CUDA backend').and.not.to.include('cannot be loaded');
  });

  it('gives its types to ES modules and to CommonJS', () => {
    const tsc = path.resolve('node_modules/typescript/bin/tsc');
    for (const file of ['consumer.mts', 'consumer.cts']) {
      writeFileSync(path.join(app, file), CONSUMER);
      const args = [tsc, '--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', file];
      const { status, stdout } = inApp(args);
      expect(stdout).to.equal('');
      expect(status).to.equal(0);
    }
  });

  it('names the remedy where there is no addon for the platform', () => {
    rmSync(path.join(app, 'node_modules/engram/prebuilds'), { recursive: true });
    const { status, stderr } = inApp(['-e', "require('engram')"]);
    expect(status).not.to.equal(0);
    expect(stderr).to.include('scripts/native-build.cjs');
    expect(stderr).to.include(`${process.platform}-${process.arch}`);
  });
});
