/** Adds start times to attempts. An attempt starts when its slot begins to run it. */
import { attemptMs } from '../../lib/domain/slot-time.ts';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Attempt, Trial } from '../../proto/gen/trawl/v1/types.ts';

/**
 * The time at which a slot began to run an attempt, in Unix milliseconds, or `queued` if the attempt has not started.
 */
export type AttemptStart = number | 'queued';

/**
 * Returns the attempts of a trial with the times of their starts. The start of an ended attempt is computed from its
 * end and its duration.
 * @param startOf returns the start of an attempt that has not ended; undefined if the start is unknown
 */
export function withStarts(
  attempts: readonly Attempt[],
  { sweepId, id: trialId, leasedMs }: Pick<Trial, 'sweepId' | 'id' | 'leasedMs'>,
  startOf: (key: AttemptKey) => AttemptStart | undefined,
): Attempt[] {
  return attempts.map((attempt) => {
    const { number, outcome, grantedAtMs, endedAtMs } = attempt;
    if (outcome === 'ATTEMPT_OUTCOME_RETURNED') return attempt;
    if (endedAtMs > 0) return { ...attempt, startedAtMs: endedAtMs - attemptMs({ grantedAtMs, endedAtMs, leasedMs }) };
    const start = startOf({ sweepId, trialId, attempt: number }) ?? grantedAtMs;
    return start === 'queued' ? { ...attempt, queued: true } : { ...attempt, startedAtMs: start };
  });
}
