// engram as built in this checkout, and what its demo offers for experiments.
export * from '../../dist/esm/index.js';
export { dataFolder, IMAGE_SIDE, openImages } from '../../dist/esm/demo/fashion-mnist.js';
export { Random } from '../../dist/esm/demo/random.js';
