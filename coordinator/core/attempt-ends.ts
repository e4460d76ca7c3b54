/** Ends attempts, and retries or ends their trials. */
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { AttemptEnd, Failure, FinalEnd, Lease } from './attempt-model.ts';
import {
  agentRecordOf,
  attributableClass,
  earlyAgents,
  errorOf,
  isEarly,
  isExempt,
  MAX_CONSECUTIVE_FAILURES,
  MAX_PREFLIGHT_AGENTS,
  PROGRAM_FAILURES,
  programFault,
} from './attribution.ts';
import { startClosing, stopOrder } from './closing-attempts.ts';
import { forgetCurve, type RuleEnd } from './early-stopping.ts';
import { isQueued, leasesOf } from './leases.ts';
import { lacksMetricFromTheStart } from './missing-metric.ts';
import { type Core, type Sweep, tracksProgram } from './model.ts';
import { agentElsewhere, ELSEWHERE_PATIENCE_MS, hasHealthyAgent, isOnlyAgent } from './placement.ts';
import { stopHeldTrials } from './promotions.ts';
import { clearFailures, quarantineIfFaulty } from './quarantine.ts';
import { type EndedHow, type RunningAttempt, releaseAttempt } from './release.ts';
import { decideRetry, MAX_FREE_LOSSES, type RetryDecision } from './retry.ts';
import { type Change, combine, type Step, stepOf } from './step.ts';
import { pause } from './sweeps.ts';
import type { Trial } from './trial-model.ts';
import {
  closeIfDone,
  expectedTrials,
  holdTrial,
  isUnfinished,
  moveTrial,
  requeue,
  withdrawSpeculativeOffer,
} from './trials.ts';
import { onAttemptEnd, onPromotion, onSecondAttemptEnd } from './warnings.ts';

/**
 * Ends a running attempt, and retries, holds or ends its trial. A trial can have two running attempts. If one of them
 * fails or is returned, the other continues. If one of them ends in a different way, the other is superseded.
 * @throws {Error} if the attempt holds no lease
 */
export function endAttempt(
  core: Core,
  { key, end }: { readonly key: AttemptKey; readonly end: FinalEnd },
  now: number,
): Step {
  const lease = core.leases.get(keyText(key));
  const sweep = core.sweeps.get(key.sweepId);
  const trial = sweep?.trials.get(key.trialId);
  if (sweep === undefined || trial === undefined || lease === undefined) {
    throw new Error(`attempt ${keyText(key)} holds no lease: it cannot end`);
  }
  withdrawSpeculativeOffer(sweep, trial);
  const other = leasesOf(trial).find((one) => one !== lease);
  if (end.outcome === 'returned') return endReturned(core, { sweep, trial, lease }, other, now);
  if (other === undefined) return endLast(core, { sweep, trial, lease }, end, now);
  if (end.outcome === 'failed') return failOneOfTwo(core, { sweep, trial, lease }, other, end, now);
  const superseding = supersede(core, { sweep, trial, lease: other }, lease, now);
  return combine([superseding, endLast(core, { sweep, trial, lease }, end, now)]);
}

/**
 * Ends an attempt that the early-stopping rule stops or holds. Its agent receives an order to stop the attempt. The
 * program of a stopped trial can still send the rest of its log and its files.
 */
export function endByRule(core: Core, key: AttemptKey, end: RuleEnd, now: number): Step {
  const { outcome, rule, reason } = end;
  const lease = core.leases.get(keyText(key));
  const sweep = core.sweeps.get(key.sweepId);
  const message = `${outcome} by ${rule}: ${reason}`;
  const ended = endAttempt(core, { key, end }, now);
  if (outcome === 'stopped' && lease !== undefined && sweep !== undefined && tracksProgram(sweep)) {
    startClosing(core, lease, now);
    return combine([ended, stepOf([], [stopOrder(lease, message)])]);
  }
  const refusal = { code: RefusalCode.ENDED, message };
  return combine([ended, stepOf([], [{ kind: 'revoke', agentId: lease?.agentId ?? '', key, refusal }])]);
}

