import { takeOwnership } from './arrays.js';
import { binding } from './binding.js';
import { checkedClouds, type Clouds } from './clouds.js';
import { checkedLogPrior, checkedTransport, type MeasureFromOptions } from './measure-options.js';
import { checkedDim } from './memory-options.js';
import type { NativeMeasureMemory } from './native.js';
import { NativeHandle } from './native-handle.js';

/** The inside of a MeasureMemory: its native side and what JavaScript knows about it. */
export class MeasureStore extends NativeHandle<NativeMeasureMemory> {
  readonly count: number;
  readonly dim: number;
  readonly pointCount: number;
  readonly epsilon: number;
  readonly costScale: number;

  /** `native` holds a memory already. */
  constructor(native: NativeMeasureMemory) {
    super(native);
    [this.count, this.dim, this.pointCount, this.epsilon, this.costScale] = native.facts();
  }

  /** Says where pairs are solved from now on; the device's id. */
  place(device: string): string {
    if (device !== 'cpu') this.native('place').place(device);
    return device;
  }

  get deviceBytes(): number {
    return this.isDisposed ? 0 : this.native('deviceBytes').deviceBytes();
  }

  /** Checks clouds, named `argument`, and stores them. */
  static of(op: string, argument: string, clouds: Clouds, options: MeasureFromOptions): MeasureStore {
    const dim = checkedDim(op, 'dim', options.dim);
    const transport = checkedTransport(op, options);
    const [given, weights, offsets] = checkedClouds(op, argument, clouds, dim);
    const logPrior = checkedLogPrior(op, options.logPrior, offsets.length - 1);
    const { ownership } = options;
    // What may lie in the buffer that moves away with the points is set aside.
    const beside = (array: Float32Array | undefined) => (ownership === 'transfer' ? array?.slice() : array);
    const [ownWeights, ownPrior] = [beside(weights), beside(logPrior)];
    const { adopt, points } = takeOwnership(op, ownership, { points: given });
    return new MeasureStore(
      new binding.MeasureMemory(points, ownWeights, offsets, dim, adopt, ...transport, ownPrior),
    );
  }
}
