/** What the addon exports, see native/node. Arguments have been checked by lib/ before they come here. */
import type { EngramErrorCode } from './errors.js';

/** Ends an asynchronous call: an error, or undefined and the results. */
export type NativeSettle = (error: Error | undefined, ...results: never[]) => void;
export type NativeProgress = (done: number, total: number) => void;
/** The end of every asynchronous call's arguments. */
export type NativeCall = [
  maxThreads: number,
  interactive: boolean,
  settle: NativeSettle,
  progress: NativeProgress | undefined,
];

export type NativeRetrieve = [
  queries: Float32Array,
  patterns: Float32Array,
  values: Float32Array | undefined,
  energy: Float32Array | undefined,
  steps: Uint32Array,
  converged: Uint8Array,
  ...separation: NativeSeparation,
];
export type NativeSeparation = [beta: number, similarity: number, steps: number, tolerance: number];
export type NativeSearch = [
  queries: Float32Array,
  indices: Uint32Array,
  scores: Float32Array,
  similarity: number,
  k: number,
];
export type NativeEnergy = [queries: Float32Array, energy: Float32Array, ...separation: NativeSeparation];
export type NativeAssociation = [queries: Float32Array, top: number, ...separation: NativeSeparation];
export type NativeCalibrate = [similarity: number, sample: number, recall: number, seed: number];

/** What every memory has. `Facts`: what is told of an opened one. */
export interface NativeMemory<Facts extends unknown[] = unknown[]> {
  nativeBytes(): number;
  deviceBytes(): number;
  dispose(): void;
  open(path: string, verify: boolean, settle: NativeSettle, progress: undefined): number;
  openSync(path: string, verify: boolean): NativeOpened<Facts>;
  save(path: string, metadata: string[], settle: NativeSettle, progress: NativeProgress | undefined): number;
  saveSync(path: string, metadata: string[]): void;
}
export type NativeOpened<Facts extends unknown[]> = [metadata: string[], ...facts: Facts];

/** dim, valueDim (0: auto-associative), count, live. */
export type NativeDenseCounts = [dim: number, valueDim: number, count: number, live: number];
export type NativeDenseFacts = [counts: NativeDenseCounts, calibration: number[] | undefined];
export type NativeRows = [offsets: Uint32Array, indices: Uint32Array, weights: Float32Array];

export interface NativeDenseMemory extends NativeMemory<NativeDenseFacts> {
  adopt(patterns: Float32Array, values: Float32Array | undefined): void;
  append(patterns: Float32Array, values: Float32Array | undefined): number;
  remove(indices: Float64Array): number;
  /** storage: 0 f32, 1 f16, 2 bf16. arithmetic: 0 tf32x3, 1 tf32, 2 bf16. */
  place(device: string, storage: number, arithmetic: number): void;
  /** Takes room on the memory's device for the next adopt, of so many rows; 0: gives it back. */
  reserve(rows: number): void;

  // Asynchronous methods return the call's id, see cancel().
  retrieve(...args: [...NativeRetrieve, ...NativeCall]): number;
  retrieveSync(...args: [...NativeRetrieve, maxThreads: number]): void;
  search(...args: [...NativeSearch, ...NativeCall]): number;
  searchSync(...args: [...NativeSearch, maxThreads: number]): void;
  energy(...args: [...NativeEnergy, ...NativeCall]): number;
  energySync(...args: [...NativeEnergy, maxThreads: number]): void;
  association(...args: [...NativeAssociation, ...NativeCall]): number;
  associationSync(...args: [...NativeAssociation, maxThreads: number]): NativeRows;
  calibrate(...args: [...NativeCalibrate, ...NativeCall]): number;
  calibrateSync(...args: [...NativeCalibrate, maxThreads: number]): number[];
}

/** Clouds with offsets always given; weights default to uniform. */
export type NativeClouds = [points: Float32Array, weights: Float32Array | undefined, offsets: Uint32Array];
/**
 * `relative`: epsilon is in units of the mean cost. `owner`: an object that holds on to the points, which are read where
 * they lie; undefined: they are copied.
 */
