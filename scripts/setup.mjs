// Makes a fresh clone ready: Debian packages, npm packages and, with --build, the native and TypeScript
// builds. Does only what is missing. Uses nothing but Node itself, because it runs before npm ci.
//
//   node scripts/setup.mjs [--build] [--tests] [--lint] [--tidy] [--fuzz] [--neon]
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
const flags = new Set(process.argv.slice(2));

/** A package is there when the file it brings is there; asking dpkg would not see other sources. */
const packages = [
  { name: 'g++', file: '/usr/bin/g++' },
  { name: 'cmake', file: '/usr/bin/cmake' },
  { name: 'ninja-build', file: '/usr/bin/ninja' },
  { name: 'libhwy-dev', file: '/usr/include/hwy/highway.h' },
  { name: 'libeigen3-dev', file: '/usr/include/eigen3/Eigen/Core' },
  { name: 'libxxhash-dev', file: '/usr/include/xxhash.h' },
  { name: 'dataset-fashion-mnist', file: '/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz' },
];
if (flags.has('--tests')) packages.push({ name: 'doctest-dev', file: '/usr/include/doctest/doctest.h' });
if (flags.has('--lint')) packages.push({ name: 'clang-format-19', file: '/usr/bin/clang-format-19' });
if (flags.has('--fuzz')) {
  packages.push({ name: 'clang-19', file: '/usr/bin/clang++-19' });
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  packages.push({ name: 'libclang-rt-19-dev', file: `/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.fuzzer-${arch}.a` });
}
if (flags.has('--tidy')) packages.push({ name: 'clang-tidy-19', file: '/usr/bin/clang-tidy-19' });
if (flags.has('--neon')) {
  packages.push({ name: 'g++-aarch64-linux-gnu', file: '/usr/bin/aarch64-linux-gnu-g++' });
  packages.push({ name: 'qemu-user-static', file: '/usr/bin/qemu-aarch64-static' });
}

function run(command, args, options = {}) {
  execFileSync(command, args, { stdio: 'inherit', ...options });
}

function installPackages() {
  const missing = packages.filter((p) => !existsSync(p.file)).map((p) => p.name);
  if (missing.length === 0) return;
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  const isRoot = process.getuid?.() === 0;
  const canSudo = !isRoot && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  const hasApt = existsSync('/usr/bin/apt-get');
  if (!hasApt || (!isRoot && !canSudo)) {
    console.error(`setup: missing system packages. On Debian or Ubuntu run:\n  sudo ${install.join(' ')}`);
    process.exit(1);
  }
  console.error(`setup: installing ${missing.join(', ')}`);
  const prefix = isRoot ? [] : ['sudo', '-n'];
  for (const args of [['apt-get', 'update', '-q'], install]) {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...args];
    // What apt prints belongs on stderr: the command that follows may be printing JSON.
    run(command, rest, { stdio: ['ignore', 2, 2] });
  }
}

function installModules() {
  const stamp = 'node_modules/.engram-setup';
  const hash = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  console.error('setup: installing npm packages');
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] });
  writeFileSync(stamp, hash);
}

function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(file) : statSync(file).mtimeMs);
  }
  return time;
}

function isStale(output, ...inputs) {
  if (!existsSync(output)) return true;
  const built = statSync(output).mtimeMs;
  return inputs.some((input) => (statSync(input).isDirectory() ? newest(input) : statSync(input).mtimeMs) > built);
}

/** Whether CMake will find nvcc, see CMakeLists.txt. */
function hasNvcc() {
  if (process.env.ENGRAM_CUDA === 'OFF') return false;
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/local/cuda/bin'];
  return process.env.CUDACXX !== undefined || folders.some((folder) => existsSync(path.join(folder, 'nvcc')));
}

function build() {
  // The stamp is written when a build has ended well, with the time it began: not every change reaches every
  // product. It holds whether there was an nvcc, whose coming and going asks for another build.
  const stamp = 'build/Release/.engram-built';
  const plugin = hasNvcc() ? 'with the CUDA plugin' : 'without the CUDA plugin, because there is no nvcc';
  const isThere = existsSync('build/Release/engram.node');
  if (!isThere || isStale(stamp, 'native', 'CMakeLists.txt') || readFileSync(stamp, 'utf8') !== plugin) {
    const begun = new Date();
    console.error(`setup: building the native addon, ${plugin}`);
    run('npm', ['run', '--silent', 'build:native'], { stdio: ['ignore', 2, 2] });
    writeFileSync(stamp, plugin);
    utimesSync(stamp, begun, begun);
  }
  if (isStale('dist/cjs/package.json', 'lib', 'tsconfig.json', 'package.json')) {
    console.error('setup: compiling TypeScript');
    run('npm', ['run', '--silent', 'build:ts'], { stdio: ['ignore', 2, 2] });
  }
}

installPackages();
installModules();
if (flags.has('--build')) build();
