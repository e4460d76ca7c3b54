/** Adds, pauses, resumes, stops and kills sweeps, kills single trials, and changes priorities. */

import TinyQueue from 'tinyqueue';
import { ownValue } from '../../lib/domain/own-value.ts';
import { reachesTarget, targetReason } from '../../lib/domain/target.ts';
import { NotFoundError, RejectedError } from '../../proto/errors.ts';
import { newEarlyStopping } from './early-stopping.ts';
import { type Core, isEnded, type Sweep, type SweepState } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { stopHeldTrials } from './promotions.ts';
import { cancelTrial } from './release.ts';
import { newShare, resetLevel } from './share.ts';
import { newSlotTimeMeter } from './slot-time.ts';
import { type Change, combine, NO_STEP, type Step, stepOf } from './step.ts';
import { newDurations } from './stragglers.ts';
import type { Trial } from './trial-model.ts';
import { byIndex, closeIfDone, moveTrial, setSweepState, withdrawOffers } from './trials.ts';
import { newWarnings } from './warnings.ts';

/** Returns a sweep without trials; `addTrial` adds them. */
export function newSweep(id: string, state: SweepState, policy: SweepPolicy, priority: number): Sweep {
  return {
    id,
    policy,
    version: 1,
    state,
    priority,
    share: newShare(),
    slotTime: newSlotTimeMeter(),
    search: undefined,
    planned: 0,
    trials: new Map(),
    counts: { pending: 0, offered: 0, running: 0, held: 0, succeeded: 0, stopped: 0, failed: 0, cancelled: 0 },
    dropped: { succeeded: 0, stopped: 0, failed: 0, cancelled: 0 },
    offers: new Set(),
    speculations: new Set(),
    ready: new TinyQueue<Trial>([], byIndex),
    readyElsewhere: new Map(),
    retries: new Set(),
    packable: new Map(),
    delayed: new TinyQueue<{ trial: Trial; readyAt: number }>([], (a, b) => a.readyAt - b.readyAt),
    eligible: new Map(),
    warnings: newWarnings(),
    durations: newDurations(),
    records: new Map(),
    earlyStopping: newEarlyStopping(policy),
    consecutiveFailures: [],
  };
}

export interface SweepRequest {
  readonly sweepId: string;
  /** The reason for the change. The reason is stored for display, and may be empty. */
  readonly reason: string;
}

/** Pauses the sweep: its trials are neither offered nor granted. Its running trials continue. */
export function onPause(core: Core, { sweepId, reason }: SweepRequest): Step {
  const sweep = activeSweep(core, sweepId, 'pause');
  if (sweep.state === 'paused') return NO_STEP;
  if (sweep.state === 'stopping') throw new RejectedError(`sweep ${sweepId} is stopping: it cannot be paused`);
  return stepOf(pause(sweep, reason));
}

export function pause(sweep: Sweep, reason: string): Change[] {
  return [...withdrawOffers(sweep, 'pending', 'the sweep was paused'), setSweepState(sweep, 'paused', reason)];
}

export function onResume(core: Core, { sweepId }: Pick<SweepRequest, 'sweepId'>): Step {
  const sweep = activeSweep(core, sweepId, 'resume');
  if (sweep.state === 'running') return NO_STEP;
  if (sweep.state === 'stopping') throw new RejectedError(`sweep ${sweepId} is stopping: it cannot be resumed`);
  sweep.consecutiveFailures = [];
  return stepOf([setSweepState(sweep, 'running', '')]);
}

/** Changes the priority. A new priority does not affect running trials. */
export function onPriority(
  core: Core,
  { sweepId, priority }: { readonly sweepId: string; readonly priority: number },
  now: number,
): Step {
  const sweep = activeSweep(core, sweepId, 'change the priority of');
  const before = sweep.priority;
  if (before === priority) return NO_STEP;
  sweep.priority = priority;
  resetLevel(sweep, now);
  return stepOf([{ kind: 'priority', sweepId, priority, before }]);
}