export type NativeMeasures = [
  ...clouds: NativeClouds,
  dim: number,
  owner: { points: Float32Array } | undefined,
  epsilon: number,
  relative: boolean,
  costScale: number,
  logPrior: Float32Array | undefined,
];
export type NativeMeasureFacts = [count: number, dim: number, points: number, epsilon: number, costScale: number];
export type NativeSolve = [
  tolerance: number,
  maxIterations: number,
  solver: number,
  precision: number,
  strict: boolean,
];
export type NativeDivergence = [
  ...queries: NativeClouds,
  values: Float64Array,
  errorBound: Float64Array,
  iterations: Uint32Array,
  residual: Float32Array,
  converged: Uint8Array,
  ...solve: NativeSolve,
];
export type NativeMeasureEnergy = [
  ...queries: NativeClouds,
  energy: Float64Array,
  beta: number,
  ...solve: NativeSolve,
];
/** stepRule: 0 backtracking, 1 bound, 2 the two step sizes as given (else they are 0). */
export type NativeFlow = [
  ...queries: NativeClouds,
  ...solve: NativeSolve,
  beta: number,
  steps: number,
  stepRule: number,
  stepPoints: number,
  stepWeights: number,
  flowTolerance: number,
  prune: number,
  snap: boolean,
  trace: boolean,
];
export type NativeTrace = [
  energy: Float64Array,
  gradient: Float64Array,
  stepPoints: Float64Array,
  stepWeights: Float64Array,
  nearest: Uint32Array,
  evaluated: Uint32Array,
  points: Float32Array,
  weights: Float32Array,
];
export type NativeRetrieval = [
  points: Float32Array,
  weights: Float32Array,
  offsets: Uint32Array,
  index: Uint32Array,
  divergence: Float64Array,
  energy: Float64Array,
  gibbs: Float64Array,
  steps: Uint32Array,
  converged: Uint8Array,
  traces: NativeTrace[],
  work: [pairsEvaluated: number, pairsPruned: number, iterations: number],
];

export interface NativeMeasureMemory extends NativeMemory<[]> {
  place(device: string): void;
  facts(): NativeMeasureFacts;
  cloud(index: number): [points: Float32Array, weights: Float64Array];

  divergence(...args: [...NativeDivergence, ...NativeCall]): number;
  divergenceSync(...args: [...NativeDivergence, maxThreads: number]): void;
  energy(...args: [...NativeMeasureEnergy, ...NativeCall]): number;
  energySync(...args: [...NativeMeasureEnergy, maxThreads: number]): void;
  retrieve(...args: [...NativeFlow, ...NativeCall]): number;
  retrieveSync(...args: [...NativeFlow, maxThreads: number]): NativeRetrieval;
}

export type NativeDevice = [
  id: string,
  name: string,
  available: boolean,
  reason: string,
  memoryBytes: number,
  instructionSet: string,
];

export type NativeDetectability = [
  edge: number,
  eigenvalues: Float64Array,
  subspaceOverlap: Float64Array,
  archetypeOverlap: Float64Array,
  detectable: boolean[],
  extraSamplesNeeded: Float64Array,
  clientWeights: Float64Array,
];

/** An operator: its isotropic level, and terms scale * X^T diag(rowWeights) X. Packed signs are a Uint8Array. */
export type NativeOperator = [isotropic: number, ...terms: NativeTerm[]];
export type NativeTerm = [
  rows: Float32Array | Int8Array | Uint8Array,
  scale: number,
  rowWeights: Float64Array | undefined,
];
/** block: 0 for the default. */
export type NativeEigen = [
  k: number,
  block: number,
  tolerance: number,
  maxProducts: number,
  start: Float32Array | undefined,
];
export type NativeEigenpairs = [
  eigenvalues: Float64Array,
  vectors: Float32Array,
  residuals: Float64Array,
  products: number,
  converged: boolean,
];
/** Poses a question of a call; `answer` is to be called for it, sooner or later. */
export type NativeQuestion = (...question: never[]) => void;

/** rank: 0 for the default. */
export type NativeEncode = [
  examples: Float32Array | Int8Array,
  dim: number,
  rank: number,
  allowLeak: boolean,
  falseAlarm: number,
  client: string,
];
export type NativeMessage = [
  dim: number,
  sampleCount: number,
  trace: number,
  noiseVariance: number,
  quality: number,
  client: string,
  eigenvalues: Float64Array,
  factor: Float32Array,
];

