/** Whether a failed attempt's trial is tried again, and when. */
import type { FailureClassName } from '../../proto/names.ts';
import type { RetryBudget } from './model.ts';

/** Attempts that may be lost with their agents before the trial is given up: a trial that kills machines ends too. */
export const MAX_LOST_ATTEMPTS = 10;
/** Attempts that agents may hand back as they are drained: more than people do, so that nothing goes round for ever. */
export const MAX_DRAINED_ATTEMPTS = 100;
/** The longest wait before a retry. */
export const MAX_BACKOFF_MS = 5 * 60_000;

export type RetryDecision = { readonly retry: true; readonly delayMs: number } | { readonly retry: false };

/** Attempts that a class of failure may cost a trial beyond its first. */
export function allowance(failure: FailureClassName, budget: RetryBudget): number {
  switch (failure) {
    case 'oom':
    case 'crash':
    case 'timeout':
      return budget[failure];
    case 'preflight':
      // The machine's fault (disk, data set, library): another agent, or the same a little later, may do.
      return budget.crash;
    case 'lost':
      return MAX_LOST_ATTEMPTS - 1;
    case 'drained':
      return MAX_DRAINED_ATTEMPTS - 1;
    case 'nan':
    case 'rejected':
      // The same parameters give the same result.
      return 0;
  }
}

/**
 * @param failure how the attempt failed
 * @param failedSoFar attempts of this trial that failed so, this one included
 */
export function decideRetry(failure: FailureClassName, failedSoFar: number, budget: RetryBudget): RetryDecision {
  if (failedSoFar > allowance(failure, budget)) return { retry: false };
  // An agent that is lost or goes says nothing about the trial, so nothing is gained by waiting.
  if (failure === 'lost' || failure === 'drained') return { retry: true, delayMs: 0 };
  return { retry: true, delayMs: Math.min(budget.backoffMs * 2 ** (failedSoFar - 1), MAX_BACKOFF_MS) };
}