/**
 * Ends an attempt that its agent has not started. If the trial has no other attempt, the trial is pending again. In a
 * stopping sweep, the trial is cancelled instead.
 */
function endReturned(core: Core, { sweep, trial, lease }: RunningAttempt, other: Lease | undefined, now: number): Step {
  const how = { end: { outcome: 'returned' }, early: false, free: other !== undefined } as const;
  const promoted = other === undefined ? [] : promote(sweep, trial, other);
  const changes = [...promoted, ...releaseAttempt(core, { sweep, trial, lease }, how, now)];
  if (other !== undefined) return stepOf([...changes, ...onSecondAttemptEnd(sweep, lease.key, now)]);
  const moved =
    sweep.state === 'stopping'
      ? moveTrial(sweep, trial, 'cancelled', { detail: 'not started: the sweep is stopping' })
      : requeue(sweep, trial, { detail: 'the agent returned the attempt before its start' });
  changes.push(moved, ...onAttemptEnd(sweep, trial, lease.key, now));
  return stepOf([...changes, ...stopHeldTrials(sweep, now), ...closeIfDone(sweep)]);
}

type EndWithResult = Exclude<FinalEnd, { readonly outcome: 'returned' }>;

/** Ends the only running attempt of a trial. */
function endLast(core: Core, { sweep, trial, lease }: RunningAttempt, end: EndWithResult, now: number): Step {
  const { key } = lease;
  const early = isEarly(lease, end, now);
  const free = end.outcome === 'failed' && end.failure.class === 'lost' && isFreeLoss(trial, lease);
  const changes = releaseAttempt(core, { sweep, trial, lease }, { end, early, free }, now);
  const endedWell = end.outcome === 'succeeded' || end.outcome === 'stopped';
  if (end.outcome === 'failed') {
    keepFailure(sweep, trial, lease, { end, early, free });
    changes.push(...retryOrFail(core, sweep, trial, { failure: end.failure, early }, now));
    changes.push(...pauseAtProgramFault(core, sweep, lease, now));
  } else if (end.outcome === 'stopped') {
    changes.push(moveTrial(sweep, trial, 'stopped', { detail: `${end.rule}: ${end.reason}` }));
  } else if (end.outcome === 'held') {
    changes.push(holdTrial(sweep, trial, `${end.rule}: ${end.reason}`));
    changes.push(...onHold(sweep, lease));
  } else changes.push(moveTrial(sweep, trial, end.outcome));
  if (endedWell) forgetCurve(sweep, trial);
  if (endedWell) changes.push(...onSuccess(core, sweep, trial, lease, now));
  changes.push(...onAttemptEnd(sweep, trial, key, now));
  if (endedWell && sweep.state === 'running' && isUnfinished(sweep)) {
    const reason = lacksMetricFromTheStart(sweep);
    if (reason !== undefined) changes.push(...pause(sweep, reason));
  }
  changes.push(...stopHeldTrials(sweep, now), ...closeIfDone(sweep));
  return stepOf(changes);
}

/**
 * Whether a trial is not charged for the loss of an attempt. The loss of an attempt that was only queued is no evidence
 * that the trial crashes machines. However, an attempt that crashes its machine before its first record is delivered
 * may also count as queued. The number of losses that are not charged is therefore limited.
 */
function isFreeLoss({ freeLosses }: Trial, lease: Lease): boolean {
  return isQueued(lease) && freeLosses < MAX_FREE_LOSSES;
}

/** Ends one of two attempts of a trial. The other attempt continues, so the failure is not charged to the trial. */
function failOneOfTwo(
  core: Core,
  { sweep, trial, lease }: RunningAttempt,
  other: Lease,
  end: AttemptEnd & { outcome: 'failed' },
  now: number,
): Step {
  const early = isEarly(lease, end, now);
  const how = { end, early, free: true };
  const promoted = promote(sweep, trial, other);
  const changes = [...promoted, ...releaseAttempt(core, { sweep, trial, lease }, how, now)];
  keepFailure(sweep, trial, lease, how);
  changes.push(...pauseAtProgramFault(core, sweep, lease, now), ...onSecondAttemptEnd(sweep, lease.key, now));
  return stepOf(changes);
}

