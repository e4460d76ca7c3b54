/**
 * If a coordinator is killed, its store still contains sweeps and trials in the state `running`. Readers of the store
 * see `interrupted` instead, because it is unknown whether the trials still run, and their results cannot arrive until
 * a coordinator starts.
 */
import type { Attempt, Sweep, Trial, TrialCounts } from '../../proto/gen/trawl/v1/types.ts';

/** Returns a sweep as readers see it while no coordinator runs. A paused or ended sweep keeps its state. */
export function interruptedSweep(sweep: Sweep): Sweep {
  const counts = sweep.counts && interruptedCounts(sweep.counts);
  const isActive = sweep.state === 'SWEEP_STATE_RUNNING' || sweep.state === 'SWEEP_STATE_STOPPING';
  return { ...sweep, counts, state: isActive ? 'SWEEP_STATE_INTERRUPTED' : sweep.state };
}

/**
 * Returns a trial as readers see it while no coordinator runs: a running trial is interrupted, and an offered trial is
 * pending.
 */
export function interruptedTrial<Part extends Pick<Trial, 'state'>>(trial: Part): Part {
  switch (trial.state) {
    case 'TRIAL_STATE_RUNNING':
      return { ...trial, state: 'TRIAL_STATE_INTERRUPTED' };
    case 'TRIAL_STATE_OFFERED':
      return { ...trial, state: 'TRIAL_STATE_PENDING' };
    default:
      return trial;
  }
}

/** Returns an attempt as readers see it while no coordinator runs. */
export function interruptedAttempt(attempt: Attempt): Attempt {
  return attempt.outcome === 'ATTEMPT_OUTCOME_UNSPECIFIED'
    ? { ...attempt, outcome: 'ATTEMPT_OUTCOME_INTERRUPTED' }
    : attempt;
}

function interruptedCounts(counts: TrialCounts): TrialCounts {
  const { pending, offered, running, interrupted } = counts;
  return { ...counts, pending: pending + offered, offered: 0, running: 0, interrupted: interrupted + running };
}
