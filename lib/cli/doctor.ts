/** `engram doctor`: what this machine offers, what engram uses of it, and why something is missing. */
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import type { DeviceInfo } from '../index.js';
import { packageRoot, version } from '../package.cjs';
import { type CommonOptions, type Context, defineAction, loadLibrary } from './command.js';
import { Failure } from './failure.js';
import { formatBytes, formatFacts } from './format.js';

/** What the command reads and writes, in words. */
const FILE_FORMATS = {
  memories: 'safetensors (read, mapped, written); .npy matrices (read, mapped)',
  imports: 'idx, idx.gz, csv, npy (versions 1 to 3), safetensors; for measures also png',
  results: 'npy, json; of measures also safetensors, svg',
};

/** The report; also what `--json` prints. */
interface Diagnosis {
  versions: { engram: string; node: string; nodeApi: string; os: string; libc: string };
  cpu: { model: string; cores: number; usable: number; memoryBytes: number };
  addon: { path: string | undefined; loaded: boolean; problem?: string };
  devices: DeviceInfo[];
  fileFormats: typeof FILE_FORMATS;
}

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('Report CPU, instruction set, threads, devices, file formats and versions.');
  defineAction<CommonOptions>(command, async (context: Context) => {
    const diagnosis = await diagnose();
    context.print(diagnosis, () => formatDiagnosis(diagnosis));
    if (!diagnosis.addon.loaded) throw new Failure('the native addon could not be loaded; the report says why');
  });
}

async function diagnose(): Promise<Diagnosis> {
  const cpus = os.cpus();
  return {
    versions: {
      engram: version,
      node: process.versions.node,
      nodeApi: process.versions.napi ?? 'unknown',
      os: `${os.type()} ${os.release()} ${process.arch}`,
      libc: libcVersion(),
    },
    cpu: {
      model: cpus[0]?.model ?? 'unknown',
      cores: cpus.length,
      usable: os.availableParallelism(),
      memoryBytes: os.totalmem(),
    },
    ...(await loadAddon()),
    fileFormats: FILE_FORMATS,
  };
}

/** An addon that cannot be loaded is what the doctor is there to explain. */
async function loadAddon(): Promise<Pick<Diagnosis, 'addon' | 'devices'>> {
  const file = addonPath();
  try {
    const { devices } = await loadLibrary();
    return { addon: { path: file, loaded: true }, devices: devices() };
  } catch (error) {
    return { addon: { path: file, loaded: false, problem: (error as Error).message.trim() }, devices: [] };
  }
}

/** The file that is loaded: a local build, else the prebuilt one. */
function addonPath(): string | undefined {
  const require = createRequire(path.join(packageRoot, 'package.json'));
  const nodeGypBuild = require('node-gyp-build') as { path: (root: string) => string };
  try {
    return nodeGypBuild.path(packageRoot);
  } catch {
    return undefined;
  }
}

function libcVersion(): string {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined ? 'not glibc' : `glibc ${header.glibcVersionRuntime}`;
}

function formatDiagnosis({ versions, cpu, addon, devices, fileFormats }: Diagnosis): string {
  return formatFacts([
    ['engram', versions.engram],
    ['node', `${versions.node}, Node-API ${versions.nodeApi}`],
    ['system', `${versions.os}, ${versions.libc}`],
    ['cpu', `${cpu.model}, ${cpu.cores} logical cores (${cpu.usable} usable), ${formatBytes(cpu.memoryBytes)} memory`],
    ['addon', addon.loaded ? String(addon.path) : `NOT LOADED: ${addon.problem}`],
    ...devices.map((device): [string, string] => [`device ${device.id}`, formatDevice(device)]),
    ['memories', fileFormats.memories],
    ['imports', fileFormats.imports],
    ['results', fileFormats.results],
  ]);
}

function formatDevice(device: DeviceInfo): string {
  if (!device.available) return `${device.name}: not available, ${device.reason ?? 'no reason known'}`;
  return [
    device.name,
    ...(device.instructionSet === undefined ? [] : [`instruction set ${device.instructionSet}`]),
    ...(device.threads === undefined ? [] : [`${device.threads} threads`]),
    formatBytes(device.memoryBytes),
  ].join(', ');
}
