import { expect, test } from 'vitest';
import { errorMessage } from './error-message.ts';

test('an error has its own message, and any other thrown value is converted to text', () => {
  expect(errorMessage(new TypeError('no such file'))).toBe('no such file');
  expect(['plain', undefined, 7].map(errorMessage)).toEqual(['plain', 'undefined', '7']);
});
