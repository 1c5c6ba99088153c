/** The main job: tens of thousands of real images recalled from damaged cues, and documents from a document. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../cli/command.js';
import { writeWhole } from '../cli/files.js';
import { formatBytes, formatCount, formatNumber, formatSeconds, formatTable, wrap } from '../cli/format.js';
import { oneHot } from '../cli/readers/labels.js';
import { DenseMemory, EngramError, type Similarity, softmax } from '../index.js';
import { drawContactSheet, type SheetRow } from './contact-sheet.js';
import { type Cues, type Labelled, noisyCues, occludedCues, unseenCues } from './cues.js';
import { findNeighbours, type Neighbours } from './embeddings.js';
import { classifyUnseen, HALF_A_GREY_LEVEL, type Outcome, recallStored, timeSingleQuery } from './evaluate.js';
import { EXPLANATION, sheetLegend, SOFT_RETRIEVAL } from './explanation.js';
import { dataFolder, IMAGE_SIDE, openImages } from './fashion-mnist.js';
import { Random } from './random.js';
import { renderReport } from './report.js';
import { type Limits, measureLimits, type Speed, speedOf } from './speed.js';
import {
  type ConditionResult,
  neighbourTable,
  recallTable,
  type Sharpness,
  sharpnessTable,
  speedTable,
  type Table,
} from './tables.js';

const SIMILARITIES: readonly Similarity[] = ['euclidean', 'cosine', 'dot'];
const SHEET_COLUMNS = 16;
const NEIGHBOURS = 6;

export interface DemoOptions {
  /** Folder for what the demo writes. */
  readonly output: string;
  /** Cues of each condition, as far as there are so many. */
  readonly cues?: number;
  readonly fast?: boolean;
  readonly seed: number;
  /** Folder of the Fashion-MNIST files. */
  readonly data?: string;
}

/** All that the demo found out. */
export interface DemoResult {
  readonly setting: string;
  readonly similarities: readonly Similarity[];
  readonly sharpness: readonly Sharpness[];
  readonly conditions: readonly ConditionResult[];
  readonly limits: Limits;
  readonly limitsText: string;
  readonly speeds: readonly Speed[];
  readonly memoryText: string;
  readonly neighbours: Neighbours | undefined;
}

/** A memory of images whose values are their classes, and cues for it. */
interface Exhibit {
  readonly memory: DenseMemory;
  readonly conditions: readonly Cues[];
}

/** Runs everything, tells what it finds, and writes the contact sheet and the report. */
export async function runDemo(context: Context, options: DemoOptions): Promise<void> {
  const start = performance.now();
  const folder = dataFolder(options.data);
  const limits = await measureLimits();
  const { memory, conditions } = await prepare(context, folder, options);
  try {
    const setting = describe(memory, conditions);
    sayText(context, setting);
    const sharpness = await calibrateAll(context, memory);
    sayTable(context, 'How sharp is the memory? (beta by calibration, from the stored images alone)', sharpnessTable(sharpness));
    const { results, speeds } = await askAll(context, { memory, conditions }, sharpness, limits);
    const result: DemoResult = {
      setting,
      similarities: SIMILARITIES,
      sharpness,
      conditions: results,
      limits,
      limitsText: describeLimits(limits),
      speeds,
      memoryText: describeMemory(memory),
      neighbours: await findNeighbours(new Random(options.seed), NEIGHBOURS, context),
    };
    const files = await writeFiles(options.output, conditions, result);
    finish(context, result, files, (performance.now() - start) / 1000);
  } finally {
    memory.dispose();
  }
}

/** Stores the training images and makes the cues. */
async function prepare(context: Context, folder: string, options: DemoOptions): Promise<Exhibit> {
  const start = performance.now();
  const train = await openImages(folder, 'train');
  const test = await openImages(folder, 't10k');
  const memory = DenseMemory.allocate(train.count, train.dim, {
    valueDim: train.labels.classes.length,
    name: 'Fashion-MNIST',
  });
  await train.fill(memory.patterns);
  memory.values.set(oneHot(train.labels));
  context.say(`Stored ${formatCount(memory.count)} images in ${formatSeconds((performance.now() - start) / 1000)}.`);

  const unseen = new Float32Array(test.count * test.dim);
  await test.fill(unseen);
  const random = new Random(options.seed);
  const stored: Labelled = { images: memory.patterns, labels: train.labels.rows, dim: train.dim };
  const items = random.sample(Math.min(options.cues ?? (options.fast ? 250 : 4000), 10_000), train.count);
  const count = Math.min(options.cues ?? (options.fast ? 1000 : test.count), test.count);
  const conditions = [
    occludedCues(stored, items),
    noisyCues(stored, items, random),
    unseenCues({ images: unseen, labels: test.labels.rows, dim: test.dim }, count),
  ];
  return { memory, conditions };
}

/** A beta for each similarity, as sharp as it takes to bring stored images back to half a grey level. */
async function calibrateAll(context: Context, memory: DenseMemory): Promise<Sharpness[]> {
  const { signal } = context;
  const sharpness: Sharpness[] = [];
  for (const similarity of SIMILARITIES) {
    const calibration = await context
      .withProgress(`Calibrating (${similarity})`, (onProgress) =>
        memory.calibrate({ similarity, recall: 1 - HALF_A_GREY_LEVEL, signal, onProgress }),
      )
      .catch(orUndefined('ERR_ENGRAM_RANGE'));
    sharpness.push({ similarity, calibration });
  }
  return sharpness;
}

