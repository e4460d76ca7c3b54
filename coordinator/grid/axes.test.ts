import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Axis, listedAxis, steppedAxis } from './axes.ts';

function steps(min: number, max: number, step: number): Axis {
  const axis = steppedAxis('x', { min, max, step });
  if (typeof axis === 'string') throw new Error(axis);
  return axis;
}

function values(axis: Axis) {
  return Array.from({ length: axis.size }, (_, index) => axis.at(index));
}

test('the values of an axis in steps of 0.1 have no rounding errors', () => {
  expect(values(steps(0, 1, 0.1))).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
});

test('the values of a stepped axis can cross zero, and do not include a maximum that no step reaches', () => {
  expect(values(steps(-0.2, 0.25, 0.1))).toEqual([-0.2, -0.1, 0, 0.1, 0.2]);
  expect(Object.is(steps(-0.2, 0.2, 0.1).at(2), 0)).toBe(true);
});

test('the values of an axis with very large or very small steps are exact', () => {
  expect(values(steps(1e-9, 3e-9, 1e-9))).toEqual([1e-9, 2e-9, 3e-9]);
  expect(values(steps(1e12, 3e12, 1e12))).toEqual([1e12, 2e12, 3e12]);
});

test('the values of an axis of a billion steps are computed only on access', () => {
  const axis = steps(0, 1, 1e-9);
  expect(axis.size).toBe(1_000_000_001);
  expect(axis.at(123_456_789)).toBe(0.123456789);
  expect(axis.indexOf(0.123456789)).toBe(123_456_789);
});

test('on a stepped axis, `indexOf` is the inverse of `at`', () => {
  const bounds = fc.record({
    from: fc.integer({ min: -1_000_000, max: 1_000_000 }),
    by: fc.integer({ min: 1, max: 10_000 }),
    count: fc.integer({ min: 1, max: 1_000 }),
    exponent: fc.integer({ min: -12, max: 3 }),
  });
  fc.assert(
    fc.property(bounds, fc.nat(), ({ from, by, count, exponent }, pick) => {
      const number = (digits: number) => Number(`${digits}e${exponent}`);
      const axis = steps(number(from), number(from + by * count), number(by));
      expect(axis.size).toBe(count + 1);
      const index = pick % axis.size;
      expect(axis.indexOf(axis.at(index))).toBe(index);
    }),
  );
});

test('values between the steps or outside the range are not on the axis', () => {
  const axis = steps(0, 1, 0.25);
  expect([0.1, -0.25, 1.25, 1e-300, 'x', true].map((value) => axis.indexOf(value))).toEqual([-1, -1, -1, -1, -1, -1]);
});

test.each([
  [{ min: 0, max: 1, step: 0 }, 'step must be greater than 0, got 0'],
  [{ min: 0, max: 1, step: -1 }, 'step must be greater than 0, got -1'],
  [{ min: 1, max: 0, step: 1 }, 'max (0) is less than min (1)'],
  [{ min: 0, max: 1, step: 2 }, 'step (2) is greater than max - min; for a single value, write "value: 0"'],
  [{ min: 1, max: 2, step: 1e-16 }, 'step (1e-16) is too small: the values need more than 15 digits'],
])('the axis %j is rejected with a reason', (bounds, why) => {
  expect(steppedAxis('x', bounds)).toBe(why);
});

test('a listed axis finds values by type and content, and -0 equals 0', () => {
  const axis = listedAxis('x', ['3', 3, true, -0]);
  expect([3, '3', true, 0, -0, 'true'].map((value) => axis.indexOf(value))).toEqual([1, 0, 2, 3, 3, -1]);
  expect(Object.is(axis.at(3), 0)).toBe(true);
});

test('an index outside an axis throws an error', () => {
  expect(() => listedAxis('x', [1]).at(1)).toThrow(RangeError);
  expect(() => steps(0, 1, 1).at(2)).toThrow(RangeError);
});
