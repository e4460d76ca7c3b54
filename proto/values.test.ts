import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, type Json, parameterValue, parseParameters, StructuredValue } from './values.ts';

test('equal structured values are one object, whatever the order of their keys', () => {
  expect(StructuredValue.of({ a: 1, b: [2, null] })).toBe(StructuredValue.of({ b: [2, null], a: 1 }));
  expect(StructuredValue.of(null)).toBe(parameterValue(null));
  expect(StructuredValue.of([1, 2])).not.toBe(StructuredValue.of([2, 1]));
});

test('plain values are unchanged', () => {
  expect([1, 'a', true].map(parameterValue)).toEqual([1, 'a', true]);
});

test('a structured value is written as its canonical JSON', () => {
  const value = StructuredValue.of({ b: [1, 'x'], a: null });
  expect(`${value}`).toBe('{"a":null,"b":[1,"x"]}');
  expect(JSON.stringify({ value })).toBe('{"value":{"a":null,"b":[1,"x"]}}');
  expect(canonicalJson({ value })).toBe('{"value":{"a":null,"b":[1,"x"]}}');
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
