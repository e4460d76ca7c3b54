/** Determines whether trials and sweeps have ended, and counts the ended trials. */
import type { Sweep, Trial, TrialCounts, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState, type TrialStateName, trialState } from '../../proto/names.ts';

const ENDED_TRIAL: ReadonlySet<TrialState> = new Set(
  (['succeeded', 'stopped', 'failed', 'cancelled'] as const).map(trialState.to),
);
const ENDED_SWEEP: ReadonlySet<string> = new Set(['finished', 'stopped', 'killed']);

/** Whether the trial has ended. A retry can make an ended trial pending again. */
export const trialEnded = (trial: Trial): boolean => ENDED_TRIAL.has(trial.state);

/** Whether the sweep has ended. A retry can make an ended sweep run again. */
export const sweepEnded = (sweep: Sweep): boolean => ENDED_SWEEP.has(sweepState.of(sweep.state));

/** Whether the sweep is paused and none of its trials is running. The sweep makes no progress until it is resumed. */
export function isPausedAndIdle({ state, counts }: Sweep): boolean {
  return sweepState.of(state) === 'paused' && (counts?.running ?? 0) === 0;
}

/**
 * Returns the state that tables show. An offered trial is shown as pending, because the difference between the two
 * states matters only to the coordinator.
 */
export function shownState(state: TrialState): TrialStateName {
  const name = trialState.of(state);
  return name === 'offered' ? 'pending' : name;
}

/**
 * Returns the name of the count that includes a trial: the state of the trial, or `dropped` if the trial has ended and
 * its point was dropped.
 */
export function countedAs(trial: Pick<Trial, 'state' | 'droppedIn'>): keyof TrialCounts {
  const isDropped = (trial.droppedIn ?? 0) > 0 && ENDED_TRIAL.has(trial.state);
  return isDropped ? 'dropped' : trialState.of(trial.state);
}

/** Returns a record that counts no trials. */
export function noCounts(): TrialCounts {
  return {
    pending: 0,
    offered: 0,
    running: 0,
    succeeded: 0,
    stopped: 0,
    failed: 0,
    cancelled: 0,
    interrupted: 0,
    dropped: 0,
    held: 0,
  };
}

/** Returns the number of trials that a sweep has created, dropped trials included. */
function createdTotal(sweep: Sweep): number {
  return presentTotal(sweep) + (sweep.counts?.dropped ?? 0);
}

/** Returns the number of created trials, except ended trials whose points were dropped. */
export function presentTotal(sweep: Sweep): number {
  const { pending, offered, running, held, interrupted } = sweep.counts ?? noCounts();
  return pending + offered + running + held + interrupted + endedTotal(sweep);
}

/** Returns the number of trials that a sweep has not created yet. Infinite if its search has no limit. */
export function trialsToCome(sweep: Sweep): number {
  if (!sweep.searching) return 0;
  return sweep.planned === undefined ? Number.POSITIVE_INFINITY : Math.max(0, sweep.planned - createdTotal(sweep));
}

/** Whether the sweep can end with fewer trials than `trialTotal`. */
export const isUpperBound = (sweep: Sweep): boolean =>
  sweep.plannedAtMost && sweep.searching && trialsToCome(sweep) > 0 && sweep.planned !== undefined;

/**
 * Returns the number of trials of a sweep, including trials that are not created yet. Ended trials whose points were
 * dropped do not count. If the search has no limit, returns the number of trials created so far.
 */
export function trialTotal(sweep: Sweep): number {
  const toCome = trialsToCome(sweep);
  return presentTotal(sweep) + (Number.isFinite(toCome) ? toCome : 0);
}

/** Returns the number of trials that have ended in any of the four final states. Dropped trials do not count. */
export function endedTotal(sweep: Sweep): number {
  const counts = sweep.counts;
  return counts === undefined ? 0 : counts.succeeded + counts.stopped + counts.failed + counts.cancelled;
}
