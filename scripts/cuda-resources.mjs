// What the kernels take of a multiprocessor, as the compiler reports it: a Markdown table of registers and spills for
// each kernel and target. Fails where a kernel spills registers to memory, or the compiler runs products of warpgroups
// one after the other (C75xx).
//
//   node scripts/cuda-resources.mjs [file.cu ...]
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const TARGETS = ['80', '90a', '100'];
const root = path.join(import.meta.dirname, '..');
const folder = path.join(root, 'native', 'cuda');
const run = promisify(execFile);
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/local/cuda/bin` };

/** The kernels of one file for one target: name, registers, bytes spilled. */
async function kernelsOf(file, target) {
  const { stderr } = await run(
    'nvcc',
    ['-std=c++20', '-O3', `-I${path.join(root, 'native')}`, '-Xptxas', '-v', '-cubin', '-o', '/dev/null',
      '-gencode', `arch=compute_${target},code=sm_${target}`, file],
    { env: environment, maxBuffer: 1 << 26 },
  );
  const warning = /C75\d\d.*/.exec(stderr);
  if (warning) throw new Error(`${file}, sm_${target}: ${warning[0]}`);
  const kernels = [];
  for (const part of stderr.split('Compiling entry function ').slice(1)) {
    const mangled = /^'([^']+)'/.exec(part)[1];
    const [, stores, loads] = /(\d+) bytes spill stores, (\d+) bytes spill loads/.exec(part);
    const [, registers] = /Used (\d+) registers/.exec(part);
    kernels.push({ mangled, registers: Number(registers), spilled: Number(stores) + Number(loads) });
  }
  return kernels;
}

/** The kernel's own name: without namespaces, template parameters and arguments. */
function shortName(mangled) {
  const name = execFileSync('c++filt', [mangled], { encoding: 'utf8' }).trim();
  return /::([a-z_0-9]+_kernel)\b/.exec(name)?.[1] ?? name;
}

const files = process.argv.slice(2);
const sources = files.length > 0 ? files : readdirSync(folder).filter((name) => name.endsWith('.cu')).map((name) => path.join(folder, name));
/** Kernel name -> target -> instances. */
const table = new Map();
for (const source of sources) {
  for (const target of TARGETS) {
    for (const kernel of await kernelsOf(source, target)) {
      const name = shortName(kernel.mangled);
      const row = table.get(name) ?? {};
      (row[target] ??= []).push(kernel);
      table.set(name, row);
    }
  }
}

const most = (instances) => Math.max(...instances.map(({ registers }) => registers));
const least = (instances) => Math.min(...instances.map(({ registers }) => registers));
const range = (instances) => (instances ? [...new Set([least(instances), most(instances)])].join('-') : '');
let spilled = 0;
console.log(`| kernel | instances | ${TARGETS.map((target) => `registers, sm_${target}`).join(' | ')} | bytes spilled |`);
console.log(`| --- | --- | ${TARGETS.map(() => '---').join(' | ')} | --- |`);
for (const [name, row] of [...table].sort(([a], [b]) => a.localeCompare(b))) {
  const spills = Object.values(row).flat().reduce((sum, kernel) => sum + kernel.spilled, 0);
  spilled += spills;
  console.log(`| \`${name}\` | ${row[TARGETS[0]]?.length ?? 0} | ${TARGETS.map((target) => range(row[target])).join(' | ')} | ${spills} |`);
}
if (spilled > 0) {
  console.error(`kernels spill ${spilled} bytes`);
  process.exitCode = 1;
}