function orUndefined(code: string): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof EngramError && error.code === code) return undefined;
    throw error;
  };
}

interface Answers {
  readonly results: readonly ConditionResult[];
  readonly speeds: readonly Speed[];
}

/** Asks for every set of cues under every similarity. */
async function askAll(
  context: Context,
  { memory, conditions }: Exhibit,
  sharpness: readonly Sharpness[],
  limits: Limits,
): Promise<Answers> {
  const { signal } = context;
  const results = conditions.map(({ title }) => ({ title, outcomes: [] as Outcome[] }));
  const speeds: Speed[] = [];
  for (const { similarity, calibration } of sharpness) {
    const separation = calibration && softmax({ beta: calibration.beta });
    const question = { similarity, separation, signal };
    let stored: Outcome | undefined;
    for (const [at, cues] of conditions.entries()) {
      const outcome = await context.withProgress(`${cues.title} (${similarity})`, (onProgress) => {
        const asked = { ...question, onProgress };
        return cues.truth === undefined
          ? classifyUnseen(memory, cues, asked, SHEET_COLUMNS)
          : recallStored(memory, cues, cues.truth, asked, SHEET_COLUMNS);
      });
      results[at]?.outcomes.push(outcome);
      if (cues.truth !== undefined) stored = outcome;
    }
    const [cues] = conditions;
    if (stored === undefined || cues === undefined) continue;
    speeds.push(speedOf(stored, await timeSingleQuery(memory, cues, question), memory, limits));
  }
  return { results, speeds };
}

function describe(memory: DenseMemory, conditions: readonly Cues[]): string {
  const cues = conditions.map(({ title, count }) => `${formatCount(count)} ${title}`).join('; ');
  return (
    `The memory holds ${formatCount(memory.count)} training images of Fashion-MNIST (${memory.dim} pixels each), ` +
    `with their ${memory.valueDim} classes as values. Cues: ${cues}.`
  );
}

function describeLimits({ threads, fmaGflops, readGbps }: Limits): string {
  return (
    `This machine with ${threads} threads, measured just before: ${formatNumber(fmaGflops)} GFLOP/s of multiply-adds, ` +
    `${formatNumber(readGbps)} GB/s read. Operations are counted from the definition, in batches of noisy cues; ` +
    'bytes are those of the stored images, read once by a query on its own.'
  );
}

function describeMemory(memory: DenseMemory): string {
  const { patterns, values, nativeBytes } = memory;
  return (
    `Memory held: ${formatBytes(patterns.byteLength + values.byteLength)} of images and classes, shared with ` +
    `JavaScript, and ${formatBytes(nativeBytes)} of engram's own beside them; the whole process, cues and results ` +
    `included, ${formatBytes(process.memoryUsage.rss())}.`
  );
}

/** Writes contact-sheet.png and report.html; returns their paths. */
async function writeFiles(folder: string, conditions: readonly Cues[], result: DemoResult): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const blocks = conditions.map((cues, at) => sheetBlock(cues, result.conditions[at]?.outcomes ?? []));
  const columns = Math.min(SHEET_COLUMNS, ...conditions.map(({ count }) => count));
  const sheet = drawContactSheet(blocks, columns, IMAGE_SIDE);
  const files = [path.join(folder, 'contact-sheet.png'), path.join(folder, 'report.html')] as const;
  await writeWhole(files[0], sheet);
  await writeWhole(files[1], renderReport(result, sheet));
  return [...files];
}

function sheetBlock(cues: Cues, outcomes: readonly Outcome[]): SheetRow[] {
  const truth = cues.truth === undefined ? [] : [{ images: cues.truth.images }];
  return [{ images: cues.images }, ...outcomes.map(({ shown }) => shown), ...truth];
}

function finish(context: Context, result: DemoResult, files: readonly string[], seconds: number): void {
  const { conditions, neighbours, ...rest } = result;
  const lists = conditions.map(({ title, outcomes }) => ({
    title,
    // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the images are left out
    outcomes: outcomes.map(({ shown: images, ...outcome }) => outcome),
  }));
  sayTable(context, 'What was recalled?', recallTable(conditions));
  for (const text of EXPLANATION) sayText(context, text);
  sayTable(context, 'How fast?', speedTable(result.speeds));
  sayText(context, result.limitsText);
  sayText(context, result.memoryText);
  if (neighbours === undefined) {
    context.say('Skipped the documents: @sap-ux/fiori-docs-embeddings is not installed (a development dependency).\n');
  } else {
    sayTable(context, `Nearest of ${neighbours.documents} documents to "${neighbours.title}"`, neighbourTable(neighbours));
    sayText(context, SOFT_RETRIEVAL);
  }
  context.print({ ...rest, conditions: lists, neighbours, files, seconds }, () =>
    [`Wrote ${files.join(' and ')}.`, ...sheetLegend(result.similarities), `Took ${formatSeconds(seconds)}.`].map(wrap).join('\n'),
  );
}

function sayText(context: Context, text: string): void {
  context.say(`${wrap(text)}\n`);
}

function sayTable(context: Context, title: string, { head, rows }: Table): void {
  context.say(`${title}\n\n${formatTable(head, rows)}\n`);
}
