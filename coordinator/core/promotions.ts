/**
 * Holds trials at their rungs, for populations (population.ts) and for the promotion variant of asha. For the promotion
 * variant, this file also promotes the best of the held trials, and stops the held trials when the sweep has no other
 * trials left to run.
 */

import { formatStep } from '../../lib/text/numbers.ts';
import {
  isWaitingAt,
  promoteBest,
  promotedAt,
  promoteFrom,
  promotionRank,
  type WaitingTrial,
} from '../early-stop/promotion.ts';
import { scoreText } from '../early-stop/rule.ts';
import type { Artifact } from './attempt-model.ts';
import type { Sweep } from './model.ts';
import type { Change } from './step.ts';
import type { EarlyStopping, Population, Promotion } from './sweep-observations.ts';
import { isFinal, type Trial } from './trial-model.ts';
import { isUnfinished, moveTrial, requeue } from './trials.ts';
import { onHeldTrialStopped } from './warnings.ts';

/** Whether the trial has entered a rung and has not been promoted from this rung. */
function isGated({ rung, promotedFrom }: Trial): boolean {
  return rung > promotedFrom;
}

function entrantOf({ id, rungScore }: Trial): WaitingTrial {
  return { trialId: id, score: rungScore };
}

/** Whether a trial is at its last epoch, so that a hold would save nothing. */
export function isAtLastEpoch({ epochs }: Trial, epoch: number): boolean {
  return epochs !== undefined && epoch >= epochs;
}

/** Whether the rule holds trials at its rungs. */
export function holdsTrials({ promotion, population }: EarlyStopping): boolean {
  return promotion !== undefined || population !== undefined;
}

/** Counts a trial at its last epoch as promoted from its rung, because it has no epochs left to train. */
export function passLastRung(promotion: Promotion | undefined, trial: Trial): void {
  const rung = promotion?.rungs.get(trial.rung);
  if (rung !== undefined) promoteFrom(rung, entrantOf(trial));
  trial.promotedFrom = trial.rung;
}

/** Promotes the trials that are among the best 1/eta of a rung. A held trial becomes pending. */
export function promoteAt(sweep: Sweep, { eta, rungs }: Promotion, at: number): Change[] {
  const rung = rungs.get(at);
  if (rung === undefined) return [];
  const changes: Change[] = [];
  const isLive = (id: string) => !isFinal(sweep.trials.get(id)?.state ?? 'stopped');
  const count = promotedAt(rung.scores.length, eta);
  for (const entrant of promoteBest(rung, eta, isLive)) {
    const trial = sweep.trials.get(entrant.trialId);
    if (trial === undefined || trial.promotedFrom >= at) continue;
    const place = `among the best ${count} of ${rung.scores.length} at rung ${formatStep(at)}`;
    const detail = `${scoreText(entrant.score, sweep.policy.ranking.goal)} is ${place}`;
    changes.push(...advance(sweep, trial, at, { detail, verb: 'promoted' }));
  }
  return changes;
}

interface Advance {
  readonly detail: string;
  /** The first word of the reason that is shown when a held trial becomes pending. */
  readonly verb: 'promoted' | 'continues';
}

/** Lets a trial train beyond a rung. A held trial becomes pending. */
export function advance(sweep: Sweep, trial: Trial, rung: number, { detail, verb }: Advance): Change[] {
  trial.promotedFrom = Math.max(trial.promotedFrom, rung);
  const advanced: Change = { kind: 'advanced', sweepId: sweep.id, trialId: trial.id, rung, detail };
  if (trial.state !== 'held' || isGated(trial)) return [advanced];
  return [advanced, requeue(sweep, trial, { detail: `${verb}: ${detail}` })];
}

export interface Hold {
  readonly changes: readonly Change[];
  /** Undefined if the trial continues. */
  readonly reason: string | undefined;
}

const NO_HOLD: Hold = { changes: [], reason: undefined };

/**
 * Decides whether a running trial that has not been promoted from its rung is held now. A stopping sweep holds no
 * trials, because a held trial could never resume.
 */
function holdNow(sweep: Sweep, { promotion, population }: EarlyStopping, trial: Trial): Hold {
  if (sweep.state !== 'running' && sweep.state !== 'paused') return NO_HOLD;
  if (population !== undefined) return holdMember(sweep, population, trial);
  if (promotion === undefined) return NO_HOLD;
  // A failed or cancelled trial is not promoted. If the promotion became due before a user retried the trial, the trial
  // is promoted now.
  const changes = promoteAt(sweep, promotion, trial.rung);
  const rung = promotion.rungs.get(trial.rung);
  const entrant = entrantOf(trial);
  if (!isGated(trial) || rung === undefined || !isWaitingAt(rung, entrant)) return { changes, reason: undefined };
  return { changes, reason: reasonOf(sweep, promotion, trial, 'are') };
}

