/** The layer check finds each kind of broken rule, and this repository breaks none. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';

const SCRIPT = path.resolve('scripts/check-layers.mjs');

/** Runs the check on a made-up tree that holds one file. */
function checkTree(file: string, text: string): { status: number | null; output: string } {
  const root = mkdtempSync(path.join(os.tmpdir(), 'engram-layers-'));
  try {
    for (const folder of ['native', 'lib', path.dirname(file)]) mkdirSync(path.join(root, folder), { recursive: true });
    writeFileSync(path.join(root, file), text);
    const { status, stdout, stderr } = spawnSync('node', [SCRIPT, root], { encoding: 'utf8' });
    return { status, output: stdout + stderr };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

describe('the layer check', () => {
  it('finds this repository clean', () => {
    expect(spawnSync('node', [SCRIPT, '.']).status).to.equal(0);
  });

  const broken: [string, string, string][] = [
    ['native/base/x.h', '#include "runtime/pool.h"', 'base may not include runtime'],
    ['native/dense/x.cc', '#include "kernels/dispatch.h"', 'dense may not include kernels'],
    ['native/engine/x.cc', '#include "dense/memory.h"', 'engine may not include dense'],
    ['native/engine/x.cc', '#include <hwy/highway.h>', 'SIMD header'],
    ['native/dense/x.cc', '#include <node_api.h>', 'Node header'],
    ['native/engine/x.cc', '#include <cuda_runtime.h>', 'CUDA header'],
    ['native/base/x.cc', '#include "support/reference.h"', 'includes a test'],
    ['native/transport/x.cc', '#include "dense/memory.h"', 'transport may not include dense'],
    ['native/base/x.inc', '#include "runtime/pool.h"', 'base may not include runtime'],
    ['native/dense/x.cc', '#include "../kernels/dispatch.h"', 'without . or ..'],
    ['native/dense/x.cc', '#include "./../kernels/dispatch.h"', 'without . or ..'],
    ['native/dense/x.cc', '#include "engine/../kernels/dispatch.h"', 'without . or ..'],
    ['native/dense/x.cc', '#include "/native/kernels/dispatch.h"', 'without . or ..'],
    ['native/dense/x.cc', '#define X "kernels/dispatch.h"\n#include X', 'without macros'],
    ['native/dense/x.cc', '#include /**/ "kernels/dispatch.h"', 'without macros'],
    ['native/dense/x.cc', '#include_next "kernels/dispatch.h"', 'dense may not include kernels'],
    ['native/other/x.cc', '', "unknown layer 'other'"],
    ['lib/x.ts', "import { run } from './cli/program.js';", 'may not import'],
    ['lib/x.ts', "import { y } from '../test/y.js';", 'outside lib'],
  ];
  for (const [file, text, says] of broken) {
    it(`refuses ${text.replace('\n', ' ') || file} in ${file}`, () => {
      const { status, output } = checkTree(file, text);
      expect(status).to.equal(1);
      expect(output).to.include(says);
    });
  }

  it('accepts what the layers allow', () => {
    expect(checkTree('native/engine/x.cc', '#include "kernels/dispatch.h"\n#include "base/status.h"').status).to.equal(0);
    expect(checkTree('lib/cli/x.ts', "import { y } from '../dense-memory.js';").status).to.equal(0);
  });
});
