/** Chooses the attempt that provides the results of a trial. */
import type { Attempt } from '../../proto/gen/trawl/v1/types.ts';

/**
 * Returns the newest attempt that is not hidden. An attempt is hidden if another attempt of the trial runs or ran at
 * the same time, and provides the trial's results. Returns undefined if the trial has no attempt.
 */
export function currentAttempt(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts.findLast(({ hidden }) => !hidden);
}
