/** Chooses the attempt of a trial that its results are from. */
import type { Attempt } from '../../proto/gen/trawl/v1/types.ts';

/**
 * Returns the newest attempt, except a second attempt that runs at the same time as another, or was superseded by it;
 * undefined if the trial has no attempt.
 */
export function currentAttempt(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts.findLast(({ hidden }) => !hidden);
}
