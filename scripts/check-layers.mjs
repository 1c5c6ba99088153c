// Checks the rules that keep the layers apart (see docs/development.md):
// a native layer includes only layers before it; Node, SIMD and CUDA headers stay in the one folder that is
// for them; the library imports neither tests nor, from outside, its command line and demo.
//
//   node scripts/check-layers.mjs [root]
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** What each native layer may include besides itself. */
const ALLOWED = {
  base: [],
  runtime: ['base'],
  kernels: ['base'],
  engine: ['base', 'runtime', 'kernels'],
  storage: ['base', 'runtime'],
  dense: ['base', 'runtime', 'engine', 'storage'], // algorithms reach hardware only through the engine
  transport: ['base', 'runtime', 'engine', 'storage'],
  spectral: ['base', 'runtime', 'engine', 'storage'],
  cuda: ['base'], // a plugin: of the engine it sees the table alone
  node: ['base', 'runtime', 'kernels', 'engine', 'storage', 'dense', 'transport', 'spectral'],
};
/** Single headers of a layer that another may include all the same. */
const ALLOWED_HEADERS = { cuda: ['engine/device_table.h', 'engine/device_transport.h'] };
/** Headers that only one layer may include. */
const RESERVED = [
  { layer: 'node', what: 'Node', pattern: /^(napi\.h|node_api\.h|js_native_api\.h|node\.h|uv\.h|v8.*)$/ },
  { layer: 'kernels', what: 'SIMD', pattern: /^(hwy\/|.*intrin\.h$|arm_neon\.h$|arm_sve\.h$)/ },
  { layer: 'cuda', what: 'CUDA', pattern: /^(cuda|cub\/|thrust\/)/ },
];

function filesUnder(folder, endings = ['']) {
  const files = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) files.push(...filesUnder(file, endings));
    else if (endings.some((ending) => entry.name.endsWith(ending))) files.push(file);
  }
  return files;
}

function checkInclude(layer, header) {
  // Spelled in any other way, a header of another layer would pass unseen below.
  if (header === undefined) return 'an include names its header itself, without macros';
  if (header.split('/').some((part) => ['', '.', '..'].includes(part))) return 'paths begin below native, without . or ..';
  for (const rule of RESERVED) {
    if (rule.pattern.test(header) && layer !== rule.layer) return `${rule.what} header outside native/${rule.layer}`;
  }
  const target = header.split('/')[0];
  if (header.startsWith('test/') || header.startsWith('support/')) return 'includes a test';
  if (!(target in ALLOWED) || target === layer) return undefined;
  if ((ALLOWED_HEADERS[layer] ?? []).includes(header)) return undefined;
  if (!(ALLOWED[layer] ?? []).includes(target)) return `${layer} may not include ${target}`;
  return undefined;
}

function checkNative(root, problems) {
  const native = path.join(root, 'native');
  for (const file of filesUnder(native)) {
    const layer = path.relative(native, file).split(path.sep)[0];
    if (!(layer in ALLOWED)) problems.push(`${path.relative(root, file)}: unknown layer '${layer}'`);
    for (const [line, header] of readFileSync(file, 'utf8').matchAll(/^\s*#\s*(?:include(?:_next)?|import)\b\s*(?:[<"]([^>"]+)[>"])?.*/gm)) {
      const problem = checkInclude(layer, header);
      if (problem) problems.push(`${path.relative(root, file)}: ${line.trim()}: ${problem}`);
    }
  }
}

function checkLibrary(root, problems) {
  const lib = path.join(root, 'lib');
  for (const file of filesUnder(lib, ['.ts', '.cts', '.mts'])) {
    const folder = path.relative(lib, path.dirname(file)).split(path.sep)[0];
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/(?:from|import|require\()\s*\(?['"](\.[^'"]+)['"]/g)) {
      const target = path.relative(root, path.resolve(path.dirname(file), specifier));
      const place = target.split(path.sep);
      if (place[0] !== 'lib') problems.push(`${path.relative(root, file)}: imports ${target}, outside lib`);
      const application = ['cli', 'demo'].includes(place[1]);
      if (application && !['cli', 'demo'].includes(folder)) {
        problems.push(`${path.relative(root, file)}: the library may not import ${target}`);
      }
    }
  }
}

const root = process.argv[2] ?? '.';
const problems = [];
checkNative(root, problems);
checkLibrary(root, problems);
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? 'layers: clean' : `layers: ${problems.length} broken rules`);
process.exitCode = problems.length === 0 ? 0 : 1;
