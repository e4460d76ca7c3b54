import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digitsOf } from './points.ts';

function indexOf(sizes: readonly number[], digits: readonly number[]): number {
  return sizes.reduce((index, size, dimension) => index * size + (digits[dimension] ?? 0), 0);
}

test('each digit of an index is within the size of its dimension, and the digits convert back to the index', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 8 });
  fc.assert(
    fc.property(sizes, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (radices, share) => {
      const total = radices.reduce((product, size) => product * size, 1);
      const index = Math.floor(share * total);
      const digits = digitsOf(radices, index);
      expect(digits.every((digit, position) => digit >= 0 && digit < (radices[position] ?? 0))).toBe(true);
      expect(indexOf(radices, digits)).toBe(index);
    }),
  );
});

test('the last dimension of a grid varies fastest', () => {
  expect([0, 1, 2, 3, 4, 5].map((index) => digitsOf([2, 3], index).join(''))).toEqual([
    '00',
    '01',
    '02',
    '10',
    '11',
    '12',
  ]);
});

test('the digits of an index are exact up to the largest safe integer', () => {
  const sizes = [1e5, 1e5, 9e5];
  const last = 9e15 - 1;
  expect(digitsOf(sizes, last)).toEqual([99_999, 99_999, 899_999]);
  expect(indexOf(sizes, digitsOf(sizes, last))).toBe(last);
});
