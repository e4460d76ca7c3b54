/** Defines the progress of a sweep as the share of finished trials. */
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { endedTotal, trialsToCome, trialTotal } from './trial-state.ts';

export interface SweepProgress {
  /** The number of trials that succeeded, were stopped early, or failed. */
  readonly finished: number;
  readonly total: number;
  /**
   * The finished share of all trials, from 0 to 1. The share is 0 if the sweep has no trials, or if the number of its
   * trials has no limit. If the number of trials is an upper bound, the share is a lower bound.
   */
  readonly share: number;
}

/**
 * Returns the number of trials that succeeded, were stopped early, or failed. Cancelled trials do not count, so that a
 * killed sweep is not complete.
 */
function finishedTotal(sweep: Sweep): number {
  return endedTotal(sweep) - (sweep.counts?.cancelled ?? 0);
}

export function sweepProgress(sweep: Sweep): SweepProgress {
  const finished = finishedTotal(sweep);
  const total = trialTotal(sweep);
  return {
    finished,
    total,
    share: total === 0 || trialsToCome(sweep) === Number.POSITIVE_INFINITY ? 0 : finished / total,
  };
}

/** The text that is shown instead of the remaining time while no trial of a sweep has finished. */
export const NO_ESTIMATE_TEXT = 'no trial finished yet';

/** Whether the remaining time of a sweep is unknown because the sweep runs and none of its trials has finished. */
export function hasNoEstimate(sweep: Sweep): boolean {
  return sweep.timeLeft === undefined && sweepState.of(sweep.state) === 'running' && finishedTotal(sweep) === 0;
}
