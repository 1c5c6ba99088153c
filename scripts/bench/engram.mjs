// engram as built in this checkout.
//
// @ts-check
export * from '../../dist/esm/index.js';
