/** A process that ends while jobs run ends as it was told to, without a crash. */
import { expect } from 'chai';
import { ended, start, type Ending } from '../support/child.js';

const EXIT = new URL('./children/exit-mid-job.mjs', import.meta.url);

async function run(way: string, delay: number): Promise<Ending & { output: string }> {
  const child = start(EXIT, [way, String(delay)], { execArgv: [], silent: true });
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr!.resume();
  return { ...(await ended(child)), output };
}

describe('process exit in the middle of a job', function () {
  this.timeout(60_000);

  for (const delay of [0, 1, 3, 10, 40]) {
    it(`process.exit after ${delay} ms keeps its exit code`, async () => {
      expect(await run('exit', delay)).to.include({ code: 7, signal: null });
    });
  }

  it('dispose and process.exit at once keep the exit code', async () => {
    expect(await run('dispose', 5)).to.include({ code: 7, signal: null });
  });

  it('an uncaught exception ends with status 1', async () => {
    expect(await run('throw', 5)).to.include({ code: 1, signal: null });
  });

  it('a synchronous call still works in an exit handler', async () => {
    expect(await run('sync-in-exit', 5)).to.include({ code: 7, signal: null });
  });

  it('a call under way keeps the process alive until it has settled', async () => {
    const { code, output } = await run('end', 0);
    expect(code).to.equal(0);
    expect(output).to.equal('settled\n');
  });
});
