import { expect, test } from 'vitest';
import { errorMessage } from './error-message.ts';

test('errorMessage returns the message of an error, and converts any other thrown value to text', () => {
  expect(errorMessage(new TypeError('no such file'))).toBe('no such file');
  expect(['plain', undefined, 7].map(errorMessage)).toEqual(['plain', 'undefined', '7']);
});
