/** Changes a sweep to a new version of its file. */
import { canonicalJson } from '../../proto/values.ts';
import type { SourceState, TrialSource } from '../search/trial-source.ts';
import { newEarlyStopping } from './early-stopping.ts';
import { type Core, isEnded, type Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { releaseGates, stopHeldTrials } from './promotions.ts';
import { insertInOrder, retryTrial } from './retry-trials.ts';
import { resetLevel } from './share.ts';
import { type Change, type NewVersion, type Step, stepOf } from './step.ts';
import { FINAL_STATES, type FinalState, isFinal, type Trial } from './trial-model.ts';
import {
  closeIfDone,
  DROPPED_DETAIL,
  isUnfinished,
  moveTrial,
  setSweepState,
  withdrawSpeculativeOffer,
} from './trials.ts';

export interface ApplyRequest {
  /** A sweep in the core, or a sweep that has ended and that the caller has loaded from the store. */
  readonly sweep: Sweep;
  readonly version: NewVersion;
  /** The total number of trials, dropped trials included. Infinite if the search has no limit. */
  readonly planned: number;
  /** The source that creates further trials. */
  readonly search: {
    readonly source: TrialSource;
    readonly state: SourceState;
    /** Whether the source has no further trials. */
    readonly done: boolean;
  };
  /** The ids of trials whose points the new version lacks. */
  readonly dropped: readonly string[];
  /** The number of `dropped` trials that have ended, by final state. Default: none. */
  readonly droppedEnds?: Readonly<Partial<Record<FinalState, number>>>;
  /** The ids of dropped trials whose points the new version has again. */
  readonly restored: readonly string[];
  /** The ids of trials that were cancelled when the sweep ended, and whose points the new version keeps. */
  readonly resumed: readonly string[];
}

/**
 * Changes a sweep to a new version. A dropped trial is cancelled if it is pending, offered or held. If it is running,
 * it continues, but is not retried. Resumed trials, and restored trials that were cancelled, are pending again. If an
 * ended sweep has trials to run again, it is added to the core and runs. The caller must first check that the sweep may
 * change to this version.
 */
export function onApply(core: Core, request: ApplyRequest, now: number): Step {
  const { sweep, version, planned, search, dropped, droppedEnds = {}, restored, resumed } = request;
  const ended = isEnded(sweep.state);
  const { state, done } = search;
  const changes: Change[] = [{ kind: 'applied', sweepId: sweep.id, version, planned, state, done, dropped, restored }];
  sweep.version = version.number;
  sweep.planned = planned;
  sweep.search = done ? undefined : { source: search.source, state };
  changes.push(...changePolicy(sweep, version, ended, now));
  for (const state of FINAL_STATES) sweep.dropped[state] += droppedEnds[state] ?? 0;
  for (const trial of trialsOf(sweep, dropped)) changes.push(...drop(sweep, trial));
  const requestId = `${sweep.id}/${version.number}`;
  const again = trialsOf(sweep, [...restored, ...resumed]);
  const retries = again.flatMap((trial) => restore(sweep, trial, requestId));
  if (!ended) return stepOf([...changes, ...retries, ...stopHeldTrials(sweep, now), ...closeIfDone(sweep)]);
  if (isUnfinished(sweep)) {
    insertInOrder(core, sweep);
    sweep.consecutiveFailures = [];
    changes.push(setSweepState(sweep, 'running', ''));
  }
  return stepOf([...changes, ...retries]);
}

/**
 * Returns whether the new version changes the early-stopping rule. If so, the scores and curves that the new rule needs
 * must be loaded from the store.
 */
export function hasNewRule(before: SweepPolicy, after: SweepPolicy): boolean {
  const text = ({ earlyTerminate }: SweepPolicy) => canonicalJson(JSON.parse(JSON.stringify(earlyTerminate ?? null)));
  return text(before) !== text(after);
}

function changePolicy(sweep: Sweep, { policy, priority }: NewVersion, ended: boolean, now: number): Change[] {
  const before = { ...sweep.policy, priority: sweep.priority };
  sweep.policy = policy;
  sweep.priority = priority;
  if (!ended && (before.priority !== priority || before.weight !== policy.weight)) resetLevel(sweep, now);
  if (!hasNewRule(before, policy)) return [];
  const previous = sweep.earlyStopping;
  sweep.earlyStopping = newEarlyStopping(policy);
  const promotes = (previous?.promotion ?? sweep.earlyStopping?.promotion) !== undefined;
  return promotes ? releaseGates(sweep) : [];
}

function trialsOf({ trials }: Sweep, ids: readonly string[]): Trial[] {
  return ids.flatMap((id) => trials.get(id) ?? []);
}

function drop(sweep: Sweep, trial: Trial): Change[] {
  trial.dropped = true;
  withdrawSpeculativeOffer(sweep, trial);
  if (trial.state !== 'pending' && trial.state !== 'offered' && trial.state !== 'held') return [];
  return [moveTrial(sweep, trial, 'cancelled', { detail: DROPPED_DETAIL })];
}

/**
 * Restores a dropped trial, or resumes a trial that was cancelled when the sweep ended. A cancelled trial is pending
 * again, as after a retry.
 */
function restore(sweep: Sweep, trial: Trial, requestId: string): Change[] {
  if (trial.dropped && isFinal(trial.state)) sweep.dropped[trial.state] -= 1;
  trial.dropped = false;
  return trial.state === 'cancelled' ? [retryTrial(sweep, trial, requestId)] : [];
}
