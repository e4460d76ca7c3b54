import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RunNames } from './run-names.ts';

const namesOf = (...runs: string[]) => {
  const names = new RunNames();
  return runs.map((run) => names.metricName(run, 'loss'));
};

test.each([
  [[''], ['loss']],
  [
    ['train', 'validation'],
    ['train/loss', 'validation/loss'],
  ],
  [['version_0'], ['loss']],
  [
    ['Nov28_10-15-00_host', 'Nov28_10-15-00_host/loss_train'],
    ['loss', 'loss_train/loss'],
  ],
  [
    ['', 'run-1', 'run-1/eval'],
    ['loss', 'run-1/loss', 'eval/loss'],
  ],
  [
    ['fold_1', 'fold_2', 'fold_1'],
    ['loss', 'fold_2/loss', 'loss'],
  ],
  [
    ['v1', '', 'v1/train', 'train'],
    ['loss', 'loss', 'train/loss', './train/loss'],
  ],
  [
    ['a/2/b', 'a/3/b'],
    ['a/b/loss', 'a/3/b/loss'],
  ],
])('the runs %j have the metrics %j', (runs, expected) => {
  expect(namesOf(...runs)).toEqual(expected);
});

test("the metrics of two runs in the source's folder never have the same name", () => {
  const folder = fc.constantFrom('train', 'eval', 'v0', 'v1');
  const run = fc.array(folder, { minLength: 1, maxLength: 3 }).map((folders) => folders.join('/'));
  fc.assert(
    fc.property(fc.uniqueArray(run), (runs) => {
      expect(new Set(namesOf(...runs)).size).toBe(runs.length);
    }),
  );
});
