// Builds the fuzzers of test/fuzz (libFuzzer, ASan, UBSan) and runs each over its kept corpus.
//
//   node scripts/fuzz.mjs [--seconds=N] [name...]     default: all fuzzers, 60 s each
//   node scripts/fuzz.mjs --list                      prints their names
//
// The corpus is only read. New finds stay in build/asan/finds/<name>, inputs that crash in build/asan.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';

const BUILD = 'build/asan';

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, list: { type: 'boolean', default: false } },
  allowPositionals: true,
});

function run(command, args) {
  return spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

function build(names) {
  const targets = names.flatMap((name) => ['--target', `fuzz_${name}`]);
  return run('cmake', ['--preset', 'asan', '--log-level=WARNING']) && run('cmake', ['--build', BUILD, ...targets]);
}

function fuzz(name) {
  const finds = `${BUILD}/finds/${name}`;
  mkdirSync(finds, { recursive: true });
  return run(`${BUILD}/fuzz_${name}`, [
    `-max_total_time=${values.seconds}`,
    '-verbosity=0',
    `-artifact_prefix=${BUILD}/${name}-`,
    `-dict=test/fuzz/${name}.dict`,
    finds, // where finds go: the first folder
    `test/fuzz/corpus/${name}`,
  ]);
}

const known = readdirSync('test/fuzz').flatMap((file) => /^fuzz_(\w+)\.cc$/.exec(file)?.[1] ?? []);
if (values.list) {
  console.log(known.join('\n'));
  process.exit(0);
}
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`fuzz: no fuzzer '${unknown.join("', '")}'; there are ${known.join(', ')}`);
  process.exit(2);
}
const names = positionals.length > 0 ? positionals : known;
if (!build(names)) process.exit(1);
for (const name of names) {
  const ok = fuzz(name);
  console.log(`fuzz ${name}: ${ok ? 'nothing found' : 'FAILED'}`);
  if (!ok) process.exitCode = 1;
}
