/** Compares and formats attempt keys, which identify attempts. */
import type { AttemptKey as KeyMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';

/**
 * Identifies an attempt by the id of its sweep, the id of its trial, and its number. The first attempt of a trial has
 * the number 1.
 */
export type AttemptKey = Readonly<KeyMessage>;

/** Returns an attempt key as one string, `SWEEP/TRIAL/ATTEMPT`, for use as a map key and in messages. */
export function keyText({ sweepId, trialId, attempt }: AttemptKey): string {
  return `${sweepId}/${trialId}/${attempt}`;
}

/** Whether two keys name the same attempt. */
export function sameAttempt(a: AttemptKey, b: AttemptKey): boolean {
  return a.attempt === b.attempt && a.trialId === b.trialId && a.sweepId === b.sweepId;
}
