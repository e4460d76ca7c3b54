import { expect, test } from 'vitest';
import { fallingRungs, MAX_RUNG, reachedRung, risingRungs } from './rungs.ts';

test('min_iter 3 with eta 3 gives the brackets 3, 9, 27, 81, as documented by Weights & Biases', () => {
  expect(risingRungs(3, 3).slice(0, 4)).toEqual([3, 9, 27, 81]);
});

test('max_iter 27 with s 2 and eta 3 gives the brackets 3 and 9, as documented by Weights & Biases', () => {
  expect(fallingRungs(27, 3, 2)).toEqual([3, 9]);
});

test('fractional rungs are rounded down after the multiplication, and equal rungs are merged', () => {
  expect(risingRungs(1, 1.5, 8)).toEqual([1, 2, 3, 5, 7]);
  expect(fallingRungs(5, 2, 2)).toEqual([1, 2]);
  expect(fallingRungs(5, 2, 9)).toEqual([1, 2]);
});

test('no rung is at max_iter or above', () => {
  expect(risingRungs(1, 3, 9)).toEqual([1, 3]);
  expect(risingRungs(1, 10).at(-1)).toBe(MAX_RUNG);
});

test('the rung that a trial reached is the highest rung at or below the position of the trial', () => {
  expect([2, 3, 8.5, 9, 100].map((position) => reachedRung([3, 9], position))).toEqual([undefined, 3, 3, 9, 9]);
});
