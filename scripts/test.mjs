// Runs all checks and prints, last, one line of the real totals: "N passed, N failed, N skipped".
//
//   node scripts/test.mjs [--all]     --all adds the sanitizer builds and a short run of the fuzzers
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const all = process.argv.includes('--all');
const totals = { passed: 0, failed: 0, skipped: 0 };
const scratch = mkdtempSync(path.join(os.tmpdir(), 'engram-tests-'));

function heading(title) {
  console.log(`\n== ${title}`);
}

function add(passed, failed, skipped) {
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
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
  if (!ok) console.log(`FAILED: ${title}`);
  add(ok ? 1 : 0, ok ? 0 : 1, 0);
  return ok;
}

/** Builds the native tests in `folder` and counts their cases. */
function nativeTests(title, folder, cmakeOptions, env = {}, filter = []) {
  const configured = check(`${title}: build`, 'sh', [
    '-c',
    `cmake -S . -B ${folder} -G Ninja -DENGRAM_ADDON=OFF -DENGRAM_TESTS=ON ${cmakeOptions.join(' ')} >/dev/null && cmake --build ${folder}`,
  ]);
  if (!configured) return;
  heading(title);
  const { ok, output } = run(`${folder}/engram-tests`, filter, { capture: true, env });
  const summary = /test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped/.exec(output);
  if (!summary) {
    console.log('FAILED: the native tests ended without a summary');
    add(0, 1, 0);
    return;
  }
  const [, , passed, failed, skipped] = summary.map(Number);
  // A crash after the summary must not pass for success.
  add(passed, failed + (ok || failed > 0 ? 0 : 1), skipped);
}

/** Runs mocha and counts its tests from the report file of its own JSON reporter. */
function libraryTests() {
  heading('library tests');
  const report = path.join(scratch, 'mocha.json');
  const { ok } = run('npx', ['--no-install', 'mocha', '--reporter', './scripts/mocha-reporter.cjs'], {
    env: { ENGRAM_MOCHA_REPORT: report },
  });
  let stats;
  try {
    stats = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    console.log('FAILED: mocha ended without a report');
    add(0, 1, 0);
    return;
  }
  add(stats.passed, stats.failed + (ok || stats.failed > 0 ? 0 : 1), stats.skipped);
}

/** Short runs of the fuzzers; where their compiler cannot be had, they count as skipped. */
function fuzz() {
  heading('fuzzers');
  const { output } = run('node', ['scripts/fuzz.mjs', '--list'], { capture: true });
  const names = output.split('\n').filter(Boolean);
  if (names.length === 0) {
    console.log('FAILED: no fuzzer was found');
    add(0, 1, 0);
    return;
  }
  if (!run('node', ['scripts/setup.mjs', '--fuzz']).ok) {
    console.log(`SKIPPED: fuzz ${names.join(', ')}: clang 19 could not be installed`);
    add(0, 0, names.length);
    return;
  }
  for (const name of names) check(`fuzz ${name}`, 'node', ['scripts/fuzz.mjs', '--seconds=15', name]);
}

try {
  check('layers', 'node', ['scripts/check-layers.mjs']);
  check('types', 'npx', ['--no-install', 'tsc', '-p', 'tsconfig.json']);
  check('types of the experiments', 'npx', ['--no-install', 'tsc', '-p', 'scripts/experiments']);
  check('lint', 'npm', ['run', '--silent', 'lint']);
  nativeTests('native tests', 'build/tests', []);
  libraryTests();
  if (all) {
    // A process that exits while slices run abandons their memory on purpose; the leak check objects.
    nativeTests(
      'native tests under ASan and UBSan',
      'build/asan',
      ['-DENGRAM_SANITIZE=address'],
      { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' },
      ['-tce=*process may exit*'],
    );
    // The parts with threads. TSan's runtime refuses threads in a forked child, which the cases left out start.
    nativeTests('native tests under TSan', 'build/tsan', ['-DENGRAM_SANITIZE=thread'], {}, [
      '-sf=*test/base/*,*test/runtime/*,*test/dense/*,*test/transport/*,*test/spectral/*,*test/storage/*',
      '-tce=*fork*,*process may exit*,*no thread can be started*',
    ]);
    fuzz();
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
