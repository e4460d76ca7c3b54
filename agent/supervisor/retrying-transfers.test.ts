import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { UploadRetries } from './retrying-transfers.ts';

test('the upload of a file that conflicts with another file is not retried', () => {
  expect(new UploadRetries().isLast(status.ALREADY_EXISTS, 0)).toBe(true);
});

test('if a file does not fit on the disk of the coordinator, its upload is retried for 30 s', () => {
  // The 30 s begin with the first failure for lack of space (FAILED_PRECONDITION). Failures for other reasons do not
  // restart this period.
  const retries = new UploadRetries();
  expect(retries.isLast(status.RESOURCE_EXHAUSTED, 0)).toBe(false);
  expect(retries.isLast(status.FAILED_PRECONDITION, 100_000)).toBe(false);
  expect(retries.isLast(status.FAILED_PRECONDITION, 129_999)).toBe(false);
  expect(retries.isLast(status.UNAVAILABLE, 500_000)).toBe(false);
  expect(retries.isLast(status.FAILED_PRECONDITION, 130_000)).toBe(true);
});

test('an upload that fails with internal errors of the coordinator is retried nine times', () => {
  const retries = new UploadRetries();
  const answers = Array.from({ length: 10 }, () => retries.isLast(status.INTERNAL, 0));
  expect(answers.indexOf(true)).toBe(9);
});

test('an upload to an unavailable or overloaded coordinator is retried without limit', () => {
  const retries = new UploadRetries();
  for (const code of [
    status.UNAVAILABLE,
    status.RESOURCE_EXHAUSTED,
    status.DEADLINE_EXCEEDED,
    'ECONNRESET',
    undefined,
  ]) {
    for (let count = 0; count < 1_000; count++) expect(retries.isLast(code, count * 60_000)).toBe(false);
  }
});
