// States which glibc and libstdc++ a built addon needs, and fails above the stated floor.
//
//   node scripts/check-artifact.mjs <file.node>
import { execFileSync } from 'node:child_process';

/** What the prebuilt Linux binaries may need at most: what Node 20 itself needs, as on RHEL 8. */
const FLOOR = { GLIBC: '2.28', GLIBCXX: '3.4.25' };

const compare = (a, b) => {
  const [x, y] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(x.length, y.length); ++i) {
    if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) - (y[i] ?? 0);
  }
  return 0;
};

const file = process.argv[2];
if (file === undefined) {
  console.error('usage: node scripts/check-artifact.mjs <file.node>');
  process.exit(2);
}
const symbols = execFileSync('objdump', ['-T', file], { encoding: 'utf8', maxBuffer: 1 << 26 });
for (const [library, floor] of Object.entries(FLOOR)) {
  let highest = '0';
  let culprit = '';
  for (const [, version, name] of symbols.matchAll(new RegExp(`\\(?${library}_([0-9.]+)\\)?\\s+(\\S+)`, 'g'))) {
    if (compare(version, highest) <= 0) continue;
    highest = version;
    culprit = name;
  }
  const verdict = compare(highest, floor) <= 0 ? 'ok' : 'ABOVE THE FLOOR';
  console.log(`${library} ${highest} (${culprit}); floor ${floor}: ${verdict}`);
  if (verdict !== 'ok') process.exitCode = 1;
}
