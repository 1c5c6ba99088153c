// Packs what checks and measures engram on a bare x86-64 machine with a GPU, without Node and without a network,
// into one file of at most 60 MB: unpack it there and run ./run.sh.
//
//   node scripts/bundle-device.mjs     makes build/engram-device-bundle.tar.gz; needs nvcc
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MOST_BUNDLE_BYTES, packagesWith } from './device/packages.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
const NAME = 'engram-device-bundle';
const ARCHIVE = `build/${NAME}.tar.gz`;
const stage = path.join('build', NAME);

const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 2, 2] });

/** Copies into the bundle, under the same name or another. */
function take(from, to = from) {
  const target = path.join(stage, to);
  mkdirSync(path.dirname(target), { recursive: true });
  cpSync(from, target, { recursive: true, filter: isNeeded });
  return target;
}

/** Of packages and builds: what runs, and licences. */
const isNeeded = (file) => !/\.(md|map|d\.[cm]?ts|ts|flow)$/i.test(file) && !/\/(docs?|examples?|\.github)$/.test(file);

function binaries() {
  const plugin = 'build/Release/libengram_cuda.so';
  if (!existsSync(plugin)) {
    console.error(`bundle: there is no ${plugin}; the bundle needs nvcc 13 where it is made`);
    process.exit(1);
  }
  run('cmake', '--build', 'build/cmake-Release', '--target', 'engram-device-test');
  take('build/Release/engram.node', 'prebuilds/linux-x64/engram.glibc.node');
  take(plugin, 'prebuilds/linux-x64/libengram_cuda.so');
  take('build/cmake-Release/engram-device-test', 'bin/engram-device-test');
  const node = take(process.execPath, 'bin/node');
  chmodSync(node, 0o755);
  run('strip', node);
}

function scripts() {
  for (const file of ['package.json', 'dist', 'LICENSE', 'THIRD_PARTY_NOTICES', 'scripts/mocha-reporter.cjs']) take(file);
  for (const file of ['scripts/bench/peers_device.py', 'scripts/device']) take(file);
  for (const file of ['run.sh', 'README.md']) copyFileSync(path.join('scripts/device', file), path.join(stage, file));
  chmodSync(path.join(stage, 'run.sh'), 0o755);
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const headers = ['node-addon-api', 'node-api-headers'];
  const names = Object.keys(dependencies).filter((name) => !headers.includes(name));
  for (const folder of packagesWith([...names, 'mocha', 'chai'])) take(folder);
  run('npx', '--no-install', 'tsc', '-p', 'scripts/device', '--outDir', path.join(stage, 'test'));
}

function pack() {
  const tar = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '-C', 'build', '-I', 'gzip -9', '-cf', ARCHIVE, NAME];
  run('tar', ...tar);
  const { size } = statSync(ARCHIVE);
  const verdict = size <= MOST_BUNDLE_BYTES ? 'ok' : 'TOO LARGE';
  console.log(`${ARCHIVE}: ${size} bytes; at most ${MOST_BUNDLE_BYTES}: ${verdict}`);
  if (verdict !== 'ok') process.exitCode = 1;
}

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error('bundle: the bundle is for x86-64 Linux, and is made there');
  process.exit(1);
}
rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
binaries();
scripts();
pack();
