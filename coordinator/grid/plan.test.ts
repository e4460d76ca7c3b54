import { expect, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { parseSweep } from '../sweepfile/parse.ts';
import { enumerateTrials } from './enumerate.ts';
import { plan } from './plan.ts';

function thousands(axes: number): string {
  const lines = Array.from({ length: axes }, (_, axis) => `  p${axis}: {min: 1, max: 1000, step: 1}\n`);
  return `trainer: noop\nparameters:\n${lines.join('')}`;
}

test('a grid of 10^9 points is counted exactly in constant memory', () => {
  const text = `${thousands(3)}
exclude: [{p0: 5, p1: [5, 7]}, {p2: [1, 2, 3]}]
when: [{if: {p0: 1}, set: {p2: 7, epochs: 3}}, {if: {p1: 9}, set: {p0: 1001}}]
replicates: 3
`;
  const heapBefore = process.memoryUsage().heapUsed;
  const counted = plan(parseSweep(text, 'billion.yaml'));
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(50e6);
  expect(counted.excluded).toEqual([
    { rule: 'p0=5, p1=5|7', count: 2_000 },
    { rule: 'p2=1|2|3', count: 3 * (1_000_000 - 2) },
  ]);
  const kept = 1e9 - 2_000 - 3 * (1_000_000 - 2);
  // For p0=1, `when` makes the 997 values of p2 equal, at each of the 1,000 values of p1. For p1=9, `when` makes the
  // other 999 values of p0 equal, at each of the 997 values of p2.
  const merged = 1_000 * 996 + 997 * 998;
  expect(counted.duplicates).toBe(merged);
  expect(counted.configs).toBe(kept - merged);
  expect(counted.trials).toBe(3 * (kept - merged));
});

test('a grid of 10^15 points is counted, and a grid of more than 2^53 points is rejected', () => {
  expect(plan(parseSweep(thousands(5), 'big.yaml')).trials).toBe(1e15);
  expect(() => plan(parseSweep(thousands(6), 'big.yaml'))).toThrow(/max 9,007,199,254,740,991 in total/);
});

test('a plan has the documented fields', () => {
  const text = `
name: shape
trainer: autoencoder
parameters:
  depth: {values: [3, 5]}
  noise_std: {values: [0, 0.5]}
  latent_dim: {value: 15}
exclude: [{depth: 5, noise_std: 0.5}]
when: [{if: {depth: 5}, set: {depth: 3}}]
seeds: [4, 5]
`;
  expect(plan(parseSweep(text, 'x.yaml'))).toEqual({
    sweep: 'shape',
    trials: 4,
    isBound: false,
    configs: 2,
    replicates: 2,
    points: 4,
    axes: { depth: 2, noise_std: 2, latent_dim: 1 },
    excluded: [{ rule: 'depth=5, noise_std=0.5', count: 1 }],
    duplicates: 1,
  });
});

test('zipped rows that `when` makes equal are counted once', () => {
  const text = `
trainer: noop
parameters: {a: {values: [1, 2, 3]}, b: {values: [5, 5, 6]}, c: {values: [0, 1]}}
zip: [[a, b]]
when: [{if: {c: 1}, set: {a: 9}}]
`;
  expect(plan(parseSweep(text, 'x.yaml'))).toMatchObject({ configs: 5, duplicates: 1 });
});

test('zipped rows stay distinct if `when` overrides one zipped parameter and another zipped parameter differs', () => {
  const text = `
trainer: noop
parameters: {a: {min: 1, max: 1000, step: 1}, b: {min: 1, max: 1000, step: 1}, c: {values: [0, 1]}}
zip: [[a, b]]
when: [{if: {c: 1}, set: {a: 9}}]
`;
  expect(plan(parseSweep(text, 'x.yaml'))).toMatchObject({ configs: 2_000, duplicates: 0 });
  expect(plan(parseSweep(text.replace('a: 9', 'a: 9, b: 9'), 'x.yaml'))).toMatchObject({
    configs: 1_001,
    duplicates: 999,
  });
});

test('`exclude` and `when` rules that name too many values are rejected', () => {
  const many = Array.from({ length: 600 }, (_, value) => value + 1).join(', ');
  const text = `${thousands(2)}exclude: [{p0: [${many}]}, {p1: [${many}]}]`;
  expect(() => plan(parseSweep(text, 'x.yaml'))).toThrow(/361,201 cases \(max 250,000\)/);
});

test('a sweep with no trials is rejected when its first trial is requested', () => {
  const text = '{trainer: noop, parameters: {a: {value: 1}}, exclude: [{a: 1}]}';
  const trials = enumerateTrials(parseSweep(text, 'x.yaml'));
  expect(() => trials.next()).toThrow(new BadInputError('sweep x has no trials: exclude drops every point'));
});

test('the first trials of a grid of a billion points are available at once', () => {
  const spec = parseSweep(thousands(3), 'x.yaml');
  expect(plan(spec).trials).toBe(1_000_000_000);
  expect(enumerateTrials(spec).next().value).toMatchObject({ index: 0, parameters: { p0: 1, p1: 1, p2: 1 } });
});

test('consecutive excluded points are skipped together', () => {
  const spec = parseSweep(`${thousands(3)}exclude: [{p0: 1}, {p0: 2, p1: 1}]`, 'x.yaml');
  expect(enumerateTrials(spec).next().value).toMatchObject({ index: 0, parameters: { p0: 2, p1: 2, p2: 1 } });
});
