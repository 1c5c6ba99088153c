// Which folders under node_modules packages need to run, and how large a bundle may be.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const MOST_BUNDLE_BYTES = 60_000_000;

/** Where Node would find the package from a folder. */
function folderOf(name, from) {
  for (let at = from; ; at = path.dirname(at)) {
    const folder = path.join(at, 'node_modules', name);
    if (existsSync(path.join(folder, 'package.json'))) return folder;
    if (at === '.' || at === path.dirname(at)) return undefined;
  }
}

/** The folders of these packages and of all that they depend on, relative to the root. */
export function packagesWith(names) {
  const folders = new Set();
  const visit = (name, from, isOptional) => {
    const folder = folderOf(name, from);
    if (folder === undefined) {
      if (isOptional) return;
      throw new Error(`${name}, which ${from} needs, is not installed`);
    }
    if (folders.has(folder)) return;
    folders.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    for (const dependency of Object.keys(dependencies)) visit(dependency, folder, dependency in optionalDependencies);
  };
  for (const name of names) visit(name, '.', false);
  // A nested folder comes with the one around it.
  return [...folders].filter((folder) => ![...folders].some((other) => folder.startsWith(`${other}${path.sep}`)));
}
