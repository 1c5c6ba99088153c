// Runs all checks and prints, last, one line of the real totals: "N passed, N failed, N skipped". What failed is
// named where it happens, and once more before that line.
//
//   node scripts/test.mjs [--all]     --all adds the sanitizer builds and a short run of the fuzzers
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const all = process.argv.includes('--all');
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const scratch = mkdtempSync(path.join(os.tmpdir(), 'engram-tests-'));

function heading(title) {
  console.log(`\n== ${title} (after ${Math.round(performance.now() / 1000)} s)`);
}

function add({ passed = 0, failed = 0, skipped = 0 }) {
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
}

/** Counts one failure. */
function fail(what) {
  add({ failed: 1 });
  failures.push(what);
  console.log(`FAILED: ${what}`);
}

/** Counts what a test program says of its cases, and whether it ended well: a crash must not pass for success. */
function count(title, ok, { passed, failed, skipped }, names) {
  add({ passed, failed, skipped });
  for (const name of names) failures.push(`${title}: ${name}`);
  if (!ok && failed === 0) fail(`${title}: all cases passed, but the program failed`);
}

/** Runs a command; its output is shown, and returned when `capture` is set. */
function run(command, args, { capture = false, env = {} } = {}) {
  const result = spawnSync(command, args, {
    stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (capture) process.stdout.write(result.stdout ?? '');
  return { ok: result.status === 0, output: result.stdout ?? '' };
}

/** A check that passes or fails as a whole. */
function check(title, command, args, options) {
  heading(title);
  const { ok } = run(command, args, options);
  if (ok) add({ passed: 1 });
  else fail(title);
  return ok;
}

/** The tree of the addon, whose core the tests share. */
const TREE = 'build/cmake-Release';

/** Configures (the arguments of cmake) and builds the native tests in `folder`, and counts their cases. */
async function nativeTests(title, folder, configure, { target = 'all', ...how } = {}) {
  const command = `cmake ${configure} --log-level=WARNING && cmake --build ${folder} --target ${target}`;
  if (check(`${title}: build`, 'sh', ['-c', command])) await nativeCases(title, `${folder}/engram-tests`, how);
}

/** Runs a native test program and counts its cases; those of so many source files at a time. */
async function nativeCases(title, program, { filter = [], env = {}, processes = 1 } = {}) {
  heading(title);
  const all = sourceFiles(program, []).length;
  const chosen = sourceFiles(program, filter);
  const parts = processes === 1 ? [[]] : [...new Set(chosen)].map((file) => [`-sf=${file}`]);
  let ran = 0;
  const worker = async () => {
    for (let part = parts.pop(); part; part = parts.pop()) {
      const result = await output(program, [...filter, ...part], env);
      ran += countCases(title, result); // not before the wait: others add to it meanwhile
    }
  };
  await Promise.all(Array.from({ length: processes }, worker));
  if (ran === 0 || ran !== chosen.length) fail(`${title}: ${ran} of ${chosen.length} cases came to an end`);
  add({ skipped: all - chosen.length });
}

/** The source file of each case. */
function sourceFiles(program, filter) {
  const { stdout } = spawnSync(program, ['--list-test-cases', '--reporters=xml', ...filter], { encoding: 'utf8' });
  return Array.from((stdout ?? '').matchAll(/<TestCase .*filename="([^"]+)"/g), ([, file]) => file);
}

/** Runs a program beside others; what it printed is shown at its end. */
function output(program, args, env) {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 1 << 28 };
    execFile(program, args, options, (error, stdout, stderr) => {
      process.stdout.write(stdout + stderr);
      resolve({ ok: error === null, output: stdout });
    });
  });
}

/** Counts the cases of a doctest program and returns how many; none where it ended without a summary. */
function countCases(title, { ok, output }) {
  const summary = /test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed/.exec(output);
  if (!summary) return 0;
  const [, , passed, failed] = summary.map(Number);
  count(title, ok, { passed, failed }, failedCases(output));
  return passed + failed;
}

/** The names of the cases that doctest printed an error of: it says the name, then what went wrong. */
function failedCases(output) {
  const parts = output.split(/^TEST CASE: +/m).slice(1);
  return parts.filter((part) => part.includes('ERROR:')).map((part) => part.slice(0, part.indexOf('\n')));
}

