import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shuffledIndex } from './permutation.ts';

const order = (size: number, seed: number) =>
  Array.from({ length: size }, (_, position) => shuffledIndex(position, size, seed));

test('the shuffled order contains every index exactly once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer(), (size, seed) => {
      expect(order(size, seed).sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, index) => index));
    }),
  );
});

test('the shuffled order of a grid depends only on the seed', () => {
  expect(order(100, 1)).toEqual(order(100, 1));
  expect(order(100, 1)).not.toEqual(order(100, 2));
});

test('the shuffled indexes of the largest grid are distinct and within the grid', () => {
  const size = Number.MAX_SAFE_INTEGER;
  const positions = [...Array.from({ length: 500 }, (_, index) => index), size - 2, size - 1];
  const indexes = positions.map((position) => shuffledIndex(position, size, 7));
  expect(new Set(indexes).size).toBe(positions.length);
  expect(indexes.every((index) => Number.isSafeInteger(index) && index >= 0 && index < size)).toBe(true);
});

test('each quarter of the shuffled order contains indexes of each quarter of the grid', () => {
  const shuffled = order(400, 3);
  for (const quarter of [0, 1, 2, 3]) {
    const quarters = shuffled.slice(quarter * 100, quarter * 100 + 100).map((index) => Math.floor(index / 100));
    for (const other of [0, 1, 2, 3]) expect(quarters.filter((one) => one === other).length).toBeGreaterThan(10);
  }
});
