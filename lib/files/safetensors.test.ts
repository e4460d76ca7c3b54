import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { readSafetensors, type SafeTensor, type SafetensorsFile, writeSafetensors } from './safetensors.ts';

const bits = (length: number) => fc.uint8Array({ minLength: 4 * length, maxLength: 4 * length });

const tensors: fc.Arbitrary<SafeTensor> = fc
  .tuple(fc.constantFrom('F32', 'I32', 'U8'), fc.array(fc.nat({ max: 4 }), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return bits(length).map((bytes): SafeTensor => {
      if (dtype === 'F32') return { dtype, shape, data: new Float32Array(bytes.slice().buffer) };
      if (dtype === 'I32') return { dtype, shape, data: new Int32Array(bytes.slice().buffer) };
      return { dtype: 'U8', shape, data: bytes.slice(0, length) };
    });
  });
const names = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((name) => name !== '__metadata__');
const files: fc.Arbitrary<SafetensorsFile> = fc.record({
  tensors: fc.dictionary(names, tensors, { noNullPrototype: true }),
  metadata: fc.dictionary(fc.string(), fc.string({ unit: 'binary' }), { noNullPrototype: true }),
});

const one: SafetensorsFile = {
  tensors: { weight: { dtype: 'F32', shape: [1, 2], data: Float32Array.of(1, -2.5) } },
  metadata: { trainer: 'autoencoder' },
};

function fileOf(header: unknown, dataBytes = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const bytesOf = ({ data }: SafeTensor) => [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];

test('reading a written safetensors file returns the same bits', () => {
  fc.assert(
    fc.property(files, (file) => {
      const read = readSafetensors(writeSafetensors(file));
      expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(file.metadata).sort());
      expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(file.tensors).sort());
      for (const [name, tensor] of Object.entries(file.tensors)) {
        const found = read.tensors[name] as SafeTensor;
        expect([found.dtype, found.shape, bytesOf(found)]).toEqual([tensor.dtype, tensor.shape, bytesOf(tensor)]);
      }
    }),
  );
});

test('a safetensors file has the header length, padded JSON, and little-endian data with wide types first', () => {
  const file = writeSafetensors({
    tensors: { pixels: { dtype: 'U8', shape: [3], data: Uint8Array.of(7, 8, 9) }, ...one.tensors },
    metadata: one.metadata,
  });
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  expect(length % 8).toBe(0);
  const header = new TextDecoder().decode(file.subarray(8, 8 + length));
  expect(header).toMatch(/^\{.*\} *$/);
  expect(JSON.parse(header)).toEqual({
    __metadata__: { trainer: 'autoencoder' },
    weight: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
    pixels: { dtype: 'U8', shape: [3], data_offsets: [8, 11] },
  });
  expect([...file.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0, 7, 8, 9]);
});

test('a safetensors file at an odd offset inside a larger buffer is read', () => {
  const file = writeSafetensors(one);
  const held = Buffer.concat([Buffer.of(1), file, Buffer.of(2)]).subarray(1, -1);
  expect(readSafetensors(held)).toEqual(one);
});

test('a truncated safetensors file and a safetensors file with trailing bytes are rejected', () => {
  const file = writeSafetensors(one);
  for (let length = 0; length < file.length; length++)
    expect(() => readSafetensors(file.subarray(0, length)), `${length} bytes`).toThrow(BadInputError);
  expect(() => readSafetensors(Uint8Array.of(...file, 0))).toThrow('9 bytes of data, expected 8');
});

test('a safetensors file with one altered byte is either read or rejected as bad input', () => {
  const file = writeSafetensors(one);
  fc.assert(
    fc.property(fc.nat({ max: file.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const altered = file.slice();
      altered[at] = (altered[at] ?? 0) ^ flip;
      try {
        const { weight, ...others } = readSafetensors(altered).tensors;
        expect([...Object.values(others), weight].filter(Boolean)).toHaveLength(1);
      } catch (error) {
        expect(error).toBeInstanceOf(BadInputError);
      }
    }),
  );
});

test.each<[string, unknown, number, RegExp]>([
  ['a header that is not JSON', '{"weight"', 0, /header is not JSON/],
  ['a header that is a list', [], 0, /header is not a JSON object/],
  ['an empty header', '', 0, /header is not JSON/],
  ['metadata of numbers', { __metadata__: { epoch: 3 } }, 0, /__metadata__ is not an object of strings/],
  ['a tensor without a description', { w: null }, 0, /tensor w is not described/],
  [
    'an unknown dtype',
    { w: { dtype: 'F64', shape: [1], data_offsets: [0, 8] } },
    8,
    /w has dtype "F64", expected one of F32,I32,U8/,
  ],
  [
    'the name of an inherited property as dtype',
    { w: { dtype: 'toString', shape: [1], data_offsets: [0, 8] } },
    8,
    /w has dtype "toString"/,
  ],
  ['a negative size', { w: { dtype: 'U8', shape: [-1, -1], data_offsets: [0, 1] } }, 1, /w has shape \[-1,-1\]/],
  ['a fractional size', { w: { dtype: 'U8', shape: [0.5, 2], data_offsets: [0, 1] } }, 1, /w has shape \[0.5,2\]/],
  ['one offset', { w: { dtype: 'U8', shape: [1], data_offsets: [0] } }, 1, /w has data_offsets \[0\]/],
  [
    'a shape larger than the data',
    { w: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } },
    4,
    /w has 4 bytes, expected 8/,
  ],
  [
    'a tensor that ends before it begins',
    { w: { dtype: 'U8', shape: [1], data_offsets: [2, 1] } },
    2,
    /w has -1 bytes/,
  ],
  [
    'an overflowing shape',
    { w: { dtype: 'U8', shape: Array(40).fill(2 ** 53 - 1), data_offsets: [0, 1] } },
    1,
    /w has 1 bytes/,
  ],
  [
    'an overlap',
    { a: { dtype: 'U8', shape: [4], data_offsets: [0, 4] }, b: { dtype: 'U8', shape: [4], data_offsets: [2, 6] } },
    6,
    /tensor b begins at byte 2 of the data, expected 4/,
  ],
  [
    'a gap',
    { a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] }, b: { dtype: 'U8', shape: [1], data_offsets: [2, 3] } },
    3,
    /tensor b begins at byte 2 of the data, expected 1/,
  ],
])('a safetensors file with %s is rejected', (_, header, dataBytes, message) => {
  expect(() => readSafetensors(fileOf(header, dataBytes))).toThrow(BadInputError);
  expect(() => readSafetensors(fileOf(header, dataBytes))).toThrow(message);
});

test('a safetensors header that is longer than the file or the limit is rejected before memory is allocated', () => {
  for (const length of [1n, 100_000_001n, 2n ** 64n - 1n]) {
    const file = new Uint8Array(8);
    new DataView(file.buffer).setBigUint64(0, length, true);
    expect(() => readSafetensors(file)).toThrow(`the header should have ${length} bytes, but the whole file has 8`);
  }
});

test('tensors that the safetensors format cannot represent are rejected', () => {
  const data = Float32Array.of(1, 2, 3);
  const write = (name: string, shape: readonly number[]) =>
    writeSafetensors({ tensors: { [name]: { dtype: 'F32', shape, data } }, metadata: {} });
  expect(() => write('weight', [2])).toThrow('tensor weight: 3 elements do not fit shape [2]');
  expect(() => write('weight', [-1, -3])).toThrow(BadInputError);
  expect(() => write('__metadata__', [3])).toThrow(BadInputError);
});
