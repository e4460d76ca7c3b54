import { expect, test } from 'vitest';
import { parseRetriedFailures } from './retry.ts';

test('`failed` selects every failed trial, and a failure class selects only the trials that failed with this class', () => {
  expect(parseRetriedFailures('failed')).toEqual({ failed: true, failures: [] });
  expect(parseRetriedFailures('oom, lost')).toEqual({
    failed: false,
    failures: ['FAILURE_CLASS_OOM', 'FAILURE_CLASS_LOST'],
  });
  expect(parseRetriedFailures('oom,failed')).toEqual({ failed: true, failures: [] });
});

test.each(['', 'all', 'oom,', 'rejected'])('%j is rejected, and the error lists the allowed choices', (text) => {
  expect(() => parseRetriedFailures(text)).toThrow('Allowed choices are failed, oom, nan, crash, lost');
});

test('the error for a misspelt class suggests the nearest class', () => {
  expect(() => parseRetriedFailures('timeuot')).toThrow('did you mean "timeout"?');
});
