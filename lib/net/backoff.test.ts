import { expect, test } from 'vitest';
import { Backoff, backoffDelay } from './backoff.ts';

test('each delay of a backoff is twice the previous delay, up to the limit, and a reset starts from the first delay', () => {
  const backoff = new Backoff(250, 1_500);
  expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([250, 500, 1_000, 1_500, 1_500]);
  backoff.reset();
  expect(backoff.next()).toBe(250);
});

test('the delay of a backoff is the limit even after thousands of retries, and stays 0 if the first delay is 0', () => {
  expect(backoffDelay(5_000, 250, 1_500)).toBe(1_500);
  expect(backoffDelay(3, 0, 1_500)).toBe(0);
});