/** Cancels the pending, offered and held trials of a sweep. The running trials of the sweep finish. */
export function onStop(core: Core, { sweepId, reason }: SweepRequest): Step {
  const sweep = activeSweep(core, sweepId, 'stop');
  if (sweep.state === 'stopping') return NO_STEP;
  return stepOf([...stop(sweep, reason), ...closeIfDone(sweep)]);
}

function stop(sweep: Sweep, reason: string): Change[] {
  const cancelled = cancelWaiting(sweep, reason || 'the sweep was stopped');
  return [...cancelled, setSweepState(sweep, 'stopping', reason)];
}

/**
 * Stops the sweep if a running trial reports a value that reaches the sweep's target. The running trials finish. A
 * report of a trial whose point was dropped is ignored.
 */
export function stopAtTarget(
  sweep: Sweep,
  trialId: string,
  { epoch: step, metrics }: { readonly epoch: number; readonly metrics: Readonly<Record<string, number>> },
): Change[] {
  const { target, ranking } = sweep.policy;
  if (sweep.trials.get(trialId)?.dropped) return [];
  if (target === undefined || (sweep.state !== 'running' && sweep.state !== 'paused')) return [];
  const value = ownValue(metrics, ranking.metric);
  if (value === undefined || !reachesTarget(value, target, ranking.goal)) return [];
  return stop(sweep, targetReason({ trialId, metric: ranking.metric, value, step, target }));
}

/** Cancels every trial of the sweep that has not ended, including running trials. */
export function onKill(core: Core, { sweepId, reason }: SweepRequest, now: number): Step {
  const sweep = activeSweep(core, sweepId, 'kill');
  const detail = reason || 'the sweep was killed';
  const steps = [stepOf(cancelWaiting(sweep, detail))];
  for (const trial of sweep.trials.values()) {
    if (trial.state === 'running') steps.push(cancelTrial(core, sweep, trial, detail, now));
  }
  return combine([...steps, stepOf([setSweepState(sweep, 'killed', reason)])]);
}

export interface TrialRequest extends SweepRequest {
  readonly trialId: string;
}

/**
 * Cancels one trial if it has not ended. Nothing changes if the trial is already cancelled. The other trials of the
 * sweep continue.
 */
export function onKillTrial(core: Core, { sweepId, trialId, reason }: TrialRequest, now: number): Step {
  const sweep = activeSweep(core, sweepId, `kill trial ${trialId} of`);
  const trial = sweep.trials.get(trialId);
  if (trial === undefined) throw new NotFoundError(`sweep ${sweepId} has no trial ${trialId}`);
  switch (trial.state) {
    case 'cancelled':
      return NO_STEP;
    case 'succeeded':
    case 'stopped':
    case 'failed':
      throw new RejectedError(`trial ${trialId} has already ended (${trial.state})`);
    default: {
      const cancelled = cancelTrial(core, sweep, trial, reason || 'the trial was killed', now);
      return combine([cancelled, stepOf([...stopHeldTrials(sweep, now), ...closeIfDone(sweep)])]);
    }
  }
}

function cancelWaiting(sweep: Sweep, detail: string): Change[] {
  const changes = withdrawOffers(sweep, 'cancelled', detail);
  for (const trial of sweep.trials.values()) {
    if (trial.state === 'pending' || trial.state === 'held')
      changes.push(moveTrial(sweep, trial, 'cancelled', { detail }));
  }
  return changes;
}

function activeSweep(core: Core, sweepId: string, verb: string): Sweep {
  const sweep = core.sweeps.get(sweepId);
  if (sweep === undefined) throw new RejectedError(`cannot ${verb} sweep ${sweepId}: this coordinator does not run it`);
  if (isEnded(sweep.state)) throw new RejectedError(`cannot ${verb} sweep ${sweepId}: it has ended (${sweep.state})`);
  return sweep;
}
