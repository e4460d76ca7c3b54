import { expect, test } from 'vitest';
import { errorMessage } from './error-message.ts';

test('the message of an error is its message, and the message of any other thrown value is its text', () => {
  expect(errorMessage(new TypeError('no such file'))).toBe('no such file');
  expect(['plain', undefined, 7].map(errorMessage)).toEqual(['plain', 'undefined', '7']);
});