/** Ends an attempt of a trial because `winner`, the other attempt of the trial, has the final result. */
function supersede(core: Core, { sweep, trial, lease }: RunningAttempt, winner: Lease, now: number): Step {
  const { key, agentId } = lease;
  const promoted = promote(sweep, trial, winner);
  const end = { outcome: 'superseded' } as const;
  const released = releaseAttempt(core, { sweep, trial, lease }, { end, early: false, free: false }, now);
  const message = `attempt ${key.attempt} of trial ${trial.id} was superseded by attempt ${winner.key.attempt}`;
  return stepOf(
    [...promoted, ...released, ...onSecondAttemptEnd(sweep, key, now)],
    [{ kind: 'revoke', agentId, key, refusal: { code: RefusalCode.SUPERSEDED, message } }],
  );
}

/** Makes the results of the remaining attempt the results of the trial. */
function promote(sweep: Sweep, trial: Trial, remaining: Lease): Change[] {
  if (trial.lease === remaining) return [];
  onPromotion(sweep, remaining.key);
  return [{ kind: 'promoted', key: remaining.key }];
}

function keepFailure(
  sweep: Sweep,
  trial: Trial,
  { agentId, pack }: Lease,
  { end, early, free }: EndedHow & { readonly end: AttemptEnd & { outcome: 'failed' } },
): void {
  const { failure } = end;
  if (free && failure.class === 'lost') trial.freeLosses += 1;
  if (!free) trial.failures[failure.class] = (trial.failures[failure.class] ?? 0) + 1;
  const attributable = attributableClass(end);
  if (attributable !== undefined) {
    trial.failedAttempts = [...trial.failedAttempts, { agentId, class: attributable, early, free }];
    if (early) agentRecordOf(sweep, agentId).failures.set(trial.id, { pack, refuted: false });
  }
  if (attributable === undefined && failure.class !== 'rejected') return;
  const agents = earlyAgents(trial).size;
  const failed = { trialId: trial.id, agentId, early, earlyAgents: agents, error: errorOf(failure) };
  sweep.consecutiveFailures = [...sweep.consecutiveFailures, failed].slice(-MAX_CONSECUTIVE_FAILURES);
}

/**
 * Clears the failures that count against the program and against the agent, because the held attempt ran without a
 * failure.
 */
function onHold(sweep: Sweep, { agentId }: Lease): Change[] {
  sweep.consecutiveFailures = [];
  return clearFailures(sweep, agentId);
}

/**
 * Records that a trial succeeded, or was stopped early, on an agent. The trial's early failures on other agents now
 * count against those agents.
 */
function onSuccess(core: Core, sweep: Sweep, trial: Trial, { agentId }: Lease, now: number): Change[] {
  sweep.consecutiveFailures = [];
  agentRecordOf(sweep, agentId).successes += 1;
  const changes = clearFailures(sweep, agentId);
  for (const id of earlyAgents(trial)) {
    if (id === agentId) continue;
    const record = agentRecordOf(sweep, id);
    record.refuted += 1;
    const failed = record.failures.get(trial.id);
    if (failed === undefined) continue;
    record.failures.set(trial.id, { ...failed, refuted: true });
    changes.push(...quarantineIfFaulty(core, sweep, id, now));
  }
  return changes;
}

interface EarlyOrLate {
  readonly failure: Failure;
  readonly early: boolean;
}

