/** Comparisons of arrays of numbers. */
import { expect } from 'chai';

/** Every element lies within `allowed` of the expected one. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  allowed: number,
  what = 'element',
): void {
  expect(actual.length, `${what}: length`).to.equal(expected.length);
  for (let i = 0; i < expected.length; ++i) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    // Written so that NaN fails.
    if (difference <= allowed) continue;
    expect.fail(`${what} ${i} is ${actual[i]}, expected ${expected[i]} +- ${allowed}`);
  }
}

/** Both arrays have the same bytes. */
export function expectSameBits(actual: ArrayBufferView, expected: ArrayBufferView, what = 'array'): void {
  const bytes = (view: ArrayBufferView): Buffer =>
    Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  expect(bytes(actual).equals(bytes(expected)), `${what}: same bits`).to.equal(true);
}

/** The promise rejects with an EngramError of this code; the error is returned. */
export async function expectRejection(promise: Promise<unknown>, code: string): Promise<Error> {
  const error = await promise.then(
    () => expect.fail(`resolved, expected ${code}`),
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(Error).with.property('code', code);
  return error as Error;
}
