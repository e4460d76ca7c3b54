import { expect, test } from 'vitest';
import { enumerateTrials } from '../grid/enumerate.ts';
import { parseSweep } from './parse.ts';

const WANDB = 'program: t.py\nmetric: {name: loss}\n';
const OTHER = 'command: [t]\nmetric: {name: loss}\n';
const points = (text: string) => [...enumerateTrials(parseSweep(text, 'w.yaml'))].map(({ parameters }) => parameters);
const value = (head: string, written: string) => points(`${head}parameters: {x: {value: ${written}}}\n`)[0]?.x;

test.each([
  ['yes', true, 'yes'],
  ['Off', false, 'Off'],
  ['NO', false, 'NO'],
  ['y', 'y', 'y'],
  ['"yes"', 'yes', 'yes'],
  ['!!str on', 'on', 'on'],
  ['017', 15, 17],
  ['-017', -15, -17],
  ['08', '08', 8],
  ['0o17', '0o17', 15],
  ['0b101', 5, '0b101'],
  ['-0x1e', -30, '-0x1e'],
  ['1_000', 1000, '1_000'],
  ['-1_0.5', -10.5, '-1_0.5'],
  ['1:30', 90, '1:30'],
  ['-1:30:05', -5405, '-1:30:05'],
  ['1:75', '1:75', '1:75'],
  ['0.50', 0.5, 0.5],
  ['0', 0, 0],
  ['1e-5', 1e-5, 1e-5],
  ['2024-01-01', '2024-01-01', '2024-01-01'],
  ['_', '_', '_'],
])(
  '%s is read by the rules of PyYAML in a W&B file, and by the rules of YAML 1.2 in other files',
  (written, expected, other) => {
    expect(value(WANDB, written)).toBe(expected);
    expect(value(OTHER, written)).toBe(other);
  },
);

test('in a W&B file, "parameters", "exclude" and "early_terminate" are read by the rules of PyYAML, but "wandb" is not', () => {
  const text = `${WANDB}wandb: off
early_terminate: {type: hyperband, min_iter: 3, strict: yes}
parameters: {bn: {values: [yes, no]}, n: {values: [[on, 010]]}}
exclude: [{bn: yes}]
`;
  const spec = parseSweep(text, 'w.yaml');
  expect(spec.earlyTerminate).toMatchObject({ strict: true });
  expect(JSON.parse(JSON.stringify([...enumerateTrials(spec)].map(({ parameters }) => parameters)))).toEqual([
    { bn: false, n: [true, 8] },
  ]);
});

test('merge keys add the entries of other mappings, but do not replace keys that the mapping already has', () => {
  const text = `${WANDB}parameters:
  a: &a {values: [1, 2]}
  b: *a
  c: {<<: *a}
  d: {<<: [{values: [3]}, *a]}
  e: {<<: *a, values: [4]}
  <<: {a: {value: 0}, f: {value: 5}}
`;
  expect(points(text)).toHaveLength(8);
  expect(points(text)[0]).toEqual({ a: 1, f: 5, b: 1, c: 1, d: 3, e: 4 });
  expect(() => points(`${OTHER}parameters: {x: {<<: 3}}\n`)).toThrow(
    '3:18: the key << requires a mapping, or a list of mappings',
  );
});

test('early_terminate with type envelope is treated as type median, and the plan has a note about this', () => {
  const spec = parseSweep(`${WANDB}early_terminate: {type: envelope, eta: 2}\nparameters: {}\n`, 'w.yaml');
  expect(spec.earlyTerminate).toEqual({ type: 'median', minIter: 1, minTrials: 5 });
  expect(spec.notes).toEqual(['early_terminate envelope is treated as median']);
  expect(spec.ignored).toEqual(['early_terminate.eta']);
});
