import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_METRICS } from '../../../proto/limits.ts';
import { EXAMPLE_LINE, parseLine } from './metric-line.ts';

test.each([
  [EXAMPLE_LINE, 1, { test_loss: 0.25 }, []],
  ['  {"epoch": 3}  ', 3, {}, []],
  ['{"loss": 1e-3, "psnr": 12}', undefined, { loss: 0.001, psnr: 12 }, []],
  ['{"epoch":1,"loss":NaN,"a":Infinity,"b":-Infinity}', 1, { loss: Number.NaN, a: Infinity, b: -Infinity }, []],
  ['{"epoch":1,"loss":null}', 1, { loss: Number.NaN }, []],
  ['{"epoch":1,"loss":1,"note":"a NaN \\" NaN","ok":true,"more":[1]}', 1, { loss: 1 }, ['note', 'ok', 'more']],
  ['{"epoch":1,"constructor":2,"":3}', 1, {}, ['constructor', '']],
])('%s is a report', (line, epoch, metrics, ignored) => {
  expect(parseLine(line)).toEqual({ kind: 'metrics', epoch, metrics, ignored });
});

test.each([
  '',
  'epoch 1: loss 0.5',
  '{"level":30,"msg":"started"}',
  '{}',
  '[1]',
  '{"loss": 0.5',
  '{"loss": 0.5} ok',
  '3',
  'null',
])('%j is log text', (line) => {
  expect(parseLine(line)).toEqual({ kind: 'text' });
});

test('a checkpoint has a path, and an epoch unless it is the last one', () => {
  expect(parseLine('{"checkpoint":"a/b.pt","epoch":3}')).toEqual({ kind: 'checkpoint', epoch: 3, path: 'a/b.pt' });
  expect(parseLine('{"checkpoint":"b.pt"}')).toEqual({ kind: 'checkpoint', epoch: undefined, path: 'b.pt' });
});

test.each([
  ['{"epoch":0,"loss":1}', /got 0 \(epochs are counted from 1\)/],
  ['{"epoch":1.5,"loss":1}', /positive integer, got 1.5/],
  ['{"epoch":"1","loss":1}', /got "1"/],
  ['{"epoch":4294967296,"loss":1}', /got 4294967296/],
  ['{"checkpoint":"x","epoch":-1}', /got -1/],
  [
    JSON.stringify({
      epoch: 1,
      ...Object.fromEntries(Array.from({ length: MAX_METRICS + 1 }, (_, i) => [`m${i}`, i])),
    }),
    /can have up to 256 metrics, this one has 257/,
  ],
])('%s is invalid', (line, message) => {
  expect(parseLine(line)).toEqual({ kind: 'invalid', message: expect.stringMatching(message) });
});

test('any line can be parsed, and every finite number is preserved', () => {
  fc.assert(fc.property(fc.string(), (line) => void parseLine(line)));
  const name = fc
    .string({ minLength: 1, maxLength: 20 })
    .filter((key) => /^[a-z_ {}"\\]+$/.test(key) && key !== 'epoch' && !(key in Object.prototype));
  fc.assert(
    fc.property(fc.dictionary(name, fc.double({ noNaN: true, noDefaultInfinity: true })), (metrics) => {
      expect(parseLine(JSON.stringify({ epoch: 7, ...metrics }))).toMatchObject({ kind: 'metrics', epoch: 7 });
      const { metrics: read } = parseLine(JSON.stringify({ epoch: 7, ...metrics })) as { metrics: object };
      expect(JSON.stringify(read)).toBe(JSON.stringify(metrics));
    }),
  );
});
