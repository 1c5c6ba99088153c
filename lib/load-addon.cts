/** How the native addon is loaded. CommonJS in both builds: it needs `require`. */
import path from 'node:path';
import type { NativeBinding } from './native.js';
import { packageRoot } from './package.cjs';

/** The native addon of this package. Throws `ERR_ENGRAM_BINDING`, with the remedy, where it cannot be loaded. */
export function loadAddon(): NativeBinding {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- it finds files relative to a folder
  const nodeGypBuild = require('node-gyp-build') as (root: string) => NativeBinding;
  try {
    return nodeGypBuild(packageRoot);
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`;
    const message =
      `engram: the native addon could not be loaded (Node ${process.version}, ${platform}).\n` +
      `Looked for a local build in ${path.join(packageRoot, 'build', 'Release')} and for a prebuilt one in ` +
      `${path.join(packageRoot, 'prebuilds', platform)}.\n` +
      `To build it from source (a C++20 compiler, CMake and Ninja are needed): cd ${packageRoot} && node scripts/native-build.cjs\n` +
      (cause as Error).message;
    throw Object.assign(new Error(message, { cause }), { code: 'ERR_ENGRAM_BINDING' });
  }
}
