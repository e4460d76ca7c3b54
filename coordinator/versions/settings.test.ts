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

const program = (parameters: string, more = '') =>
  parse(`trainer: command
command: [program]
metric: {name: loss, goal: minimize}
parameters: {${parameters}}
${more}`);
const changeOf = (before: string, after: string) => compareSettings(program(before), program(after));

test.each([
  ['x: {values: [0.1, 0.01]}', 'x: {values: [0.1, 0.01, 1.0]}'],
  ['x: {values: [1.0, 0.1, 0.01]}', 'x: {values: [0.1, 0.01, 0.02]}'],
  ['x: {values: [1.0, 0.1]}', 'x: {values: [1.0, 0.1, 2]}'],
  ['x: {values: [1, 0.1]}', 'x: {values: [1, 0.1, 2.0, [3.0]]}'],
  ['x: {values: [1, 2]}', 'x: {min: 1, max: 4, step: 1}'],
  ['x: {values: [0.1, 0.2]}', 'x: {min: 0.1, max: 1.0, step: 0.1}'],
  ['x: {value: 1}, y: {value: 2.0}', 'y: {value: 2.0}'],
  ['x: {value: 1}', 'y: {value: 2.0}, x: {value: 1}'],
])('in a sweep of a program, the parameters can change between {%s} and {%s}', (before, after) => {
  expect(changeOf(before, after)).toEqual([]);
  expect(changeOf(after, before)).toEqual([]);
});

test.each([
  ['x: {values: [1.0, 0.1]}', 'x: {values: [1, 0.1]}', '1.0 became 1'],
  ['x: {values: [1, 2]}', 'x: {values: [1.0, 2, 3]}', '1 became 1.0'],
  ['x: {values: [[1.0], 2]}', 'x: {values: [[1], 2, 3]}', '[1.0] became [1]'],
  ['x: {values: [1.0, 2]}', 'x: {min: 1, max: 4, step: 1}', '1.0 became 1'],
  ['x: {min: 1, max: 4, step: 1}', 'x: {values: [2.0, 3]}', '2 became 2.0'],
  ['x: {min: 1, max: 4, step: 1}', 'x: {min: 1.0, max: 4, step: 1}', 'whole numbers became floats'],
  ['x: {min: 1.0, max: 4, step: 1}', 'x: {min: 1, max: 4, step: 1}', 'floats became whole numbers'],
])('a value that is in both versions must have the same notation: {%s} cannot become {%s}', (before, after, change) => {
  expect(() => changeOf(before, after)).toThrow(`parameters.x: ${change}`);
  expect(() => changeOf(before, after)).toThrow(/keep the notation, or submit the file as a new sweep/);
});

test('a number that is set by `when` in both versions must have the same notation', () => {
  const rule = (value: string) => program('x: {values: [3, 4]}', `when: [{if: {x: 3}, set: {x: ${value}}}]`);
  expect(() => compareSettings(rule('5.0'), rule('5'))).toThrow('parameters.x: 5.0 became 5');
  expect(compareSettings(rule('5.0'), rule('6'))).toEqual([]);
});

test('a parameter named "seed" can be neither added nor removed', () => {
  const [without, withSeed] = ['x: {values: [1, 2]}', 'x: {values: [1, 2]}, seed: {values: [0, 1]}'];
  expect(() => changeOf(without, withSeed)).toThrow('parameters.seed cannot be added to a sweep that has results');
  expect(() => changeOf(withSeed, without)).toThrow('parameters.seed cannot be removed from a sweep that has results');
});

test.each([
  ['env', 'env: {A: 1}'],
  ['report', "report: [{regex: 'loss=(?<loss>.*)'}]"],
  ['classify', 'classify: [{pattern: boom, class: oom}]'],
  ['first_report', 'first_report: 10m'],
])('a changed setting of the program is rejected, and the error names the setting: %s', (key, line) => {
  const [before, after] = [program('x: {value: 1}'), program('x: {value: 1}', line)];
  expect(() => compareSettings(before, after)).toThrow(new RegExp(`^${key} cannot change in a sweep that has results`));
});