function retryOrFail(core: Core, sweep: Sweep, trial: Trial, failed: EarlyOrLate, now: number): Change[] {
  const { failure } = failed;
  const detail = `${failure.class}: ${failure.message}`;
  const decision = decideFor(core, sweep, trial, failed, now);
  if (!decision.retry) {
    const moved = moveTrial(sweep, trial, 'failed', { detail, failure });
    return [moved, ...pauseAtMaxFailed(sweep)];
  }
  if (sweep.state === 'stopping') {
    return [moveTrial(sweep, trial, 'cancelled', { detail: 'not retried: the sweep is stopping', failure })];
  }
  const { delayMs } = decision;
  const retry = delayMs > 0 ? `retry in ${Math.round(delayMs / 100) / 10} s` : 'retry now';
  trial.avoidUntil = trial.failedAttempts.length > 0 ? now + delayMs + ELSEWHERE_PATIENCE_MS : 0;
  return [
    requeue(sweep, trial, { detail: withRetry(detail, retry), failure }, delayMs > 0 ? now + delayMs : undefined),
  ];
}

/**
 * Decides whether a failed trial is retried. Failures that the machine caused are not charged to the trial. A trial
 * that failed early is first retried on another agent.
 */
function decideFor(
  core: Core,
  sweep: Sweep,
  trial: Trial,
  { failure, early }: EarlyOrLate,
  now: number,
): RetryDecision {
  const isAttributable = attributableClass({ outcome: 'failed', failure }) !== undefined;
  if (!isAttributable) return decideRetry(failure.class, trial.failures[failure.class] ?? 1, sweep.policy.retry);
  // If all agents are faulty, failures are charged. Without a charge, the trial would be retried forever.
  const hasSound = hasHealthyAgent(core, sweep, now);
  const isFree = (agentId: string) => hasSound && isExempt(core, sweep, agentId);
  const counted = trial.failedAttempts.filter((one) => !(one.early && isFree(one.agentId)));
  const charged = counted.filter((one) => !one.free).filter((one) => one.class === failure.class).length;
  const elsewhere = early ? agentElsewhere(core, sweep, trial, now) : undefined;
  const delayMs = elsewhere === 'expected' ? core.startedAt + core.leaseMs - now : 0;
  if (charged === 0) return { retry: true, delayMs };
  const agents = new Set(counted.filter((one) => one.early).map(({ agentId }) => agentId));
  if (failure.class === 'preflight' && elsewhere !== undefined) {
    return agents.size < MAX_PREFLIGHT_AGENTS ? { retry: true, delayMs } : { retry: false };
  }
  const decision = decideRetry(failure.class, charged, sweep.policy.retry);
  if (decision.retry || elsewhere === undefined) return decision;
  // The retries are used up, but the failures may be the fault of machines. The trial therefore runs again until it has
  // failed early on three agents. Two agents are enough if other trials of the sweep have succeeded on one of them,
  // because this agent is then probably healthy.
  const isProven = [...agents].some((id) => (sweep.records.get(id)?.successes ?? 0) > 0);
  return agents.size < (isProven ? 2 : 3) ? { retry: true, delayMs } : { retry: false };
}

function pauseAtProgramFault(core: Core, sweep: Sweep, { agentId }: Lease, now: number): Change[] {
  if (sweep.state !== 'running' || !isUnfinished(sweep) || sweep.consecutiveFailures.length < PROGRAM_FAILURES)
    return [];
  const reason = programFault(core, sweep, isOnlyAgent(core, sweep, agentId, now));
  return reason === undefined ? [] : pause(sweep, reason);
}

/** Adds the text `retry` to the first line of a failure's detail, because lists of trials show only that line. */
function withRetry(detail: string, retry: string): string {
  const [first, ...others] = detail.split('\n');
  return [`${first}; ${retry}`, ...others].join('\n');
}

function pauseAtMaxFailed(sweep: Sweep): Change[] {
  const limit = sweep.policy.maxFailed;
  if (limit === undefined || sweep.state !== 'running') return [];
  const allowed = limit.kind === 'count' ? limit.count : limit.ratio * expectedTrials(sweep);
  const failed = sweep.counts.failed - sweep.dropped.failed;
  if (failed <= allowed) return [];
  const limitText = limit.kind === 'count' ? `${limit.count}` : `${Math.round(limit.ratio * 1000) / 10}%`;
  return pause(sweep, `${failed} trials failed (max_failed: ${limitText})`);
}
