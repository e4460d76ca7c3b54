import { groups } from 'd3-array';
import { expect, test } from 'vitest';
import { parseSweep } from '../sweepfile/parse.ts';
import { enumerateTrials } from './enumerate.ts';
import { samplePoints } from './sample.ts';

const parse = (text: string) => parseSweep(text, 's.yaml');

test('a sample larger than the grid is the whole grid after `exclude` and `when`', () => {
  const spec = parse(`
trainer: noop
parameters: {a: {values: [1, 2, 3]}, b: {values: [x, y]}, epochs: {value: 4}}
exclude: [{a: 3, b: y}]
when: [{if: {a: 1}, set: {b: z}}]
`);
  const sample = samplePoints(spec, 100).map(({ a, b }) => `${a}${b}`);
  expect(sample).toEqual(['1z', '1z', '2x', '2y', '3x']);
  expect(new Set(sample)).toEqual(new Set([...enumerateTrials(spec)].map(({ parameters: { a, b } }) => `${a}${b}`)));
});

test('a grid of 10^9 points is sampled immediately, and the values of each axis occur about equally often', () => {
  const axis = (name: string) => `${name}: {min: 1, max: 10, step: 1}`;
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
  const spec = parse(`trainer: noop\nparameters: {${names.map(axis).join(', ')}}\n`);
  const sample = samplePoints(spec, 2000);
  expect(sample).toHaveLength(2000);
  for (const name of names) {
    const counts = groups(sample, (point) => point[name]).map(([, points]) => points.length);
    expect(counts, name).toHaveLength(10);
    expect(Math.min(...counts), name).toBeGreaterThan(150);
  }
});

test.each(['random', 'sobol', 'tpe'])(
  'the points of method %s are in the space of the search, and run_cap limits the number of points',
  (method) => {
    const spec = parse(
      `trainer: noop\nmethod: ${method}\nrun_cap: 7\nparameters: {x: {distribution: uniform, min: 1, max: 2}, y: {value: 3}}\n`,
    );
    const sample = samplePoints(spec, 100);
    expect(sample).toHaveLength(7);
    for (const { x, y } of sample) expect([Number(x) >= 1 && Number(x) <= 2, y]).toEqual([true, 3]);
  },
);
