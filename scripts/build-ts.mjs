// Compiles lib/ twice from one source: ES modules (with the command line) and CommonJS.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';

for (const [format, type] of [['esm', 'module'], ['cjs', 'commonjs']]) {
  execFileSync('npx', ['--no-install', 'tsc', '-p', `tsconfig.${format}.json`], { stdio: 'inherit' });
  mkdirSync(`dist/${format}`, { recursive: true });
  writeFileSync(`dist/${format}/package.json`, `${JSON.stringify({ type })}\n`);
}
