/** Changes the states of trials and sweeps, and keeps counts and queues consistent with them. */
import TinyQueue from 'tinyqueue';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Failure } from './attempt-model.ts';
import { withdrawEvidence } from './attribution.ts';
import { addToConfig, moveInConfig } from './identical-replicates.ts';
import { isEnded, type Sweep } from './model.ts';
import { avoidKey } from './placement.ts';
import type { Change } from './step.ts';
import { isFinal, type Trial, type TrialState } from './trial-model.ts';

interface Reason {
  readonly detail?: string;
  readonly failure?: Failure | undefined;
}

/** The reason that is shown for a trial that was cancelled because its point was dropped. */
export const DROPPED_DETAIL = 'the sweep file no longer has this point';

export function moveTrial(
  sweep: Sweep,
  trial: Trial,
  state: Exclude<TrialState, 'running'>,
  { detail = '', failure }: Reason = {},
): Change {
  setState(sweep, trial, state);
  trial.failure = failure?.class;
  const hasResult = state === 'succeeded' || state === 'stopped';
  const hasCheckpoint = hasResult ? trial.checkpoint !== undefined : undefined;
  return { kind: 'trial', sweepId: sweep.id, trialId: trial.id, state, detail, failure, hasCheckpoint };
}

/** Changes the state of a trial in memory. The caller must return a `Change` that records the new state. */
export function setState(sweep: Sweep, trial: Trial, state: TrialState): void {
  sweep.counts[trial.state] -= 1;
  sweep.counts[state] += 1;
  if (trial.dropped && isFinal(state)) sweep.dropped[state] += 1;
  moveInConfig(sweep, trial, state);
  trial.state = state;
  if (state === 'offered') sweep.offers.add(trial);
  else sweep.offers.delete(trial);
  const isRetry = (state === 'pending' || state === 'offered') && trial.failedAttempts.length > 0;
  if (isRetry) sweep.retries.add(trial);
  else sweep.retries.delete(trial);
  const vacant = sweep.earlyStopping?.population?.vacant;
  if (state === 'failed') vacant?.add(trial.id);
  else vacant?.delete(trial.id);
  if (state === 'failed' || state === 'cancelled') withdrawEvidence(sweep, trial);
}

/**
 * Makes a trial pending again. With `readyAt`, the trial is not offered before that time. A trial whose point was
 * dropped is cancelled instead.
 */
export function requeue(sweep: Sweep, trial: Trial, reason: Reason, readyAt?: number): Change {
  if (trial.dropped) return moveTrial(sweep, trial, 'cancelled', { ...reason, detail: DROPPED_DETAIL });
  const change = moveTrial(sweep, trial, 'pending', reason);
  trial.readyAt = readyAt ?? 0;
  if (readyAt === undefined) makeReady(sweep, trial);
  else sweep.delayed.push({ trial, readyAt });
  return change;
}

/** Holds a trial at its rung. A trial whose point was dropped is cancelled instead. */
export function holdTrial(sweep: Sweep, trial: Trial, detail: string): Change {
  return trial.dropped
    ? moveTrial(sweep, trial, 'cancelled', { detail: DROPPED_DETAIL })
    : moveTrial(sweep, trial, 'held', { detail });
}

/** Adds a new trial to its sweep. */
export function addTrial(sweep: Sweep, trial: Trial): void {
  sweep.counts[trial.state] += 1;
  placeTrial(sweep, trial);
}

/** Adds a trial that the counts of the sweep already include. */
export function placeTrial(sweep: Sweep, trial: Trial): void {
  sweep.trials.set(trial.id, trial);
  addToConfig(sweep, trial);
  if (trial.state === 'offered') sweep.offers.add(trial);
  if (trial.state !== 'pending' && trial.state !== 'offered') return;
  if (trial.failedAttempts.length > 0) sweep.retries.add(trial);
  makeReady(sweep, trial);
}

