import { mean } from 'd3-array';
import { expect, test } from 'vitest';
import { randomCoordinate } from './random.ts';

const POINTS = 20_000;
const coordinates = (seed: number, name: string) =>
  Array.from({ length: POINTS }, (_, index) => randomCoordinate(seed, index, name));

test('the coordinates of a random search are uniformly distributed over twenty parts of the range', () => {
  const counts = new Array<number>(20).fill(0);
  for (const u of coordinates(0, 'lr')) {
    expect(u > 0 && u < 1).toBe(true);
    const part = Math.floor(u * 20);
    counts[part] = (counts[part] ?? 0) + 1;
  }
  // Chi-squared with 19 degrees of freedom is below 43.8 with a probability of 99.9%. The result of this test does not
  // vary, because the coordinates depend only on the seed, the index and the name.
  const expected = POINTS / 20;
  expect(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(43.8);
});

test.each([
  ['parameters', coordinates(0, 'lr'), coordinates(0, 'momentum')],
  ['seeds', coordinates(0, 'lr'), coordinates(1, 'lr')],
  ['consecutive points', coordinates(0, 'lr'), coordinates(0, 'lr').slice(1)],
])('the coordinates of different %s are not correlated', (_, a, b) => {
  const product = mean(b, (value, index) => (value - 0.5) * ((a[index] ?? 0) - 0.5)) ?? Number.NaN;
  // The correlation of 20,000 independent pairs has a standard deviation of 0.007.
  expect(Math.abs(product * 12)).toBeLessThan(0.025);
});

test('the coordinates of a random search are the same on every run', () => {
  expect([0, 1].map((index) => randomCoordinate(7, index, 'lr'))).toEqual([0.9178820611676519, 0.8262144605097372]);
});
