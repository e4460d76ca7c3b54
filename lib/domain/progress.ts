/** Defines the progress of a sweep as the share of finished trials. */
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { endedTotal, trialTotal } from './trial-state.ts';

export interface SweepProgress {
  /** The number of trials that succeeded, were stopped early, or failed. */
  readonly finished: number;
  readonly total: number;
  /** The finished share of all trials, from 0 to 1. The share is zero for a sweep without trials. */
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
  return { finished, total, share: total === 0 ? 0 : finished / total };
}

/** Shown in place of the remaining time. */
export const NO_ESTIMATE_TEXT = 'no trial finished yet';

/** Whether the remaining time of a sweep is unknown because the sweep runs and none of its trials has finished. */
export function hasNoEstimate(sweep: Sweep): boolean {
  return sweep.timeLeft === undefined && sweepState.of(sweep.state) === 'running' && finishedTotal(sweep) === 0;
}

/** Returns the finished trials and all trials, such as `31/500`. */
export function progressText(sweep: Sweep): string {
  const { finished, total } = sweepProgress(sweep);
  return `${finished}/${total}`;
}

/** Returns the progress as a whole percentage, such as `6%`. Only a complete sweep has `100%`. */
export function sweepPercentText(sweep: Sweep): string {
  return `${Math.floor(sweepProgress(sweep).share * 100)}%`;
}
