/** Chooses the attempt that provides the results of a trial. */
import type { Attempt } from '../../proto/gen/trawl/v1/types.ts';

/**
 * Returns the newest attempt that is not hidden. A hidden attempt is a second attempt that runs concurrently with
 * another attempt, or that another attempt superseded. Returns undefined if the trial has no attempt.
 */
export function currentAttempt(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts.findLast(({ hidden }) => !hidden);
}