/** weightRule: 0 equal, 1 size, 2 maximin, unless weights are given; the others in the order of their options. */
export type NativeFederated = [
  dim: number,
  weightRule: number,
  weights: Float64Array | undefined,
  falseAlarm: number,
  unmixing: number,
  controller: number,
  plasticity: number,
  smoothing: number,
  replicate: boolean,
  forgetAfter: number,
  maxArchetypes: number,
  seed: number,
  memoryBudget: number,
  sketchRank: number,
  sketch: number,
];
export type NativeRound = [
  round: number,
  eigenvalues: Float64Array,
  edge: number,
  cut: number,
  detected: number,
  overlaps: Float64Array,
  discardedTrace: number,
  novelty: number,
  clientWeights: Float64Array,
  plasticity: Float64Array,
  accepted: number,
  rejected: number,
  added: number,
  forgotten: number,
  rejectedClients: [position: number, client: string, code: EngramErrorCode, reason: string][],
];
/** coupling: 0 Hebbian, 1 pseudo-inverse; beta: Infinity for signs. */
export type NativeRecall = [cues: Float32Array, coupling: number, beta: number, steps: number, seed: number];
export type NativeRecalled = [
  state: Int8Array,
  index: Int32Array,
  overlap: Float64Array,
  converged: Uint8Array,
  steps: Uint32Array,
];

export interface NativeFederatedMemory extends NativeMemory<[]> {
  counts(): [dim: number, count: number, rounds: number];
  archetypes(): [signs: Int8Array, overlaps: Float64Array];
  packedArchetypes(): Uint8Array;

  /** Asks for one message after another: a message, its bytes, or null after the last one. */
  round(question: NativeQuestion, ...call: NativeCall): number;
  roundSync(messages: (NativeMessage | Uint8Array)[], maxThreads: number): NativeRound;
  /** Asks for products, as topEigenpairsOf. */
  roundOfProducts(
    question: NativeQuestion,
    clients: string[],
    sampleCounts: Float64Array,
    noiseVariances: Float64Array,
    qualities: Float64Array,
    weights: Float64Array,
    symmetricNoise: number,
    ...call: NativeCall
  ): number;
  retrieve(...args: [...NativeRecall, ...NativeCall]): number;
  retrieveSync(...args: [...NativeRecall, maxThreads: number]): NativeRecalled;
}

export interface NativeBinding {
  DenseMemory: new (dim?: number, valueDim?: number) => NativeDenseMemory;
  MeasureMemory: new (...args: NativeMeasures | []) => NativeMeasureMemory;
  FederatedMemory: new (...args: NativeFederated | []) => NativeFederatedMemory;
  cancel(id: number): void;
  devices(): NativeDevice[];
  resolveDevice(name: string): string;
  setDevicePlugin(path: string): void;
  configure(threads: number): void;
  threads(): number;
  alignmentOffset(bytes: Uint8Array): number;
  preferHugePages(bytes: Uint8Array): void;

  /** Answers the question of a call; undefined: there is no answer, the call is to fail. */
  answer(id: number, answer: unknown): void;
  apply(dim: number, operator: NativeOperator, block: Float32Array, columns: number, ...call: NativeCall): number;
  applySync(
    dim: number,
    operator: NativeOperator,
    block: Float32Array,
    columns: number,
    maxThreads: number,
  ): Float32Array;
  topEigenpairs(dim: number, operator: NativeOperator, ...args: [...NativeEigen, ...NativeCall]): number;
  topEigenpairsSync(
    dim: number,
    operator: NativeOperator,
    ...args: [...NativeEigen, maxThreads: number]
  ): NativeEigenpairs;
  topEigenpairsOf(dim: number, question: NativeQuestion, ...args: [...NativeEigen, ...NativeCall]): number;
  encode(...args: [...NativeEncode, ...NativeCall]): number;
  encodeSync(...args: [...NativeEncode, maxThreads: number]): NativeMessage;
  messageFromBytes(bytes: Uint8Array): NativeMessage;
  messageToBytes(message: NativeMessage): Uint8Array;

  /** weightRule: 0 equal, 1 size, 2 maximin; unless weights are given. */
  detectability(
    dim: number,
    samples: Float64Array,
    quality: Float64Array,
    archetypes: number,
    exposure: Float64Array,
    weightRule: number,
    weights: Float64Array | undefined,
    privacyNoise: number,
  ): NativeDetectability;

  /** Measured with so many threads, in about a second: 1e9 Float32 operations/s, 1e9 bytes/s. */
  machineLimits(threads: number): [fmaGflops: number, readGbps: number];
  /** The tensor of a safetensors file ('': `patterns`, or the only one), or the array of a .npy file. */
  readTensor(path: string, tensor: string): [dtype: string, shape: number[], bytes: Uint8Array];
  /** Writes a .npy file, whole or not at all. `dtype` as safetensors spells it, e.g. F32. */
  writeNpy(path: string, dtype: string, shape: Float64Array, bytes: Uint8Array): void;
}
