// States which glibc and libstdc++ built binaries need and how large the plugin is; fails beyond the limits.
//
//   node scripts/check-artifact.mjs <file or folder>...     of a folder: the .node and .so files in it
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

/** What the prebuilt Linux binaries may need at most: what Node 20 itself needs, as on RHEL 8. */
const FLOOR = { GLIBC: '2.28', GLIBCXX: '3.4.25' };
/** Bytes that a file may have at most. */
const LARGEST = { 'libengram_cuda.so': 8_000_000 };

const compare = (a, b) => {
  const [x, y] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(x.length, y.length); ++i) {
    if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) - (y[i] ?? 0);
  }
  return 0;
};

function tell(line, isGood, otherwise) {
  console.log(`${line}: ${isGood ? 'ok' : otherwise}`);
  if (!isGood) process.exitCode = 1;
}

/** The highest version of a library that a binary asks for, and a symbol that does. */
function highestOf(library, symbols) {
  let highest = '0';
  let culprit = 'nothing';
  for (const [, version, name] of symbols.matchAll(new RegExp(`\\(?${library}_([0-9.]+)\\)?\\s+(\\S+)`, 'g'))) {
    if (compare(version, highest) <= 0) continue;
    highest = version;
    culprit = name;
  }
  return { highest, culprit };
}

function checkFile(file) {
  const name = path.basename(file);
  const symbols = execFileSync('objdump', ['-T', file], { encoding: 'utf8', maxBuffer: 1 << 26 });
  for (const [library, floor] of Object.entries(FLOOR)) {
    const { highest, culprit } = highestOf(library, symbols);
    tell(`${name}: ${library} ${highest} (${culprit}); floor ${floor}`, compare(highest, floor) <= 0, 'ABOVE THE FLOOR');
  }
  const most = LARGEST[name];
  if (most === undefined) return;
  const { size } = statSync(file);
  tell(`${name}: ${size} bytes; at most ${most}`, size <= most, 'TOO LARGE');
}

const files = process.argv.slice(2).flatMap((target) =>
  statSync(target).isDirectory()
    ? readdirSync(target).filter((name) => /\.(node|so)$/.test(name)).map((name) => path.join(target, name))
    : [target],
);
if (files.length === 0) {
  console.error('usage: node scripts/check-artifact.mjs <file or folder>...');
  process.exit(2);
}
files.forEach(checkFile);
