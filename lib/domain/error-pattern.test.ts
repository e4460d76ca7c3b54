import { expect, test } from 'vitest';
import { errorPattern } from './error-pattern.ts';

test.each([
  ['loss is 0.613 at step 1200', 'loss is 1e-07 at step 3'],
  ['shape mismatch in /tmp/run-29/layer16.py at 0x8cede85f', 'shape mismatch in /tmp/run-7/blocks/layer32.py at 0x1f'],
  ["No such file or directory: 'data/a.npz'", "No such file or directory: 'data/train/b.npz'"],
  ['cannot open C:\\data\\a.npz', 'cannot open D:\\cache\\b.npz'],
  ['10.0.0.3:4222 refused the connection', '10.0.12.250:7070 refused the connection'],
  ['no checkpoint 3f2a91bc04de', 'no checkpoint 99aa00ffee01'],
  ['run 123e4567-e89b-12d3-a456-426614174000 is gone', 'run 00000000-1111-2222-3333-444444444444 is gone'],
  ['GET https://host/a?x=1 failed', 'GET https://other:80/b/c failed'],
  ['CUDA out of memory. Tried to allocate 1.87 GiB', 'CUDA out of memory. Tried to allocate 8.3 GiB'],
  ['expected batch -1', 'expected batch 4'],
])('"%s" and "%s" have the same pattern', (one, other) => {
  expect(errorPattern(one)).toBe(errorPattern(other));
});

test.each([
  ['python3 exited with code 1', 'python3 exited with code 137'],
  ['[Errno 2] cannot read', '[Errno 28] cannot read'],
  ['killed by signal 9', 'killed by signal 11'],
  ['HTTP status 404', 'HTTP status 503'],
  ["No module named 'torch'", "No module named 'jax'"],
  ['loss is nan', 'loss is 3'],
  ['bad face', 'bad decade'],
])('"%s" and "%s" have different patterns', (one, other) => {
  expect(errorPattern(one)).not.toBe(errorPattern(other));
});

test('in a pattern, # replaces a number and PATH replaces a path, but exit codes are kept', () => {
  expect(errorPattern('bad batch 17 in /data/a.npz (exited with code 3)')).toBe(
    'bad batch # in PATH (exited with code 3)',
  );
});

test('the pattern of a long message is computed within a second', () => {
  const started = performance.now();
  for (const text of [
    'a'.repeat(100_000),
    '1.'.repeat(50_000),
    'a/'.repeat(50_000),
    'f1'.repeat(50_000),
    '-'.repeat(100_000),
  ])
    errorPattern(text);
  expect(performance.now() - started).toBeLessThan(1_000);
});
