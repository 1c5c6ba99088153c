import { expect } from 'chai';
import { configure, DenseMemory, devices } from '../support/engram.js';

describe('devices', () => {
  it('begins with the CPU, which is always there', () => {
    const [cpu] = devices();
    expect(cpu).to.include({ id: 'cpu', available: true });
    expect(cpu).not.to.have.property('reason');
    expect(cpu!.name).to.be.a('string').and.not.equal('');
    expect(cpu!.instructionSet).to.be.oneOf(['scalar', 'sse4', 'avx2', 'avx512', 'neon']);
    expect(cpu!.memoryBytes).to.be.above(0);
  });

  it('says why the others are not available', () => {
    for (const device of devices().filter(({ available }) => !available)) {
      expect(device.reason, device.id).to.be.a('string').and.not.equal('');
    }
  });

  it('a memory is on the CPU unless something else is there', () => {
    for (const device of [undefined, 'auto', 'cpu']) {
      const memory = DenseMemory.allocate(1, 1, device === undefined ? {} : { device });
      expect(memory.device).to.equal('cpu');
    }
  });

  it('a device that is not available is refused with the reason', () => {
    const missing = devices().find(({ available, id }) => !available && id.startsWith('cuda'));
    if (missing === undefined) return expect(devices().some(({ id }) => id.startsWith('cuda'))).to.equal(true);
    expect(() => DenseMemory.allocate(1, 1, { device: missing.id }))
      .to.throw(missing.reason)
      .with.property('code', 'ERR_ENGRAM_DEVICE');
  });

  it('a name that means nothing is refused', () => {
    for (const device of ['gpu', 'CPU', 'cuda:', 'cuda:x']) {
      expect(() => DenseMemory.allocate(1, 1, { device })).to.throw(device).with.property('code', 'ERR_ENGRAM_RANGE');
    }
    expect(() => DenseMemory.allocate(1, 1, { device: 0 as never })).to.throw().with.property('code', 'ERR_ENGRAM_TYPE');
  });
});

describe('configure', () => {
  const threads = devices()[0]!.threads!;
  afterEach(() => configure({ threads }));

  it('sets the number of threads', () => {
    configure({ threads: 3 });
    expect(devices()[0]!.threads).to.equal(3);
    configure({});
    expect(devices()[0]!.threads).to.equal(3);
  });

  it('refuses what is no number of threads', () => {
    for (const bad of [0, -1, 1.5, 1025, NaN]) {
      expect(() => configure({ threads: bad })).to.throw('threads').with.property('code', 'ERR_ENGRAM_RANGE');
    }
    for (const bad of [undefined, null, 4, { threads: '2' }]) {
      expect(() => configure(bad as never)).to.throw().with.property('code', 'ERR_ENGRAM_TYPE');
    }
    expect(devices()[0]!.threads).to.equal(threads);
  });
});
