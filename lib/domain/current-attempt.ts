/** Chooses the attempt that provides the results of a trial. */
import type { Attempt } from '../../proto/gen/trawl/v1/types.ts';

/**
 * Returns the newest attempt. A second attempt is skipped if it runs concurrently with another attempt, or was
 * superseded by another attempt. Returns undefined if the trial has no attempt.
 */
export function currentAttempt(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts.findLast(({ hidden }) => !hidden);
}
