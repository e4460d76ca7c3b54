import type { Sweep, Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState, trialState } from '../../proto/names.ts';

const ENDED_TRIAL: ReadonlySet<TrialState> = new Set(
  (['succeeded', 'stopped', 'failed', 'cancelled'] as const).map(trialState.to),
);
const ENDED_SWEEP: ReadonlySet<string> = new Set(['finished', 'stopped', 'killed']);

/** Whether nothing more will happen to the trial. */
export const trialEnded = (trial: Trial): boolean => ENDED_TRIAL.has(trial.state);

/** Whether nothing more will happen to the sweep. */
export const sweepEnded = (sweep: Sweep): boolean => ENDED_SWEEP.has(sweepState.of(sweep.state));

/** Trials of the sweep in all. */
export function trialTotal(sweep: Sweep): number {
  const counts = sweep.counts;
  return counts === undefined ? 0 : counts.pending + counts.offered + counts.running + endedTotal(sweep);
}

/** Trials that have ended, one way or another. */
export function endedTotal(sweep: Sweep): number {
  const counts = sweep.counts;
  return counts === undefined ? 0 : counts.succeeded + counts.stopped + counts.failed + counts.cancelled;
}
