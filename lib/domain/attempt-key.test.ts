import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyText, sameAttempt } from './attempt-key.ts';

const id = fc.constantFrom('1', '11', 'a', '1a', '-');
const key = fc.record({ sweepId: id, trialId: id, attempt: fc.integer({ min: 1, max: 12 }) });

test('two keys identify the same attempt if and only if their texts are equal', () => {
  expect(keyText({ sweepId: '7', trialId: 'ab', attempt: 2 })).toBe('7/ab/2');
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(sameAttempt(a, b)).toBe(keyText(a) === keyText(b));
    }),
  );
});
