/** Where trials change state, so that counts, queues and the event log always agree with it. */
import TinyQueue from 'tinyqueue';
import type { TrialStateName } from '../../proto/names.ts';
import { type Failure, isEnded, type Sweep, type Trial } from './model.ts';
import type { Step } from './step.ts';

export function moveTrial(
  sweep: Sweep,
  trial: Trial,
  state: Exclude<TrialStateName, 'running'>,
  step: Step,
  why: { detail?: string; failure?: Failure | undefined } = {},
): void {
  setState(sweep, trial, state);
  trial.failure = why.failure?.class;
  step.changes.push({
    kind: 'trial',
    sweepId: sweep.id,
    trialId: trial.id,
    state,
    detail: why.detail ?? '',
    failure: why.failure,
  });
}

/** Only in memory: whoever calls this says it in a change of its own. */
export function setState(sweep: Sweep, trial: Trial, state: TrialStateName): void {
  sweep.counts[trial.state] -= 1;
  sweep.counts[state] += 1;
  trial.state = state;
  if (state === 'offered') sweep.offers.add(trial);
  else sweep.offers.delete(trial);
}

/** Puts a trial back among those that wait, at once or (`readyAt`) later. */
export function requeue(
  sweep: Sweep,
  trial: Trial,
  step: Step,
  why: { detail: string; failure?: Failure },
  readyAt?: number,
): void {
  moveTrial(sweep, trial, 'pending', step, why);
  trial.readyAt = readyAt ?? 0;
  if (readyAt === undefined) makeReady(sweep, trial);
  else sweep.delayed.push({ trial, readyAt });
}

/** Puts a trial where the scheduler, and the packs, find it. */
export function makeReady(sweep: Sweep, trial: Trial): void {
  sweep.ready.push(trial);
  if (trial.packKey === undefined) return;
  const queue = sweep.packable.get(trial.packKey) ?? new TinyQueue<Trial>([], byIndex);
  sweep.packable.set(trial.packKey, queue);
  queue.push(trial);
}

export const byIndex = (a: Trial, b: Trial): number => a.index - b.index;

/** Trials that have not come to their end. */
export function unfinished(sweep: Sweep): number {
  return sweep.counts.pending + sweep.counts.offered + sweep.counts.running;
}

/** Ends the sweep when its last trial has. */
export function closeIfDone(sweep: Sweep, step: Step): void {
  if (isEnded(sweep.state) || unfinished(sweep) > 0) return;
  setSweepState(sweep, sweep.state === 'stopping' ? 'stopped' : 'finished', '', step);
}

export function setSweepState(sweep: Sweep, state: Sweep['state'], reason: string, step: Step): void {
  sweep.state = state;
  step.changes.push({ kind: 'sweep', sweepId: sweep.id, state, reason });
}

/**
 * Takes every offer of a sweep back. Nothing is sent for that: whoever still pulls such an offer is refused the lease,
 * and drops it.
 */
export function withdrawOffers(sweep: Sweep, step: Step, to: 'pending' | 'cancelled', detail: string): void {
  for (const trial of sweep.offers) {
    if (to === 'pending') requeue(sweep, trial, step, { detail });
    else moveTrial(sweep, trial, 'cancelled', step, { detail });
  }
}
