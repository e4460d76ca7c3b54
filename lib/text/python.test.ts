import { expect, test } from 'vitest';
import { pythonLiteral, pythonText } from './python.ts';

test.each([
  [true, 'True'],
  [false, 'False'],
  [null, 'None'],
  [3, '3'],
  [-0, '0'],
  [0.1, '0.1'],
  [1e-4, '0.0001'],
  [1e-5, '1e-05'],
  [1e-7, '1e-07'],
  [1.25e-10, '1.25e-10'],
  [123456.75, '123456.75'],
  [1e15, '1000000000000000'],
  [1e16, '1e+16'],
  [1.5e300, '1.5e+300'],
  [Number.NaN, 'nan'],
  [Number.NEGATIVE_INFINITY, '-inf'],
  ['relu', 'relu'],
  ["it's", "it's"],
  [[64, 32], '[64, 32]'],
  [[], '[]'],
  [['a', null, [true]], "['a', None, [True]]"],
  [{ a: 1, b: { c: 'x' } }, "{'a': 1, 'b': {'c': 'x'}}"],
])('%j is written %s', (value, text) => {
  expect(pythonText(value)).toBe(text);
});

test.each([
  [1, '1.0'],
  [0, '0.0'],
  [-0, '-0.0'],
  [1e15, '1000000000000000.0'],
  [1e16, '1e+16'],
  [[1, 0.5], '[1.0, 0.5]'],
])('value %j of a float parameter is written %s', (value, text) => {
  expect(pythonText(value, { float: true })).toBe(text);
});

test.each([
  ["it's", '"it\'s"'],
  ['say "hi"', '\'say "hi"\''],
  [`'"`, `'\\'"'`],
  ['a\nb\\', "'a\\nb\\\\'"],
  ['\u0007', "'\\x07'"],
  ['größe', "'größe'"],
])('%j is quoted as %s', (value, text) => {
  expect(pythonLiteral(value)).toBe(text);
});
