/**
 * engram: associative memory at hardware speed, of vectors and of measures.
 * @packageDocumentation
 */
export type { Ownership } from './arrays.js';
export type { Calibration } from './calibration.js';
export type { CallOptions, SyncOptions } from './call.js';
export { type Clouds, cloudsFromImages, type ImageOptions } from './clouds.js';
export type { ClientSummary } from './client-summary.js';
export { DenseMemory } from './dense-memory.js';
export type {
  AllocateOptions,
  AssociationOptions,
  CalibrateOptions,
  DenseOptions,
  FromOptions,
  RetrieveOptions,
  SearchOptions,
  StoreOptions,
} from './dense-options.js';
export type { Retrieval, SearchResult, SparseRows } from './dense-results.js';
export { detectability, type Detectability, type DetectabilityOptions } from './detectability.js';
export {
  type GaussianMechanism,
  gaussianMechanism,
  type GaussianMechanismOptions,
  privacyLoss,
  type PrivacyLossOptions,
} from './differential-privacy.js';
export { configure, type DeviceInfo, devices } from './devices.js';
export { type ArgumentDetail, EngramError, type EngramErrorCode } from './errors.js';
export type { LinearOperator } from './linear-operator.js';
export { MeasureMemory } from './measure-memory.js';
export type {
  Epsilon,
  FlowOptions,
  MeasureEnergyOptions,
  MeasureFromOptions,
  MeasureImagesOptions,
  MeasureOptions,
  SinkhornDivergenceOptions,
  SinkhornOptions,
  TransportOptions,
} from './measure-options.js';
export type { Divergence, FlowTrace, MeasureRetrieval } from './measure-results.js';
export type { MemoryOptions, OpenOptions } from './memory-options.js';
export { version } from './package.cjs';
export {
  ClientsLostError,
  type LostClient,
  ProductAggregation,
  type ProductAggregationOptions,
  type ProductQuery,
} from './product-aggregation.js';
export {
  type Messages,
  SecureSumClient,
  type SecureSumClientOptions,
  SecureSumServer,
  type SecureSumServerOptions,
} from './secure-sum/index.js';
export { type Separation, softmax } from './separation.js';
export type { Similarity } from './similarity.js';
export { sinkhornDivergence, sinkhornDivergenceSync } from './sinkhorn-divergence.js';
