/** The native addon. */
import { loadAddon } from './load-addon.cjs';
import type { NativeBinding } from './native.js';

// Here and not in load-addon.cts: what a CommonJS module throws while an ES module imports it, Node 20
// reports as an uncaught exception even to callers that catch it.
export const binding: NativeBinding = loadAddon();
