/** Facts of this package. CommonJS in both builds: `__dirname` tells where the package lies. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

interface Manifest {
  name?: string;
  version: string;
}

/** Finds the package's folder: the nearest one above with a package.json that has a name. */
function findPackage(start: string): { root: string; manifest: Manifest } {
  for (let folder = start; ; folder = path.dirname(folder)) {
    const file = path.join(folder, 'package.json');
    if (existsSync(file)) {
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
      if (manifest.name !== undefined) return { root: folder, manifest };
    }
    if (folder === path.dirname(folder)) throw new Error(`engram: no package.json above ${start}`);
  }
}

const { root, manifest } = findPackage(__dirname);

/** The folder of the package. */
export const packageRoot: string = root;
/** The package's version. */
export const version: string = manifest.version;
