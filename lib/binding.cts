/** Loads the native addon. CommonJS in both builds: it needs `require`. */
import path from 'node:path';
import type { NativeBinding } from './native.js';
import { packageRoot } from './package.cjs';

function load(root: string): NativeBinding {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- it finds files relative to a folder
  const nodeGypBuild = require('node-gyp-build') as (root: string) => NativeBinding;
  try {
    return nodeGypBuild(root);
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`;
    const message =
      `engram: the native addon could not be loaded (Node ${process.version}, ${platform}).\n` +
      `Looked for a local build in ${path.join(root, 'build', 'Release')} and for a prebuilt one in ` +
      `${path.join(root, 'prebuilds', platform)}.\n` +
      `To build it from source (a C++20 compiler, CMake and Ninja are needed): cd ${root} && npm run build:native\n` +
      `${(cause as Error).message}`;
    throw Object.assign(new Error(message, { cause }), { code: 'ERR_ENGRAM_BINDING' });
  }
}

export const binding: NativeBinding = load(packageRoot);
