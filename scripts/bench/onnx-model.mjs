// The ONNX model of one softmax update, written by hand: the few messages of onnx.proto it takes.
//
// Gemm (transposed memory, alpha = beta) - Softmax - MatMul: of the ways to write the update this was
// the fastest in onnxruntime 1.30, and the only one that needs the memory once in the file.
//
// @ts-check

const LENGTH_DELIMITED = 2;
const FLOAT = 1; // TensorProto.DataType and AttributeProto.AttributeType alike
const INT = 2; // AttributeProto.AttributeType

function varint(/** @type {number} */ value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}
const integer = (/** @type {number} */ field, /** @type {number} */ value) =>
  Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (/** @type {number} */ field, /** @type {Buffer[]} */ ...parts) => {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([varint(field * 8 + LENGTH_DELIMITED), varint(length), ...parts]);
};
const text = (/** @type {number} */ field, /** @type {string} */ value) => bytes(field, Buffer.from(value));

function floatAttribute(/** @type {string} */ name, /** @type {number} */ value) {
  const number = Buffer.alloc(4);
  number.writeFloatLE(value);
  return bytes(5, text(1, name), varint(2 * 8 + 5), number, integer(20, FLOAT));
}
const integerAttribute = (/** @type {string} */ name, /** @type {number} */ value) =>
  bytes(5, text(1, name), integer(3, value), integer(20, INT));

/**
 * @param {string} operator
 * @param {string[]} inputs
 * @param {string} output
 * @param {Buffer[]} attributes
 */
const node = (operator, inputs, output, ...attributes) =>
  bytes(1, ...inputs.map((input) => text(1, input)), text(2, output), text(4, operator), ...attributes);

const matrixInfo = (/** @type {number} */ field, /** @type {string} */ name, /** @type {number} */ columns) => {
  const shape = bytes(2, bytes(1, text(2, 'Q')), bytes(1, integer(1, columns)));
  return bytes(field, text(1, name), bytes(2, bytes(1, integer(1, FLOAT), shape)));
};

/**
 * `output = softmax(beta * query * patterns^T) * patterns` for any number of queries.
 * @param {Float32Array} patterns count x dim
 * @param {number} dim
 * @param {number} beta
 * @returns {Buffer} a ModelProto, at most 2 GiB (the limit of the format)
 */
export function softmaxUpdateModel(patterns, dim, beta) {
  const data = Buffer.from(patterns.buffer, patterns.byteOffset, patterns.byteLength);
  const count = patterns.length / dim;
  const memory = [integer(1, count), integer(1, dim), integer(2, FLOAT), text(8, 'memory'), bytes(9, data)];
  const graph = [
    node('Gemm', ['query', 'memory'], 'scores', integerAttribute('transB', 1), floatAttribute('alpha', beta)),
    node('Softmax', ['scores'], 'weights', integerAttribute('axis', 1)),
    node('MatMul', ['weights', 'memory'], 'output'),
    text(2, 'softmax-update'),
    bytes(5, ...memory),
    matrixInfo(11, 'query', dim),
    matrixInfo(12, 'output', dim),
  ];
  const irVersion = 8;
  const operatorSet = 17;
  return Buffer.concat([integer(1, irVersion), bytes(7, ...graph), bytes(8, integer(2, operatorSet))]);
}
