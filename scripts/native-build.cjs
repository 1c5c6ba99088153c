#!/usr/bin/env node
// Builds the addon into build/Release with CMake, and beside it, where nvcc is, the CUDA plugin: what binding.gyp,
// `npm run build:native` and prebuildify (through its --node-gyp override, whose arguments are ignored) all reach.
// The variable ENGRAM_CUDA may ask for the plugin (ON) or forbid it (OFF).
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const env = { ...process.env };
// A make that calls us (gyp's) must not hand its job server and flags to ninja or make below.
for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL']) delete env[name];

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  if (status === 0) return;
  console.error(
    `engram: ${error === undefined ? 'the build failed, see above' : `'${command}' cannot be run: ${error.message}`}. ` +
      'Building from source needs\na C++20 compiler, CMake 3.24, Ninja, and the headers of Highway and xxHash. ' +
      'On Debian or Ubuntu:\n  sudo apt-get install g++ cmake ninja-build libhwy-dev libxxhash-dev',
  );
  process.exit(status ?? 1);
}

const headers = [
  require('node-api-headers').include_dir,
  path.dirname(require.resolve('node-addon-api/package.json')),
].join(';');
const tree = path.join(root, 'build', 'cmake-Release');
const products = path.join(root, 'build', 'Release');
run('cmake', [
  '-S', root, '-B', tree, '-G', 'Ninja',
  '-DCMAKE_BUILD_TYPE=Release',
  `-DCMAKE_JS_INC=${headers}`,
  `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${products}`,
  '-DENGRAM_TESTS=OFF',
  `-DENGRAM_CUDA=${process.env.ENGRAM_CUDA ?? 'AUTO'}`,
]);
// A plugin of an earlier build, with nvcc, is not to be found beside an addon of this one; ninja makes it anew.
if (process.env.ENGRAM_CUDA === 'OFF') fs.rmSync(path.join(products, 'libengram_cuda.so'), { force: true });
run('cmake', ['--build', tree]);