/** Adds a trial to the queues from which trials are taken for offers and for packs. */
export function makeReady(sweep: Sweep, trial: Trial): void {
  const avoided = avoidKey(trial);
  const ready = avoided === '' ? sweep.ready : (sweep.readyElsewhere.get(avoided) ?? new TinyQueue<Trial>([], byIndex));
  if (avoided !== '') sweep.readyElsewhere.set(avoided, ready);
  ready.push(trial);
  if (trial.packKey === undefined) return;
  const queue = sweep.packable.get(trial.packKey) ?? new TinyQueue<Trial>([], byIndex);
  sweep.packable.set(trial.packKey, queue);
  queue.push(trial);
}

/** Whether the trial waits for its first or next attempt. */
export function isWaiting({ state }: Pick<Trial, 'state'>): boolean {
  return state === 'pending' || state === 'offered';
}

export const byIndex = (a: Trial, b: Trial): number => a.index - b.index;

/** Returns the key of the trial's next attempt. */
export function nextAttemptKey(sweep: Sweep, trial: Trial): AttemptKey {
  return { sweepId: sweep.id, trialId: trial.id, attempt: trial.attempts + 1 };
}

/**
 * Returns how many more attempts the concurrency limit of the sweep allows. Speculative offers do not count against the
 * limit, because pending trials take precedence over them.
 */
export function remainingConcurrency({ policy, counts, speculations }: Sweep): number {
  if (policy.concurrency === undefined) return Number.POSITIVE_INFINITY;
  const second = [...speculations].filter(({ speculation }) => speculation !== undefined).length;
  return policy.concurrency - counts.offered - counts.running - second;
}

/** Withdraws the offer of a speculative attempt. A later claim of the offer is rejected. */
export function withdrawSpeculativeOffer(sweep: Sweep, trial: Trial): void {
  if (trial.speculativeOffer === undefined) return;
  trial.speculativeOffer = undefined;
  sweep.speculations.delete(trial);
}

/**
 * Returns whether the sweep has trials that have not ended, or may still get further trials. Held trials count only if
 * the sweep has a population: held members of a population always continue or are replaced.
 */
export function isUnfinished({ counts, search, earlyStopping }: Sweep): boolean {
  const held = earlyStopping?.population === undefined ? 0 : counts.held;
  return search !== undefined || counts.pending + counts.offered + counts.running + held > 0;
}

/**
 * Returns the number of trials that the sweep will have or, if the search has no limit, the number created so far.
 * Ended trials whose points were dropped are not counted.
 */
export function expectedTrials(sweep: Sweep): number {
  const total = Number.isFinite(sweep.planned) ? sweep.planned : createdTrials(sweep);
  return total - droppedTrials(sweep);
}

/** Returns the number of ended trials whose points are not in the current version of the sweep. */
export function droppedTrials({ dropped }: Sweep): number {
  return Object.values(dropped).reduce((sum, count) => sum + count, 0);
}

/** Returns the number of trials that were created, including those that have ended. */
export function createdTrials({ counts }: Sweep): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Returns the number of trials that are not created yet. Infinite if the search has no limit. */
export function uncreatedTrials({ search, planned }: Sweep): number {
  return search === undefined ? 0 : Math.max(0, planned - search.state.created);
}

/** Ends the sweep unless it still has trials to run (see `isUnfinished`). */
export function closeIfDone(sweep: Sweep): Change[] {
  if (isEnded(sweep.state) || isUnfinished(sweep)) return [];
  return [
    sweep.state === 'stopping' ? setSweepState(sweep, 'stopped', undefined) : setSweepState(sweep, 'finished', ''),
  ];
}

export function setSweepState(sweep: Sweep, state: Sweep['state'], reason: string | undefined): Change {
  sweep.state = state;
  if (state === 'stopping' || isEnded(state)) sweep.search = undefined;
  return { kind: 'sweep', sweepId: sweep.id, state, reason };
}

/**
 * Withdraws every offer of a sweep. No message is sent. A later claim of such an offer is rejected, and the agent
 * discards the offer.
 */
export function withdrawOffers(sweep: Sweep, to: 'pending' | 'cancelled', detail: string): Change[] {
  for (const trial of sweep.speculations) withdrawSpeculativeOffer(sweep, trial);
  return [...sweep.offers].map((trial) =>
    to === 'pending' ? requeue(sweep, trial, { detail }) : moveTrial(sweep, trial, 'cancelled', { detail }),
  );
}
