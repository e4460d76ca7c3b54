/** A person has trials that failed, or were cancelled, tried again. */

import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { AmbiguousError, NotFoundError, RefusedError } from '../../proto/errors.ts';
import type { FailureClassName } from '../../proto/names.ts';
import { type Core, isEnded, type Sweep, type Trial } from './model.ts';
import { Step } from './step.ts';
import { makeReady, setState, setSweepState } from './trials.ts';

/** Which trials. */
export type RetryChoice =
  /** By their ids, or unambiguous prefixes of them: all of these, or none. */
  | { readonly trials: readonly string[] }
  /** Whichever have failed so (`all`: in whatever way), and whichever were cancelled. */
  | { readonly failures: 'all' | readonly FailureClassName[]; readonly cancelled: boolean };

/**
 * Puts trials back among those that wait, with a whole budget of failures; their attempts go on being numbered. A sweep
 * that has ended runs again, and is in the core from then on; a paused one stays paused.
 * @param sweep of the core, or, when it has ended, as the store has it
 * @throws {NotFoundError | AmbiguousError | RefusedError} when a trial that is named cannot be: then nothing is changed
 */
export function onRetry(core: Core, sweep: Sweep, choice: RetryChoice, requestId: string): Step {
  if (sweep.state === 'stopping') {
    throw new RefusedError(`sweep ${sweep.id} is stopping: its trials can be tried again once it has stopped`);
  }
  const trials = 'trials' in choice ? named(sweep, choice.trials) : chosen(sweep, choice);
  const step = new Step();
  if (trials.length === 0) return step;
  if (isEnded(sweep.state)) {
    takeUp(core, sweep);
    setSweepState(sweep, 'running', '', step);
  }
  for (const trial of trials) retry(sweep, trial, requestId, step);
  return step;
}

function retry(sweep: Sweep, trial: Trial, requestId: string, step: Step): void {
  const { failure, attempts } = trial;
  // What it learned until it diverged would have it diverge again.
  if (failure === 'nan') trial.checkpoint = undefined;
  trial.failures = {};
  trial.failure = undefined;
  trial.readyAt = 0;
  setState(sweep, trial, 'pending');
  step.changes.push({
    kind: 'retried',
    sweepId: sweep.id,
    trialId: trial.id,
    requestId,
    attempts,
    failure,
    resumesFrom: trial.checkpoint?.epoch ?? 0,
  });
  makeReady(sweep, trial);
}

/** The sweeps stay in order of submission, which is that of their numbers. */
function takeUp(core: Core, sweep: Sweep): void {
  const later = [...core.sweeps.values()].filter(({ id }) => Number(id) > Number(sweep.id));
  for (const { id } of later) core.sweeps.delete(id);
  for (const one of [sweep, ...later]) core.sweeps.set(one.id, one);
}

function chosen(sweep: Sweep, { failures, cancelled }: Exclude<RetryChoice, { trials: readonly string[] }>): Trial[] {
  const classes = failures === 'all' ? undefined : new Set(failures);
  return [...sweep.trials.values()].filter(({ state, failure }) => {
    if (state === 'cancelled') return cancelled;
    return state === 'failed' && (classes === undefined || (failure !== undefined && classes.has(failure)));
  });
}

function named(sweep: Sweep, names: readonly string[]): Trial[] {
  const trials = new Set<Trial>();
  const byPrefix = trialsByPrefix(sweep, new Set(names.map(({ length }) => length)));
  for (const name of names) {
    const whole = sweep.trials.get(name);
    const found = whole === undefined ? (byPrefix.get(name) ?? []) : [whole];
    const [trial, other] = found;
    if (trial === undefined) {
      const near = didYouMean(
        name,
        [...sweep.trials.keys()].map((id) => id.slice(0, Math.max(8, name.length))),
      );
      throw new NotFoundError(`sweep ${sweep.id} has no trial ${JSON.stringify(name)}${near}`);
    }
    if (other !== undefined) {
      const some = found.slice(0, 5).map(({ id }) => id);
      throw new AmbiguousError(
        `trial ${name} is ambiguous in sweep ${sweep.id}: ${some.join(', ')}${found.length > 5 ? ', ...' : ''}`,
      );
    }
    const why = whyNot(trial);
    if (why !== undefined) throw new RefusedError(`trial ${trial.id} ${why}: nothing was retried`);
    trials.add(trial);
  }
  return [...trials];
}

/** One walk over the trials, however many are named. */
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

function whyNot({ state, attempts }: Trial): string | undefined {
  switch (state) {
    case 'failed':
    case 'cancelled':
      return undefined;
    case 'pending':
    case 'offered':
      return 'waits to be run as it is';
    case 'running':
      return `runs at present (attempt ${attempts})`;
    case 'succeeded':
      return 'has succeeded';
    case 'stopped':
      return 'was stopped early, and has its result';
  }
}
