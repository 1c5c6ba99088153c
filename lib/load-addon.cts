/** How the native addon is loaded. CommonJS in both builds: it needs `require`. */
import path from 'node:path';
import type { NativeBinding } from './native.js';
import { packageRoot } from './package.cjs';

/**
 * Where the CUDA backend lies: beside the addon, or where the variable ENGRAM_CUDA_PLUGIN says (an absolute path, for
 * those who build it on their own). It need not exist.
 */
function devicePlugin(addon: string): string {
  return process.env['ENGRAM_CUDA_PLUGIN'] ?? path.join(path.dirname(addon), 'libengram_cuda.so');
}

/** The native addon of this package. Throws `ERR_ENGRAM_BINDING`, with the remedy, where it cannot be loaded. */
export function loadAddon(): NativeBinding {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- it finds files relative to a folder
  const nodeGypBuild = require('node-gyp-build') as { (root: string): NativeBinding; path: (root: string) => string };
  try {
    const binding = nodeGypBuild(packageRoot);
    binding.setDevicePlugin(devicePlugin(nodeGypBuild.path(packageRoot)));
    return binding;
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
