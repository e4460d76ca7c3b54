import { expect, test } from 'vitest';
import { parseSweep } from '../sweepfile/parse.ts';
import { compareSettings } from './settings.ts';

const BASE =
  'trainer: noop\nmetric: {name: test_loss, goal: minimize}\nparameters: {x: {values: [1, 2]}, epochs: {value: 20}}\n';
const parse = (text: string) => parseSweep(text, 'sweep.yaml');
const compared = (after: string) => compareSettings(parse(BASE), parse(after));

test('every changed setting is listed with its key, its old value and its new value', () => {
  const after = `${BASE.replace('minimize}', 'minimize, target: 0.1}')}retry: {oom: 4, backoff: 30s}
timeout: 2h
concurrency: 3
priority: 5
max_failed: 10%
early_terminate: {type: median}
`;
  expect(compared(after)).toEqual([
    { key: 'concurrency', before: 'no limit', after: '3' },
    { key: 'priority', before: '0', after: '5' },
    { key: 'retry.oom', before: '1', after: '4' },
    { key: 'retry.backoff', before: '2.0s', after: '30.0s' },
    { key: 'timeout', before: 'no limit', after: '2h00m' },
    { key: 'max_failed', before: 'no limit', after: '10%' },
    { key: 'early_terminate', before: 'none', after: 'median, min_iter 1, min_trials 5' },
    { key: 'metric.target', before: 'none', after: '0.1' },
  ]);
});

test('an equivalent file changes no setting', () => {
  expect(compared(`# a comment\n${BASE}priority: 0\n`)).toEqual([]);
});

test.each([
  ['metric', BASE.replace('minimize', 'maximize')],
  ['trainer, command', BASE.replace('trainer: noop', 'trainer: command\ncommand: [program]')],
  ['resources', `${BASE}resources: {gpu: 1}\n`],
])('a change of %s is rejected', (key, after) => {
  expect(() => compared(after)).toThrow(`${key}`);
  expect(() => compared(after)).toThrow(/cannot change in a sweep that has results: submit the file as a new sweep/);
});

test.each([
  [
    '{type: asha, variant: promotion, min_iter: 2, max_iter: 9, eta: 2}',
    'asha, variant promotion, min_iter 2, max_iter 9, eta 2',
  ],
  ['{type: hyperband, max_iter: 9, s: 2, strict: true}', 'hyperband, max_iter 9, s 2, eta 3, strict'],
  ['{type: patience, patience: 3, min_delta: 0.1}', 'patience, min_iter 1, patience 3, min_delta 0.1'],
  ['{type: threshold, worse_than: 3}', 'threshold, min_iter 1, worse_than 3'],
])('the rule %s is printed with the keys of the sweep file', (rule, text) => {
  expect(compared(`${BASE}early_terminate: ${rule}\n`)).toEqual([
    { key: 'early_terminate', before: 'none', after: text },
  ]);
});
