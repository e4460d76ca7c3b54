/** Determines the displayed state and the displayed start time of an attempt. */
import type { Attempt } from '../../proto/gen/trawl/v1/types.ts';
import { type AttemptOutcomeName, attemptOutcome } from '../../proto/names.ts';

/** Returns the outcome of an attempt. Until the attempt ends, returns `running`, or `queued` while it waits for its slot. */
export function attemptState({ outcome, queued }: Attempt): AttemptOutcomeName | 'running' | 'queued' {
  if (outcome !== 'ATTEMPT_OUTCOME_UNSPECIFIED') return attemptOutcome.of(outcome);
  return queued ? 'queued' : 'running';
}

/**
 * Returns when the slot began to run an attempt, in Unix milliseconds; 0 if the attempt has not started. If the attempt
 * has started at an unknown time, for example because the coordinator has an older version, returns the time of the
 * grant.
 */
export function attemptStartMs({ startedAtMs, grantedAtMs, queued, outcome }: Attempt): number {
  if (startedAtMs > 0 || queued || outcome === 'ATTEMPT_OUTCOME_RETURNED') return startedAtMs;
  return grantedAtMs;
}
