import { expect, test } from 'vitest';
import { expiryState } from './expiry.ts';

const DAY_S = 86_400;
const NOW = 1_700_000_000;

test.each([
  [NOW + 8 * DAY_S, 'valid'],
  [NOW + 7 * DAY_S + 1, 'valid'],
  [NOW + 7 * DAY_S, 'soon'],
  [NOW + 1, 'soon'],
  [NOW, 'expired'],
  [NOW - 1, 'expired'],
])('the state of a certificate that expires at %i is %s', (expires, state) => {
  expect(expiryState(expires, NOW * 1_000)).toBe(state);
});
