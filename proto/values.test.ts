import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalJson,
  type Json,
  parameterValue,
  parseParameters,
  StructuredValue,
  withOneSpelling,
} from './values.ts';

test('structured values with the same JSON are represented by one object', () => {
  expect(StructuredValue.of({ a: 1, b: [2, null] })).toBe(StructuredValue.of({ a: 1, b: [2, null] }));
  expect(StructuredValue.of(null)).toBe(parameterValue(null));
  expect(StructuredValue.of([1, 2])).not.toBe(StructuredValue.of([2, 1]));
});

test('parameterValue returns numbers, text and booleans unchanged', () => {
  expect([1, 'a', true].map(parameterValue)).toEqual([1, 'a', true]);
});

test('a structured value keeps the order of its keys, and its canonical JSON does not depend on this order', () => {
  const value = StructuredValue.of({ b: [1, 'x'], a: { d: 1, c: 2 } });
  expect(`${value}`).toBe('{"b":[1,"x"],"a":{"d":1,"c":2}}');
  expect(JSON.stringify({ value })).toBe('{"value":{"b":[1,"x"],"a":{"d":1,"c":2}}}');
  const other = StructuredValue.of({ a: { c: 2, d: 1 }, b: [1, 'x'] });
  for (const each of [value, other]) {
    expect(canonicalJson({ each })).toBe('{"each":{"a":{"c":2,"d":1},"b":[1,"x"]}}');
  }
});

test('equal mappings in one sweep have the key order of the first mapping', () => {
  const data = {
    first: [{ b: 1, a: { d: [], c: null } }],
    second: { a: { c: null, d: [] }, b: 1 },
    third: { d: [], c: null },
  };
  expect(JSON.stringify(withOneSpelling(data))).toBe(
    '{"first":[{"b":1,"a":{"d":[],"c":null}}],"second":{"b":1,"a":{"d":[],"c":null}},"third":{"d":[],"c":null}}',
  );
});

test('parameters are unchanged by a round trip through JSON', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ noUnicodeString: false })), (data) => {
      const parameters = Object.fromEntries(
        Object.entries(data).map(([name, value]) => [name, parameterValue(value as Json)]),
      );
      const read = parseParameters(JSON.stringify(parameters));
      for (const [name, value] of Object.entries(parameters)) {
        if (value instanceof StructuredValue) expect(read[name]).toBe(value);
        else expect(read[name]).toEqual(value === 0 ? 0 : value);
      }
    }),
  );
});