/** Runs the device runner in shapes that a simulated device folds in no time; its last line has the totals. */
function deviceRunner(title, program) {
  heading(title);
  const { ok, output } = run(program, ['--tiny'], { capture: true });
  const summary = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(output);
  if (!summary) return fail(`${title}: it ended without its totals`);
  const [, passed, failed, skipped] = summary.map(Number);
  const names = new Set(Array.from(output.matchAll(/^FAILED: (.*)$/gm), ([, name]) => name));
  count(title, ok, { passed, failed, skipped }, names);
}

/** Runs mocha and counts its tests from the report file of its own JSON reporter. */
function libraryTests(title, options = [], env = {}) {
  heading(title);
  const report = path.join(scratch, `${title}.json`);
  const { ok } = run('npx', ['--no-install', 'mocha', ...options, '--reporter', './scripts/mocha-reporter.cjs'], {
    env: { ...env, ENGRAM_MOCHA_REPORT: report },
  });
  try {
    const { names, ...cases } = JSON.parse(readFileSync(report, 'utf8'));
    count(title, ok, cases, names);
  } catch {
    fail(`${title}: mocha ended without a report`);
  }
}

/** Short runs of the fuzzers. */
function fuzz() {
  heading('fuzzers');
  const { output } = run('node', ['scripts/fuzz.mjs', '--list'], { capture: true });
  const names = output.split('\n').filter(Boolean);
  if (names.length === 0) fail('no fuzzer was found');
  for (const name of names) check(`fuzz ${name}`, 'node', ['scripts/fuzz.mjs', '--seconds=15', name]);
}

try {
  check('layers', 'node', ['scripts/check-layers.mjs']);
  check('types', 'npx', ['--no-install', 'tsc', '-p', 'tsconfig.json']);
  check('types of the experiments', 'npx', ['--no-install', 'tsc', '-p', 'scripts/experiments']);
  check('lint', 'npm', ['run', '--silent', 'lint']);
  await nativeTests('native tests', TREE, `-S . -B ${TREE} -DENGRAM_TESTS=ON`);
  libraryTests('library tests');
  // The CUDA backend, whose kernels run on the host here.
  await nativeCases('native tests on a simulated device', `${TREE}/engram-cuda-tests`);
  deviceRunner('device runner on a simulated device', `${TREE}/engram-device-test-simulated`);
  libraryTests('library tests on a simulated device', ['--config', 'test/cuda/.mocharc.json'], {
    ENGRAM_CUDA_PLUGIN: path.resolve(TREE, 'test/cuda/libengram_cuda_simulated.so'),
  });
  if (all) {
    check('clang, for ASan and the fuzzers', 'node', ['scripts/setup.mjs', '--fuzz']);
    const processes = os.availableParallelism();
    const env = { UBSAN_OPTIONS: 'print_stacktrace=1', ASAN_OPTIONS: 'detect_stack_use_after_return=0' };
    // A process that exits while slices run abandons their memory on purpose; the leak check objects.
    await nativeTests('native tests under ASan and UBSan', 'build/asan', '--preset asan', {
      target: 'engram-tests',
      filter: ['-tce=*process may exit*'],
      env,
      processes,
    });
    // The parts with threads. TSan's runtime refuses threads in a forked child, which some of the cases left out
    // start, and leaves no TiB of addresses for certain; the other cases and files compute for minutes with the
    // threads that every case has.
    await nativeTests('native tests under TSan', 'build/tsan', '--preset tsan', {
      target: 'engram-tests',
      filter: [
        '-sfe=*test/engine/*,*test/kernels/*,*eigenpairs_test*,*outlier_test*,*unmixing_test*',
        '-tce=*fork*,*process may exit*,*no thread can be started*,*larger than memory*,attacker:*,cooperative:*,drift:*,novelty:*,*the cut about as often*',
      ],
      processes,
    });
    fuzz();
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
console.log(`\n== the end (after ${Math.round(performance.now() / 1000)} s)`);
for (const what of failures) console.log(`FAILED: ${what}`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
