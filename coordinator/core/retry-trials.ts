/** Retries failed or cancelled trials on a user's request. */
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { AmbiguousError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import type { FailureClassName } from '../../proto/names.ts';
import { type Core, isEnded, type Sweep, type TrialCreation } from './model.ts';
import { type Change, NO_STEP, type Step, stepOf } from './step.ts';
import type { Trial } from './trial-model.ts';
import { makeReady, setState, setSweepState } from './trials.ts';

export type RetryChoice =
  /** The ids of trials, or unambiguous prefixes of ids. Either all of the named trials are retried, or none. */
  | { readonly trials: readonly string[] }
  /**
   * Retries trials that failed with one of the classes (`all` means any class), and cancelled trials if `cancelled` is
   * set.
   */
  | { readonly failures: 'all' | readonly FailureClassName[]; readonly cancelled: boolean };

export interface RetryRequest {
  /**
   * A sweep in the core, or a sweep that has ended and that the caller has loaded from the store. The caller must also
   * have restored the chosen trials from the store, because ended trials are not in memory.
   */
  readonly sweep: Sweep;
  readonly choice: RetryChoice;
  readonly requestId: string;
  /**
   * The source of the trials that had not been created when the sweep was stopped or killed. Undefined if all trials
   * were created.
   */
  readonly unfinishedSearch?: TrialCreation | undefined;
}

/**
 * Makes trials pending again, with a full retry budget. New attempts of a trial continue its attempt numbers. A sweep
 * that has ended is added to the core and runs again. A paused sweep stays paused. A retry of all cancelled trials also
 * creates the trials that had not been created when the sweep was stopped or killed.
 * @throws {NotFoundError | AmbiguousError | RejectedError} if a named trial cannot be retried, or if the sweep is
 * stopping; nothing is changed in these cases
 */
export function onRetry(core: Core, { sweep, choice, requestId, unfinishedSearch }: RetryRequest): Step {
  if (sweep.state === 'stopping') {
    throw new RejectedError(`sweep ${sweep.id} is stopping: its trials can be retried once it has stopped`);
  }
  const trials = 'trials' in choice ? namedTrials(sweep, choice.trials) : trialsInState(sweep, choice);
  const search = 'cancelled' in choice && choice.cancelled && sweep.search === undefined ? unfinishedSearch : undefined;
  if (trials.length === 0 && search === undefined) return NO_STEP;
  const changes: Change[] = [];
  if (isEnded(sweep.state)) {
    insertInOrder(core, sweep);
    sweep.consecutiveFailures = [];
    changes.push(setSweepState(sweep, 'running', ''));
  }
  if (search !== undefined) {
    sweep.search = search;
    changes.push({ kind: 'searched', sweepId: sweep.id, state: search.state, done: false });
  }
  const ids = new Set(trials.map(({ id }) => id));
  sweep.consecutiveFailures = sweep.consecutiveFailures.map((one) =>
    ids.has(one.trialId) ? { ...one, earlyAgents: 0 } : one,
  );
  for (const trial of trials) changes.push(retryTrial(sweep, trial, requestId));
  return stepOf(changes);
}

/** Makes a failed or cancelled trial pending again, with a full retry budget. */
export function retryTrial(sweep: Sweep, trial: Trial, requestId: string): Change {
  const { failure, attempts } = trial;
  // A retry from the checkpoint of a diverged attempt would diverge again.
  if (failure === 'nan') trial.checkpoint = undefined;
  trial.failures = {};
  trial.freeLosses = 0;
  trial.failedAttempts = [];
  trial.speculated = false;
  trial.avoidUntil = 0;
  trial.failure = undefined;
  trial.readyAt = 0;
  setState(sweep, trial, 'pending');
  makeReady(sweep, trial);
  return {
    kind: 'retried',
    sweepId: sweep.id,
    trialId: trial.id,
    requestId,
    attempts,
    failure,
    resumesFrom: trial.checkpoint?.epoch ?? 0,
  };
}

/** Adds a sweep to the core, and keeps the sweeps in order of submission. */
export function insertInOrder(core: Core, sweep: Sweep): void {
  const later = [...core.sweeps.values()].filter(({ id }) => Number(id) > Number(sweep.id));
  for (const { id } of later) core.sweeps.delete(id);
  for (const one of [sweep, ...later]) core.sweeps.set(one.id, one);
}

function trialsInState(
  sweep: Sweep,
  { failures, cancelled }: Exclude<RetryChoice, { trials: readonly string[] }>,
): Trial[] {
  const classes = failures === 'all' ? undefined : new Set(failures);
  return [...sweep.trials.values()].filter((trial) => {
    const { state, failure, dropped } = trial;
    if (dropped || memberRejection(sweep, trial) !== undefined) return false;
    if (state === 'cancelled') return cancelled;
    return state === 'failed' && (classes === undefined || (failure !== undefined && classes.has(failure)));
  });
}

function namedTrials(sweep: Sweep, names: readonly string[]): Trial[] {
  const trials = new Set<Trial>();
  const byPrefix = trialsByPrefix(sweep, new Set(names.map(({ length }) => length)));
  for (const name of names) {
    const exact = sweep.trials.get(name);
    const found = exact === undefined ? (byPrefix.get(name) ?? []) : [exact];
    const [trial, other] = found;
    if (trial === undefined) {
      const prefixes = [...sweep.trials.keys()].map((id) => id.slice(0, Math.max(8, name.length)));
      throw new NotFoundError(`sweep ${sweep.id} has no trial ${JSON.stringify(name)}${didYouMean(name, prefixes)}`);
    }
    if (other !== undefined) {
      const some = found.slice(0, 5).map(({ id }) => id);
      throw new AmbiguousError(
        `trial ${name} is ambiguous in sweep ${sweep.id}: ${some.join(', ')}${found.length > 5 ? ', ...' : ''}`,
      );
    }
    const rejection = rejectionReason(sweep, trial);
    if (rejection !== undefined) throw new RejectedError(`trial ${trial.id} ${rejection}: no trial was retried`);
    trials.add(trial);
  }
  return [...trials];
}

function trialsByPrefix(sweep: Sweep, lengths: ReadonlySet<number>): Map<string, Trial[]> {
  const byPrefix = new Map<string, Trial[]>();
  for (const trial of sweep.trials.values()) {
    for (const length of lengths) {
      if (length === 0 || length > trial.id.length) continue;
      const prefix = trial.id.slice(0, length);
      const same = byPrefix.get(prefix);
      if (same === undefined) byPrefix.set(prefix, [trial]);
      else same.push(trial);
    }
  }
  return byPrefix;
}

/** Returns why a failed member of a population cannot be retried; undefined if it can. */
function memberRejection({ earlyStopping }: Sweep, { id, state, failure, parent }: Trial): string | undefined {
  if (earlyStopping?.population === undefined || state !== 'failed') return undefined;
  if (!earlyStopping.population.vacant.has(id)) return 'was replaced in its population';
  return failure === 'nan' && parent !== undefined ? 'diverged, and cannot start without its parent' : undefined;
}

function rejectionReason(sweep: Sweep, trial: Trial): string | undefined {
  const { state, attempts, dropped } = trial;
  if (dropped) return 'is not in the current version of the sweep file';
  switch (state) {
    case 'failed':
    case 'cancelled':
      return memberRejection(sweep, trial);
    case 'pending':
    case 'offered':
      return 'is already pending';
    case 'running':
      return `is running (attempt ${attempts})`;
    case 'held':
      return 'waits for other trials';
    case 'succeeded':
      return 'has succeeded';
    case 'stopped':
      return 'was stopped early and has its result';
  }
}
