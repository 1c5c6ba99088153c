/** What the addon exports, see native/node. Arguments have been checked by lib/ before they come here. */

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

/** dim, valueDim (0: auto-associative), count, live, mappedBytes. */
export type NativeFacts = [dim: number, valueDim: number, count: number, live: number, mappedBytes: number];
export type NativeOpened = [facts: NativeFacts, metadata: string[], calibration: number[] | undefined];
export type NativeRows = [offsets: Uint32Array, indices: Uint32Array, weights: Float32Array];

export interface NativeDenseMemory {
  adopt(patterns: Float32Array, values: Float32Array | undefined): void;
  append(patterns: Float32Array, values: Float32Array | undefined): number;
  remove(indices: Float64Array): number;
  nativeBytes(): number;
  dispose(): void;

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

  open(path: string, verify: boolean, settle: NativeSettle, progress: undefined): number;
  openSync(path: string, verify: boolean): NativeOpened;
  save(path: string, metadata: string[], settle: NativeSettle, progress: NativeProgress | undefined): number;
  saveSync(path: string, metadata: string[]): void;
}

export type NativeDevice = [
  id: string,
  name: string,
  available: boolean,
  reason: string,
  memoryBytes: number,
  instructionSet: string,
];

export interface NativeBinding {
  DenseMemory: new (dim?: number, valueDim?: number) => NativeDenseMemory;
  cancel(id: number): void;
  devices(): NativeDevice[];
  resolveDevice(name: string): string;
  configure(threads: number): void;
  threads(): number;
  alignmentOffset(bytes: Uint8Array): number;
  preferHugePages(bytes: Uint8Array): void;

  /** Measured with so many threads, in about a second: 1e9 Float32 operations/s, 1e9 bytes/s. */
  machineLimits(threads: number): [fmaGflops: number, readGbps: number];
  /** The tensor of a safetensors file ('': `patterns`, or the only one), or the array of a .npy file. */
  readTensor(path: string, tensor: string): [dtype: string, shape: number[], bytes: Uint8Array];
  /** Writes a .npy file, whole or not at all. `dtype` as safetensors spells it, e.g. F32. */
  writeNpy(path: string, dtype: string, shape: Float64Array, bytes: Uint8Array): void;
}
