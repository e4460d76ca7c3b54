import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FailureClassName } from '../../proto/names.ts';
import type { RetryBudget } from './policy.ts';
import { decideRetry, MAX_BACKOFF_MS, MAX_DRAINED_ATTEMPTS, MAX_LOST_ATTEMPTS } from './retry.ts';

const BUDGET: RetryBudget = { oom: 1, crash: 2, timeout: 3, backoffMs: 2_000 };

function attemptsOf(failure: FailureClassName, budget: RetryBudget): number {
  let failed = 1;
  while (decideRetry(failure, failed, budget).retry) failed += 1;
  return failed;
}

describe('the number of attempts for each class of failure', () => {
  test.each<[FailureClassName, number]>([
    ['oom', 2],
    ['crash', 3],
    ['preflight', 3],
    ['timeout', 4],
    ['lost', MAX_LOST_ATTEMPTS],
    ['drained', MAX_DRAINED_ATTEMPTS],
    ['nan', 1],
    ['rejected', 1],
  ])('if every attempt fails with %s, a trial has %i attempts', (failure, attempts) => {
    expect(attemptsOf(failure, BUDGET)).toBe(attempts);
  });

  test('a retry budget of 0 allows no retry', () => {
    const none = { oom: 0, crash: 0, timeout: 0, backoffMs: 2_000 };
    for (const failure of ['oom', 'crash', 'preflight', 'timeout'] as const) expect(attemptsOf(failure, none)).toBe(1);
  });

  test('trials that diverged or were rejected are never retried', () => {
    const large = fc.record({ oom: fc.nat(), crash: fc.nat(), timeout: fc.nat(), backoffMs: fc.nat() });
    fc.assert(
      fc.property(large, fc.constantFrom('nan' as const, 'rejected' as const), (budget, failure) => {
        expect(decideRetry(failure, 1, budget)).toEqual({ retry: false });
      }),
    );
  });
});

describe('the delay before a retry depends on the failure', () => {
  test('the delay before a retry doubles with each failure of the class, up to a maximum', () => {
    const budget = { ...BUDGET, crash: 1_000 };
    const decisions = [1, 2, 3, 8, 9, 1_000].map((failed) => decideRetry('crash', failed, budget));
    expect(decisions.map((decision) => decision.retry && decision.delayMs)).toEqual([
      2_000,
      4_000,
      8_000,
      256_000,
      MAX_BACKOFF_MS,
      MAX_BACKOFF_MS,
    ]);
  });

  test.each(['lost', 'drained'] as const)('the delay before a retry is zero after an attempt was %s', (failure) => {
    expect(decideRetry(failure, 5, BUDGET)).toEqual({ retry: true, delayMs: 0 });
  });
});
