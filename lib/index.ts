/**
 * engram: dense associative memory at hardware speed.
 * @packageDocumentation
 */
export type { Ownership } from './arrays.js';
export type { Calibration } from './calibration.js';
export type { CallOptions, SyncOptions } from './call.js';
export { DenseMemory } from './dense-memory.js';
export type {
  AllocateOptions,
  AssociationOptions,
  CalibrateOptions,
  DenseOptions,
  FromOptions,
  OpenOptions,
  RetrieveOptions,
  SearchOptions,
  StoreOptions,
} from './dense-options.js';
export type { Retrieval, SearchResult, SparseRows } from './dense-results.js';
export { configure, type DeviceInfo, devices } from './devices.js';
export { type ArgumentDetail, EngramError, type EngramErrorCode } from './errors.js';
export { version } from './package.cjs';
export { type Separation, softmax } from './separation.js';
export type { Similarity } from './similarity.js';
