/** What a user is told when the addon is not there. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { scratchFolder } from '../support/files.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Outcome {
  code: string;
  message: string;
  cause: string;
}

describe('the loader', () => {
  const folder = scratchFolder();

  /** Imports the package from a folder that has everything but the addon (or, with `addon`, that file for one). */
  async function importFailure(name: string, entry: string, addon?: string): Promise<Outcome> {
    const home = path.join(folder, name);
    mkdirSync(path.join(home, 'build', 'Release'), { recursive: true });
    cpSync(path.join(root, 'dist'), path.join(home, 'dist'), { recursive: true });
    cpSync(path.join(root, 'package.json'), path.join(home, 'package.json'));
    symlinkSync(path.join(root, 'node_modules'), path.join(home, 'node_modules'));
    if (addon !== undefined) writeFileSync(path.join(home, 'build', 'Release', 'engram.node'), addon);
    const script =
      `import(${JSON.stringify(path.join(home, entry))}).catch(({ code, message, cause }) => ` +
      'process.stdout.write(JSON.stringify({ code, message, cause: String(cause) })))';
    // As a user's program: without the loader of the tests.
    const env = { ...process.env, NODE_OPTIONS: '' };
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: folder, env });
    return JSON.parse(stdout) as Outcome;
  }

  for (const entry of ['dist/esm/index.js', 'dist/cjs/index.js']) {
    it(`says where it looked and how to build from source (${entry})`, async () => {
      const { code, message, cause } = await importFailure(entry.replaceAll('/', '-'), entry);
      expect(code).to.equal('ERR_ENGRAM_BINDING');
      expect(message).to.include(path.join('prebuilds', `${process.platform}-${process.arch}`));
      expect(message).to.include('node scripts/native-build.cjs').and.include(process.version);
      expect(cause).to.include('No native build was found');
    });
  }

  it('passes on why an addon that is there cannot be loaded', async () => {
    const { code, message } = await importFailure('broken', 'dist/esm/index.js', 'not a library');
    expect(code).to.equal('ERR_ENGRAM_BINDING');
    expect(message).to.include('engram.node');
  });
});
