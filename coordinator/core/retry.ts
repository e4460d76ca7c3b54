/** Decides whether and when the trial of a failed attempt is retried. */
import { backoffDelay } from '../../lib/net/backoff.ts';
import type { FailureClassName } from '../../proto/names.ts';
import type { RetryBudget } from './policy.ts';

/** A trial fails after this many lost attempts, so that a trial that crashes machines is not retried forever. */
export const MAX_LOST_ATTEMPTS = 10;
/**
 * The loss of an attempt that was only queued is not charged to its trial. After this many losses without a charge, the
 * trial is charged for such a loss, too.
 */
export const MAX_FREE_LOSSES = 10;
/**
 * A trial fails after this many drained attempts, so that no trial is retried forever. The limit is far above the
 * number of drains that users cause.
 */
export const MAX_DRAINED_ATTEMPTS = 100;
/** The longest backoff before a retry, in milliseconds. */
export const MAX_BACKOFF_MS = 5 * 60_000;

export type RetryDecision = { readonly retry: true; readonly delayMs: number } | { readonly retry: false };

function allowedRetries(failure: FailureClassName, budget: RetryBudget): number {
  switch (failure) {
    case 'oom':
    case 'crash':
    case 'timeout':
      return budget[failure];
    case 'preflight':
      // The machine (disk, data set or library) causes this failure, so a retry later or on another machine can
      // succeed.
      return budget.crash;
    case 'lost':
      return MAX_LOST_ATTEMPTS - 1;
    case 'drained':
      return MAX_DRAINED_ATTEMPTS - 1;
    case 'nan':
    case 'rejected':
      return 0;
  }
}

/**
 * Decides whether to retry the trial after a failure.
 * @param failure the class of the attempt's failure
 * @param failedSoFar the number of failures of this class that are charged to the trial, including this failure
 */
export function decideRetry(failure: FailureClassName, failedSoFar: number, budget: RetryBudget): RetryDecision {
  if (failedSoFar > allowedRetries(failure, budget)) return { retry: false };
  // The loss or the drain of an agent is no evidence against the trial.
  if (failure === 'lost' || failure === 'drained') return { retry: true, delayMs: 0 };
  return { retry: true, delayMs: backoffDelay(failedSoFar, budget.backoffMs, MAX_BACKOFF_MS) };
}
