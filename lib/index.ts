/**
 * engram: associative memory at hardware speed, of vectors, of measures, and of archetypes that many clients share.
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
  DenseOpenOptions,
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
export { type Eigenpairs, type EigenpairsOptions, topEigenpairs, topEigenpairsSync } from './eigenpairs.js';
export { type ArgumentDetail, EngramError, type EngramErrorCode } from './errors.js';
export { FederatedMemory } from './federated-memory.js';
export type { FederatedOptions, RecallOptions } from './federated-options.js';
export type { ArchetypeRetrieval, RejectedClient, RoundReport } from './federated-results.js';
export type { Message, MessageSource, ProductSource } from './federated-rounds.js';
export { type EncodeOptions, HebbianOperator } from './hebbian-operator.js';
export { type BuiltInOperator, type LinearOperator, type OperatorTerm, SumOperator } from './linear-operator.js';
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
export type { Arithmetic, PlacementOptions, Storage } from './placement.js';
export {
  ClientsLostError,
  type LostClient,
  ProductAggregation,
  type ProductAggregationOptions,
  type ProductQuery,
} from './product-aggregation.js';
export { type ClientPrivacy, ProductClient, type ProductClientOptions } from './product-client.js';
export {
  type Messages,
  SecureSumClient,
  type SecureSumClientOptions,
  SecureSumServer,
  type SecureSumServerOptions,
} from './secure-sum/index.js';
export { SecondMoment, type SecondMomentOptions } from './second-moment.js';
export { type Separation, softmax } from './separation.js';
export type { Similarity } from './similarity.js';
export { sinkhornDivergence, sinkhornDivergenceSync } from './sinkhorn-divergence.js';
