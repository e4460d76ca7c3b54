import { expect, test } from 'vitest';
import { Pace } from './sweep-series.ts';

const START = 1_000_000_000_000;
const SECOND = 1000;

test('the time left is estimated from the trials that ended since the first start', () => {
  const pace = new Pace();
  pace.started(START);
  for (let second = 1; second <= 100; second++) pace.ended(START + second * SECOND);
  expect(pace.etaSeconds(50, START + 100 * SECOND)).toBeCloseTo(50, 6);
  expect(pace.etaSeconds(0, START + 100 * SECOND)).toBe(0);
});

test('trials that ended more than ten minutes ago are not counted', () => {
  const pace = new Pace();
  pace.started(START);
  for (let second = 1; second <= 60; second++) pace.ended(START + second * SECOND);
  for (let minute = 11; minute <= 20; minute++) pace.ended(START + minute * 60 * SECOND);
  expect(pace.etaSeconds(10, START + 20 * 60 * SECOND)).toBeCloseTo(600, 6);
});

test('there is no estimate before a trial has ended', () => {
  const pace = new Pace();
  expect(pace.etaSeconds(10, START)).toBeUndefined();
  pace.started(START);
  expect(pace.etaSeconds(10, START + SECOND)).toBeUndefined();
});
