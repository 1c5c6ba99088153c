import { moved, plannedOwnership } from './arrays.js';
import { binding } from './binding.js';
import { checkedClouds, type Clouds } from './clouds.js';
import { checkedLogPrior, checkedTransport, type MeasureFromOptions } from './measure-options.js';
import { checkedDim, type ChosenDevice, isRefusal } from './memory-options.js';
import type { NativeMeasureMemory } from './native.js';
import { NativeHandle } from './native-handle.js';

/** The inside of a MeasureMemory: its native side and what JavaScript knows about it. */
export class MeasureStore extends NativeHandle<NativeMeasureMemory> {
  readonly count: number;
  readonly dim: number;
  readonly pointCount: number;
  readonly epsilon: number;
  readonly costScale: number;
  #device = 'cpu';

  /** `native` holds a memory already. */
  constructor(native: NativeMeasureMemory) {
    super(native);
    [this.count, this.dim, this.pointCount, this.epsilon, this.costScale] = native.facts();
  }

  /** Where pairs are solved. */
  get device(): string {
    return this.#device;
  }

  /** Moves the solving of pairs to a device. It stays with the CPU where one that 'auto' chose refuses. */
  place({ device, automatic }: ChosenDevice): this {
    if (device === 'cpu') return this;
    try {
      this.native('place').place(device);
      this.#device = device;
    } catch (error) {
      if (!automatic || !isRefusal(error)) throw error;
    }
    return this;
  }

  /** Checks clouds, named `argument`, and stores them, on `chosen` where it is given. */
  static of(
    op: string,
    argument: string,
    clouds: Clouds,
    options: MeasureFromOptions,
    chosen: ChosenDevice = { device: 'cpu', automatic: false },
  ): MeasureStore {
    const dim = checkedDim(op, 'dim', options.dim);
    const transport = checkedTransport(op, options);
    const [points, weights, offsets] = checkedClouds(op, argument, clouds, dim);
    const logPrior = checkedLogPrior(op, options.logPrior, offsets.length - 1);
    const { adopt, moves } = plannedOwnership(op, options.ownership, { points });
    const owner = { points };
    const store = new MeasureStore(
      new binding.MeasureMemory(points, weights, offsets, dim, adopt ? owner : undefined, ...transport, logPrior),
    );
    try {
      store.place(chosen);
      // Last, so that a caller whose clouds are refused still has them. Moved points stay where they are in memory; the
      // native side holds on to `owner`.
      if (moves) owner.points = moved(op, { points }).points;
    } catch (error) {
      store.dispose();
      throw error;
    }
    return store;
  }
}
