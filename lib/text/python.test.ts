import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { PythonFloat, pythonJson, pythonLiteral, pythonText, withFloats } from './python.ts';

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
])('the value %j is formatted in Python as %s', (value, text) => {
  expect(pythonText(value)).toBe(text);
});

test.each([
  [1, '1.0'],
  [0, '0.0'],
  [-0, '-0.0'],
  [1e15, '1000000000000000.0'],
  [1e16, '1e+16'],
  [[1, 0.5], '[1.0, 0.5]'],
])('the value %j of a float parameter is formatted as %s', (value, text) => {
  expect(pythonText(withFloats(value))).toBe(text);
});

test.each([
  ["it's", '"it\'s"'],
  ['say "hi"', '\'say "hi"\''],
  [`'"`, `'\\'"'`],
  ['a\nb\\', "'a\\nb\\\\'"],
  ['\u0007', "'\\x07'"],
  ['größe', "'größe'"],
])('the text %j is quoted in Python as %s', (value, text) => {
  expect(pythonLiteral(value)).toBe(text);
});

const JSON_VALUES = [
  ...[0.1, 1e-7, 123456789012, -0.5, 1.5e300, 0.00001234, 2 ** 52],
  ...['relu', 'größe', '😀', 'a"b\\c\n\t\u0001\u007f', '', '/'],
  ...[true, false, null, [], [1, [2.5, null]], { a: { 'ü b': [false] } }, {}],
];

test.each([
  [{ lr: 1e-7, layers: [64, 32] }, '{"lr": 1e-07, "layers": [64, 32]}'],
  ['größe 😀', '"gr\\u00f6\\u00dfe \\ud83d\\ude00"'],
  [[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], '[NaN, Infinity, -Infinity]'],
  ['\u007f', '"\\u007f"'],
])('the value %j in JSON is %s', (value, text) => {
  expect(pythonJson(value)).toBe(text);
});

test('whole numbers of a float parameter are floats in JSON', () => {
  expect(pythonJson(withFloats([1, { a: 2 }]))).toBe('[1.0, {"a": 2.0}]');
});

test('inside a value, only the elements whose JSON Pointers are selected are converted to floats', () => {
  const value = [1, { 'a/b': 2, 'c~d': 2, e: [3, '-inf', 'x'] }, null, 'inf'];
  const floats = ['/0', '/1/a~1b', '/1/c~0d', '/1/e/1', '/1/e/2', '/2'];
  expect(withFloats(value, (pointer) => floats.includes(pointer))).toEqual([
    new PythonFloat(1),
    {
      'a/b': new PythonFloat(2),
      'c~d': new PythonFloat(2),
      e: [3, new PythonFloat(Number.NEGATIVE_INFINITY), 'x'],
    },
    null,
    'inf',
  ]);
  expect(withFloats(4, (pointer) => pointer === '')).toEqual(new PythonFloat(4));
});

const hasPython = spawnSync('python3', ['--version']).status === 0;

test.skipIf(!hasPython)('the JSON for a program equals the output of json.dumps', () => {
  const program = 'import json, sys; [print(json.dumps(v)) for v in json.load(sys.stdin)]';
  const { stdout } = spawnSync('python3', ['-c', program], { input: JSON.stringify(JSON_VALUES), encoding: 'utf8' });
  expect(JSON_VALUES.map((value) => pythonJson(value))).toEqual(stdout.trimEnd().split('\n'));
});
