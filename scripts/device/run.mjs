// What run.sh of the device bundle does, see README.md here. Every part runs, whatever becomes of the others.
//
//   node scripts/device/run.mjs [--quick]     results go to $OUT
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { summarise } from './summary.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const out = path.resolve(process.env.OUT ?? path.join(root, 'results'));
const quick = process.argv.includes('--quick');
mkdirSync(out, { recursive: true });
const inRoot = (...parts) => path.join(root, ...parts);
const inOut = (name) => path.join(out, name);

const totals = { passed: 0, failed: 0, skipped: 0 };
function add({ passed = 0, failed = 0, skipped = 0 }) {
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
}

function run(title, command, args, env = {}) {
  console.log(`\n== ${title}`);
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  return { isThere: error === undefined, ended: status === null ? signal : status };
}

/** The report that a part wrote; where it wrote none, the part has failed as a whole. */
function reportOf(title, file, { ended }) {
  if (existsSync(file)) {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    add(report);
    // A crash after the report must not pass for success.
    if (ended !== 0 && !(report.failed > 0)) add({ failed: 1 });
    return report;
  }
  console.log(`FAILED: ${title} ended with ${ended} and no report`);
  add({ failed: 1 });
  return undefined;
}

async function conformance() {
  const title = 'conformance with the Float64 reference';
  // The instruction set in use, and all that is said about devices.
  const { devices } = await import('engram');
  const { instructionSet } = devices().find(({ id }) => id === 'cpu');
  const file = inOut('conformance.json');
  const mocha = [inRoot('node_modules/mocha/bin/mocha.js'), '--no-config', '--expose-gc', '--timeout', '600000'];
  const chosen = ['--grep', `cpu, ${instructionSet}|cuda`, '--reporter', inRoot('scripts/mocha-reporter.cjs')];
  const tests = [inRoot('test/conformance/conformance.test.js')];
  return reportOf(title, file, run(title, process.execPath, [...mocha, ...chosen, ...tests], { ENGRAM_MOCHA_REPORT: file }));
}

function runner() {
  const title = 'the native runner';
  const options = ['--out', out, ...(quick ? ['--tiny'] : [])];
  return reportOf(title, inOut('device-test.json'), run(title, inRoot('bin/engram-device-test'), options));
}

function calls() {
  const title = 'calls of the library';
  const options = ['--out', inOut('calls.json'), ...(quick ? ['--quick'] : [])];
  return reportOf(title, inOut('calls.json'), run(title, process.execPath, [inRoot('scripts/device/calls.mjs'), ...options]));
}

function peers() {
  const title = 'PyTorch';
  const file = inOut('peers.json');
  const script = inRoot('scripts/bench/peers_device.py');
  const { isThere, ended } = run(title, 'python3', [script, '--out', file, ...(quick ? ['--tiny'] : [])]);
  if (isThere && ended === 0) return JSON.parse(readFileSync(file, 'utf8'));
  const skipped = isThere ? `python3 ended with ${ended}` : 'there is no python3';
  console.log(`SKIPPED: PyTorch peers: ${skipped}`);
  return { skipped };
}

const reports = { conformance: await conformance(), runner: runner(), calls: calls(), peers: peers() };
if (reports.peers.skipped) add({ skipped: 1 });
const line = `${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`;
writeFileSync(inOut('summary.md'), summarise(reports, line));
writeFileSync(inOut('summary.json'), JSON.stringify({ ...totals, ...reports }, null, 1));
console.log(`\nResults: ${out}\n${line}`);
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