/**
 * Holds a member of a population until the other members reach the same rung. A member that was retried after the
 * comparison is not held, because the other members have already continued.
 */
function holdMember(sweep: Sweep, { compared }: Population, trial: Trial): Hold {
  const { rung, rungScore } = trial;
  if (rung <= compared) {
    const detail = `the population was compared at epoch ${formatStep(compared)}`;
    return { changes: advance(sweep, trial, rung, { detail, verb: 'continues' }), reason: undefined };
  }
  const score = scoreText(rungScore, sweep.policy.ranking.goal);
  return {
    changes: [],
    reason: `${score} at epoch ${formatStep(rung)}; the other members have not reached this epoch yet`,
  };
}

function reasonOf({ policy }: Sweep, { eta, rungs }: Promotion, trial: Trial, verb: 'are' | 'were'): string {
  const rung = rungs.get(trial.rung);
  const value = scoreText(trial.rungScore, policy.ranking.goal);
  if (rung === undefined) return `${value} at rung ${formatStep(trial.rung)}`;
  const total = rung.scores.length;
  const count = promotedAt(total, eta);
  const best = count === 0 ? 'none' : `the top ${count}`;
  const promoted = count === 1 ? `${verb === 'are' ? 'is' : 'was'} promoted` : `${verb} promoted`;
  return `${value} ranks ${promotionRank(rung, entrantOf(trial))} of ${total} at rung ${formatStep(trial.rung)}; ${best} ${promoted}`;
}

/**
 * Decides whether the trial is held now that one of its checkpoints is stored. The trial is not held at a checkpoint of
 * an epoch before its rung.
 */
export function holdAtCheckpoint(sweep: Sweep, trial: Trial, { epoch }: Pick<Artifact, 'epoch'>): Hold {
  const { earlyStopping } = sweep;
  if (earlyStopping === undefined || !holdsTrials(earlyStopping) || !isGated(trial)) return NO_HOLD;
  return epoch < trial.rung || isAtLastEpoch(trial, epoch) ? NO_HOLD : holdNow(sweep, earlyStopping, trial);
}

/**
 * Decides, after a report of the trial, whether the trial is held although it has no checkpoint at or after its rung.
 * The trial is held once `checkpointEvery` epochs have passed since the rung, or once one epoch has passed if
 * `checkpointEvery` is 0. A trainer that stores checkpoints would have stored a checkpoint by then, so there is nothing
 * to wait for. The next attempt of a trial that is held in this way repeats the epochs since the last checkpoint.
 */
export function holdAtReport(sweep: Sweep, trial: Trial, epoch: number): Hold {
  const { earlyStopping, policy } = sweep;
  if (earlyStopping === undefined || !holdsTrials(earlyStopping) || !isGated(trial)) return NO_HOLD;
  const isDue = epoch >= trial.rung + Math.max(1, policy.checkpointEvery);
  return !isDue || isAtLastEpoch(trial, epoch) ? NO_HOLD : holdNow(sweep, earlyStopping, trial);
}

/** Stops the held trials of a sweep that has nothing else to run. No further trial can then change their ranks. */
export function stopHeldTrials(sweep: Sweep, now: number): Change[] {
  const promotion = sweep.earlyStopping?.promotion;
  if (sweep.counts.held === 0 || isUnfinished(sweep) || sweep.earlyStopping === undefined) return [];
  const changes: Change[] = [];
  for (const trial of sweep.trials.values()) {
    if (trial.state !== 'held') continue;
    const reason = promotion === undefined ? 'the sweep ended' : reasonOf(sweep, promotion, trial, 'were');
    const detail = `${sweep.earlyStopping.name}: ${reason}`;
    changes.push(moveTrial(sweep, trial, 'stopped', { detail }), ...onHeldTrialStopped(sweep, trial, now));
  }
  return changes;
}

/** Promotes all trials that wait for a promotion, because the rule of their sweep has changed. */
export function releaseGates(sweep: Sweep): Change[] {
  return [...sweep.trials.values()].flatMap((trial) => {
    return isGated(trial) && !isFinal(trial.state)
      ? advance(sweep, trial, trial.rung, { detail: 'early_terminate has changed', verb: 'promoted' })
      : [];
  });
}
