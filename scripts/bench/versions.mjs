// Versions of the peers that npm installed.
//
// @ts-check
import { readFileSync } from 'node:fs';

/** @returns {{ peers: Record<string, string> }} */
export function installedVersions() {
  /** @type {Record<string, string>} */
  const peers = {};
  for (const name of ['onnxruntime-node', 'usearch']) {
    try {
      const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
      peers[name] = JSON.parse(readFileSync(file, 'utf8')).version;
    } catch {
      peers[name] = 'not installed';
    }
  }
  return { peers };
}
