/** Grants attempts, accepts their records, and ends them. */
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { shortfallText } from '../../lib/text/explain.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ProgramStart } from '../../proto/gen/trawl/v1/types.ts';
import type { WarningKindName } from '../../proto/names.ts';
import { countLog, countReport, isSlotFull, MAX_LEASES_PER_SLOT } from './agent-limits.ts';
import {
  attributableClass,
  earlyAgents,
  errorOf,
  isEarly,
  isExempt,
  MAX_PREFLIGHT_AGENTS,
  MAX_STREAK,
  PROGRAM_FAILURES,
  programFault,
  recordOf,
} from './attribution.ts';
import { isDraining } from './drain.ts';
import { shortfallsOf } from './fitness.ts';
import { addLease, dropLease, leasesOf, packMatesOf } from './leases.ts';
import type {
  Agent,
  Artifact,
  AttemptEnd,
  Checkpoint,
  Core,
  Failure,
  FinalEnd,
  Lease,
  Sweep,
  SweepPolicy,
  Trial,
} from './model.ts';
import { packCapacity, takePackMates } from './packs.ts';
import {
  agentElsewhere,
  agentsFor,
  agentsForSpeculation,
  ELSEWHERE_PATIENCE_MS,
  hasSoundAgent,
  isOnlyAgent,
  standingOf,
} from './placement.ts';
import { capabilityOf } from './pools.ts';
import { clearFailures, onProbeEnd, quarantineIfFaulty } from './quarantine.ts';
import { decideRetry, type RetryDecision } from './retry.ts';
import { preferredSweep } from './scheduler.ts';
import { beginSlotUsage, endSlotUsage } from './share.ts';
import { type Answered, type Change, combine, NO_STEP, type Refusal, type Step, stepOf } from './step.ts';
import { recordDuration } from './stragglers.ts';
import { pause, stopAtTarget } from './sweeps.ts';
import { closeIfDone, moveTrial, requeue, setState, unfinished, withdrawSpeculativeOffer } from './trials.ts';
import {
  lacksMetricFromTheStart,
  onAttemptEnd,
  onGrant,
  onNotice,
  onPromotion,
  onReport,
  onSecondAttemptEnd,
} from './warnings.ts';

/** An agent's request for the right to run an offered trial. */
export interface Claim {
  readonly key: AttemptKey;
  readonly agentId: string;
  readonly incarnation: string;
  readonly slot: number;
  /** Number of trials that the slot can train as a pack. Undefined means the agent's general limit. */
  readonly pack?: number;
}

export type ClaimAnswer =
  | {
      readonly granted: true;
      readonly policy: SweepPolicy;
      readonly checkpoint: Checkpoint | undefined;
      /** Attempts that are leased to the same slot as one pack. */
      readonly mates: readonly PackMate[];
    }
  | { readonly granted: false; readonly refusal: Refusal };

export interface PackMate {
  readonly key: AttemptKey;
  readonly checkpoint: Checkpoint | undefined;
}

/** Answers a claim. A repeated claim gets the same lease again. */
export function onOpen(core: Core, claim: Claim, now: number): Answered<ClaimAnswer> {
  const { key } = claim;
  const agent = core.agents.get(claim.agentId);
  if (agent?.incarnation !== claim.incarnation) {
    return rejectClaim(RefusalCode.NO_SESSION, `agent ${claim.agentId} has no session: it must send a hello first`);
  }
  const sweep = core.sweeps.get(key.sweepId);
  const trial = sweep?.trials.get(key.trialId);
  if (sweep === undefined || trial === undefined) {
    return rejectClaim(RefusalCode.UNKNOWN, `unknown trial ${key.sweepId}/${key.trialId}`);
  }
  switch (trial.state) {
    case 'running':
      if (trial.speculativeOffer === undefined || key.attempt !== trial.attempts + 1) {
        return answerRunning(core, sweep, trial, claim);
      }
      break;
    case 'pending':
      return sweep.state === 'paused'
        ? rejectClaim(RefusalCode.PAUSED, `sweep ${sweep.id} is paused`)
        : rejectClaim(RefusalCode.SUPERSEDED, `trial ${trial.id} is not offered now`);
    case 'offered':
      break;
    default:
      return rejectClaim(RefusalCode.ENDED, `trial ${trial.id} has ended (${trial.state})`);
  }
  if (key.attempt !== trial.attempts + 1) {
    return rejectClaim(
      RefusalCode.SUPERSEDED,
      `trial ${trial.id} is offered as attempt ${trial.attempts + 1}, not ${key.attempt}`,
    );
  }
  if (isDraining(core, agent))
    return rejectClaim(RefusalCode.DRAINED, `agent ${agent.id} is drained: it takes no new work`);
  if (isSlotFull(core, claim)) {
    const message = `slot ${claim.slot} of agent ${agent.id} already holds ${MAX_LEASES_PER_SLOT} leases`;
    return rejectClaim(RefusalCode.SLOT_FULL, message);
  }
  const slot = capabilityOf(agent, claim.slot);
  const shortfalls =
    claim.slot < agent.slots ? shortfallsOf(sweep.policy, slot).map(shortfallText) : ['there is no such slot'];
  if (shortfalls.length > 0) {
    return rejectClaim(RefusalCode.UNFIT, `slot ${claim.slot} of agent ${agent.id}: ${shortfalls.join('; ')}`);
  }
  const isSpeculative = trial.state === 'running';
  const standing = standingOf(core, sweep, now);
  const agents = isSpeculative
    ? agentsForSpeculation(core, sweep, trial, standing)
    : agentsFor(core, sweep, trial, standing, now);
  if (!agents.has(agent.id)) {
    return rejectClaim(RefusalCode.AVOIDED, `trial ${trial.id} must run on another agent than ${agent.id}`);
  }
  const ownPool = { id: agent.pools[claim.slot] ?? '', capability: slot, agentId: agent.id };
  const hasPriority = ({ priority }: Sweep) => (isSpeculative ? priority >= sweep.priority : priority > sweep.priority);
  const preferred = preferredSweep(core, hasPriority, ownPool, now);
  if (preferred !== undefined) {
    const why = isSpeculative ? '' : 'higher priority and ';
    return rejectClaim(RefusalCode.OUTRANKED, `sweep ${preferred.id} has ${why}a pending trial for this slot`);
  }
  if (isSpeculative) return grantSpeculative(core, { sweep, trial, agent, claim }, now);
  const capacity = packCapacity(claim.pack ?? agent.pack, slot.vramBytes, sweep.policy.resources.vramBytes);
  return grantPack(core, { sweep, trial, agent, claim, capacity }, now);
}

function rejectClaim(code: RefusalCode, message: string): Answered<ClaimAnswer> {
  return { step: NO_STEP, answer: { granted: false, refusal: { code, message } } };
}

interface PackGrant {
  readonly sweep: Sweep;
  readonly trial: Trial;
  readonly agent: Agent;
  readonly claim: Claim;
  /** Trials that the slot can train together. */
  readonly capacity: number;
}

function grantPack(
  core: Core,
  { sweep, trial, agent, claim, capacity }: PackGrant,
  now: number,
): Answered<ClaimAnswer> {
  const pack = keyText(claim.key);
  const usage = beginSlotUsage(sweep, now);
  const changes: Change[] = [grant(core, sweep, trial, { ...claim, pack, usage }, agent, now)];
  const mates = takePackMates(core, sweep, trial, capacity, now).map((mate): PackMate => {
    const key = { sweepId: sweep.id, trialId: mate.id, attempt: mate.attempts + 1 };
    if (mate.state === 'pending') changes.push(moveTrial(sweep, mate, 'offered'));
    usage.leases += 1;
    changes.push(grant(core, sweep, mate, { ...claim, key, pack, usage }, agent, now));
    return { key, checkpoint: mate.checkpoint };
  });
  const answer = { granted: true, policy: sweep.policy, checkpoint: trial.checkpoint, mates } as const;
  return { step: stepOf(changes), answer };
}

/**
 * Grants a second attempt of a running trial. It is never packed. It starts from the beginning and stores no checkpoint,
 * so that the checkpoint of the first attempt stays valid whichever of the two ends first.
 */
function grantSpeculative(
  core: Core,
  { sweep, trial, agent, claim }: Omit<PackGrant, 'capacity'>,
  now: number,
): Answered<ClaimAnswer> {
  withdrawSpeculativeOffer(sweep, trial);
  const lease = { ...claim, pack: keyText(claim.key), usage: beginSlotUsage(sweep, now) };
  const change = grant(core, sweep, trial, lease, agent, now);
  trial.speculated = true;
  return { step: stepOf([change]), answer: { granted: true, ...assignmentOf(sweep, trial, true), mates: [] } };
}

/** Returns the settings of an attempt, and the checkpoint that it continues from. */
function assignmentOf(
  { policy }: Sweep,
  { checkpoint }: Trial,
  speculative: boolean,
): Pick<ClaimAnswer & { granted: true }, 'policy' | 'checkpoint'> {
  return speculative ? { policy: { ...policy, checkpointEvery: 0 }, checkpoint: undefined } : { policy, checkpoint };
}

function grant(
  core: Core,
  sweep: Sweep,
  trial: Trial,
  { key, agentId, incarnation, slot, pack, usage }: Omit<Claim, 'pack'> & Pick<Lease, 'pack' | 'usage'>,
  { backend }: Agent,
  now: number,
): Change {
  const speculative = trial.lease !== undefined;
  trial.attempts += 1;
  const claim = { key, agentId, incarnation, slot, pack };
  const resumedFrom = speculative ? 0 : (trial.checkpoint?.epoch ?? 0);
  addLease(core, sweep, trial, {
    ...claim,
    usage,
    speculative,
    grantedAt: now,
    resumedFrom,
    expiresAt: now + core.leaseMs,
    straggler: undefined,
    reported: false,
    lastSeq: 0,
    received: { logCharacters: 0, reportCharacters: 0 },
  });
  setState(sweep, trial, 'running');
  trial.failure = undefined;
  onGrant(sweep, trial, key, now);
  return { kind: 'granted', ...claim, backend, resumedFrom, speculative };
}

function answerRunning(core: Core, sweep: Sweep, trial: Trial, claim: Claim): Answered<ClaimAnswer> {
  const lease = leasesOf(trial).find(({ key }) => key.attempt === claim.key.attempt);
  if (lease === undefined) {
    return rejectClaim(RefusalCode.SUPERSEDED, `trial ${trial.id} is running as attempt ${trial.attempts}`);
  }
  // A trial in one slot's pack must not also run in another slot that claims it.
  if (lease.agentId === claim.agentId && lease.incarnation === claim.incarnation && lease.slot === claim.slot) {
    const mates = packMatesOf(core, lease).map(({ key }): PackMate => {
      return { key, checkpoint: sweep.trials.get(key.trialId)?.checkpoint };
    });
    return { step: NO_STEP, answer: { granted: true, ...assignmentOf(sweep, trial, lease.speculative), mates } };
  }
  return rejectClaim(
    RefusalCode.LEASED,
    `trial ${trial.id} attempt ${lease.key.attempt} is leased to agent ${lease.agentId}`,
  );
}

export type AttemptRecord = { readonly key: AttemptKey; readonly seq: number; readonly at: number } & (
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'artifact'; readonly artifact: Artifact }
  | { readonly kind: 'notice'; readonly warning: WarningKindName; readonly message: string; readonly count: number }
  | { readonly kind: 'program'; readonly program: ProgramStart }
  | { readonly kind: 'ended'; readonly end: FinalEnd }
);

/** A record, and the agent that sent it. */
export interface ReceivedRecord {
  readonly agentId: string;
  readonly record: AttemptRecord;
  /**
   * Whether no record of the attempt came before on the agent's stream. A stream begins with the oldest record of its
   * agent, so earlier records cannot follow. Default: false.
   */
  readonly isFirst?: boolean;
}

export type RecordAnswer =
  | { readonly result: 'accepted' | 'duplicate' }
  /** Earlier records are missing: the agent must resend from the expected one. */
  | { readonly result: 'gap'; readonly expected: number }
  /** Earlier records are lost, which ended the attempt. */
  | { readonly result: 'lost'; readonly refusal: Refusal }
  /** The agent has sent too much for the attempt, which ended it. */
  | { readonly result: 'exceeded'; readonly refusal: Refusal }
  | { readonly result: 'rejected'; readonly refusal: Refusal };

/** Accepts a record of an attempt from the agent that holds its lease, and renews the lease. */
export function onRecord(
  core: Core,
  { agentId, record, isFirst = false }: ReceivedRecord,
  now: number,
): Answered<RecordAnswer> {
  const { key } = record;
  const lease = core.leases.get(keyText(key));
  if (lease === undefined || lease.agentId !== agentId) {
    return { step: NO_STEP, answer: { result: 'rejected', refusal: staleAttemptRefusal(core, key) } };
  }
  lease.expiresAt = now + core.leaseMs;
  if (record.seq <= lease.lastSeq) return { step: NO_STEP, answer: { result: 'duplicate' } };
  const expected = lease.lastSeq + 1;
  if (record.seq !== expected) {
    return isFirst
      ? endWithoutRecords(core, record, expected, now)
      : { step: NO_STEP, answer: { result: 'gap', expected } };
  }
  const excess = excessOf(lease, record);
  if (excess !== undefined) return endForExcess(core, record, excess, now);
  lease.lastSeq = record.seq;
  const answer = { result: 'accepted' } as const;
  if (record.kind === 'ended') return { step: endAttempt(core, { key, end: record.end }, now), answer };
  if (record.kind === 'report') lease.reported = true;
  const change = record.kind === 'artifact' && lease.speculative ? withoutCheckpoint(record) : record;
  if (change.kind === 'artifact' && change.artifact.kind === 'checkpoint') keepCheckpoint(core, key, change.artifact);
  return { step: stepOf([change, ...effectsOf(core, lease, record, now)]), answer };
}

type ArtifactRecord = AttemptRecord & { readonly kind: 'artifact' };

/** A speculative attempt is told to store no checkpoint. If its agent does, the file is kept, but never resumed from. */
function withoutCheckpoint(record: ArtifactRecord): ArtifactRecord {
  const { artifact } = record;
  return artifact.kind === 'checkpoint' ? { ...record, artifact: { ...artifact, kind: 'file' } } : record;
}

function effectsOf(core: Core, lease: Lease, record: AttemptRecord, now: number): Change[] {
  const sweep = core.sweeps.get(record.key.sweepId);
  if (sweep === undefined) return [];
  if (record.kind === 'report') {
    return [...onReport(sweep, lease, record, now), ...stopAtTarget(sweep, record.key.trialId, record)];
  }
  return record.kind === 'notice' ? onNotice(sweep, record, now) : [];
}

/**
 * Ends an attempt whose acknowledged records are missing although its agent has already deleted them. This happens when
 * the store was restored from an older backup. The trial is retried.
 */
function endWithoutRecords(
  core: Core,
  { key, seq }: AttemptRecord,
  expected: number,
  now: number,
): Answered<RecordAnswer> {
  const message = `records ${expected} to ${seq - 1} of ${keyText(key)} are missing: was the store restored from a backup?`;
  return {
    step: endAttempt(core, { key, end: { outcome: 'failed', failure: { class: 'lost', message } } }, now),
    answer: { result: 'lost', refusal: { code: RefusalCode.ENDED, message } },
  };
}

function excessOf(lease: Lease, record: AttemptRecord): string | undefined {
  if (record.kind === 'log') return countLog(lease, record.text);
  return record.kind === 'report' ? countReport(lease, record.metrics) : undefined;
}

/** Ends an attempt whose agent exceeded a limit. Its trial is not retried. */
function endForExcess(core: Core, { key }: AttemptRecord, message: string, now: number): Answered<RecordAnswer> {
  const failure = { class: 'rejected', message } as const;
  return {
    step: endAttempt(core, { key, end: { outcome: 'failed', failure } }, now),
    answer: { result: 'exceeded', refusal: { code: RefusalCode.LIMIT_EXCEEDED, message } },
  };
}

function keepCheckpoint(core: Core, key: AttemptKey, artifact: Artifact): void {
  const trial = core.sweeps.get(key.sweepId)?.trials.get(key.trialId);
  if (trial !== undefined) trial.checkpoint = { ...artifact, attempt: key.attempt };
}

/** Returns why an agent may not send anything for an attempt, or undefined if it holds the lease. */
export function rejectionOf(core: Core, agentId: string, key: AttemptKey): Refusal | undefined {
  return core.leases.get(keyText(key))?.agentId === agentId ? undefined : staleAttemptRefusal(core, key);
}

/**
 * Whether an attempt is leased to another agent. An agent that follows the protocol never sends anything for such an
 * attempt.
 */
export function isLeasedToAnother(core: Core, agentId: string, key: AttemptKey): boolean {
  const lease = core.leases.get(keyText(key));
  return lease !== undefined && lease.agentId !== agentId;
}

function staleAttemptRefusal(core: Core, key: AttemptKey): Refusal {
  const trial = core.sweeps.get(key.sweepId)?.trials.get(key.trialId);
  if (trial === undefined) {
    return { code: RefusalCode.UNKNOWN, message: `unknown trial ${key.sweepId}/${key.trialId}` };
  }
  // A failed speculative attempt has a higher number than the attempt that continues.
  const successor = leasesOf(trial).find(({ key: { attempt } }) => attempt > key.attempt);
  if (successor !== undefined) {
    return {
      code: RefusalCode.SUPERSEDED,
      message: `attempt ${key.attempt} of trial ${trial.id} was superseded by attempt ${successor.key.attempt}`,
    };
  }
  return { code: RefusalCode.ENDED, message: `attempt ${key.attempt} of trial ${trial.id} has ended` };
}

/**
 * Ends a running attempt, and retries or ends its trial. While another attempt of the trial runs, a failure only ends the
 * attempt, and every other end supersedes the other attempt.
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
  if (other === undefined) return endLast(core, { sweep, trial, lease }, end, now);
  if (end.outcome === 'failed') return failOneOfTwo(core, { sweep, trial, lease }, other, end, now);
  const superseding = supersede(core, { sweep, trial, lease: other }, lease, now);
  return combine([superseding, endLast(core, { sweep, trial, lease }, end, now)]);
}

interface RunningAttempt {
  readonly sweep: Sweep;
  readonly trial: Trial;
  readonly lease: Lease;
}

/** Ends the only attempt of a trial. */
function endLast(core: Core, { sweep, trial, lease }: RunningAttempt, end: FinalEnd, now: number): Step {
  const { key } = lease;
  const early = isEarly(lease, end, now);
  const changes = releaseAttempt(core, { sweep, trial, lease }, { end, early, free: false }, now);
  const endedWell = end.outcome === 'succeeded' || end.outcome === 'stopped';
  if (end.outcome === 'failed') {
    keepFailure(sweep, trial, lease, { end, early, free: false });
    changes.push(...retryOrFail(core, sweep, trial, { failure: end.failure, early }, now));
    changes.push(...pauseAtProgramFault(core, sweep, lease, now));
  } else changes.push(moveTrial(sweep, trial, end.outcome));
  if (endedWell) changes.push(...onSuccess(core, sweep, trial, lease, now));
  changes.push(...onAttemptEnd(sweep, trial, key, now));
  if (endedWell && sweep.state === 'running' && unfinished(sweep) > 0) {
    const reason = lacksMetricFromTheStart(sweep);
    if (reason !== undefined) changes.push(...pause(sweep, reason));
  }
  changes.push(...closeIfDone(sweep));
  return stepOf(changes);
}

interface EndedHow {
  readonly end: AttemptEnd;
  readonly early: boolean;
  readonly free: boolean;
}

function releaseAttempt(core: Core, attempt: RunningAttempt, { end, early, free }: EndedHow, now: number): Change[] {
  const { sweep, trial, lease } = attempt;
  dropLease(core, sweep, trial, lease);
  endSlotUsage(core, sweep, lease, now);
  const durationMs = now - lease.grantedAt;
  recordDuration(sweep, trial, { ...lease, succeeded: end.outcome === 'succeeded', durationMs });
  return [{ kind: 'ended', key: lease.key, end, early, free }, ...onProbeEnd(core, lease, end, now)];
}

/** The other attempt continues, so the failure costs the trial nothing. */
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

/** Ends the other attempt of a trial, because one has its final result. */
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

/** The results of the remaining attempt become the trial's. */
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
  if (!free) trial.failures[failure.class] = (trial.failures[failure.class] ?? 0) + 1;
  const attributable = attributableClass(end);
  if (attributable !== undefined) {
    trial.failedAttempts = [...trial.failedAttempts, { agentId, class: attributable, early, free }];
    if (early) recordOf(sweep, agentId).failures.set(trial.id, { pack, refuted: false });
  }
  if (attributable === undefined && failure.class !== 'rejected') return;
  const failed = { trialId: trial.id, agentId, early, error: errorOf(failure) };
  sweep.streak = [...sweep.streak, failed].slice(-MAX_STREAK);
}

/** The trial succeeded here, so its early failures on other agents count against them. */
function onSuccess(core: Core, sweep: Sweep, trial: Trial, { agentId }: Lease, now: number): Change[] {
  sweep.streak = [];
  recordOf(sweep, agentId).successes += 1;
  const changes = clearFailures(sweep, agentId);
  for (const id of earlyAgents(trial)) {
    if (id === agentId) continue;
    const record = recordOf(sweep, id);
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

/** Failures that the machine caused are not charged to the trial, and a trial that failed early is first retried on another
 * agent. */
function decideFor(
  core: Core,
  sweep: Sweep,
  trial: Trial,
  { failure, early }: EarlyOrLate,
  now: number,
): RetryDecision {
  const isAttributable = attributableClass({ outcome: 'failed', failure }) !== undefined;
  if (!isAttributable) return decideRetry(failure.class, trial.failures[failure.class] ?? 1, sweep.policy.retry);
  // Without a sound agent, the trial could be retried on a faulty one without end.
  const hasSound = hasSoundAgent(core, sweep, now);
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
  // An agent that has run a trial of the sweep is better evidence against the trial than one that has not.
  const isProven = [...agents].some((id) => (sweep.records.get(id)?.successes ?? 0) > 0);
  return agents.size < (isProven ? 2 : 3) ? { retry: true, delayMs } : { retry: false };
}

function pauseAtProgramFault(core: Core, sweep: Sweep, { agentId }: Lease, now: number): Change[] {
  if (sweep.state !== 'running' || unfinished(sweep) === 0 || sweep.streak.length < PROGRAM_FAILURES) return [];
  const reason = programFault(core, sweep, isOnlyAgent(core, sweep, agentId, now));
  return reason === undefined ? [] : pause(sweep, reason);
}

/** Adds the retry to the first line of a failure's detail, because lists show only that line. */
function withRetry(detail: string, retry: string): string {
  const [first, ...others] = detail.split('\n');
  return [`${first}; ${retry}`, ...others].join('\n');
}

function pauseAtMaxFailed(sweep: Sweep): Change[] {
  const limit = sweep.policy.maxFailed;
  if (limit === undefined || sweep.state !== 'running') return [];
  const allowed = limit.kind === 'count' ? limit.count : limit.ratio * sweep.trials.size;
  if (sweep.counts.failed <= allowed) return [];
  const limitText = limit.kind === 'count' ? `${limit.count}` : `${Math.round(limit.ratio * 1000) / 10}%`;
  return pause(sweep, `${sweep.counts.failed} trials failed (max_failed: ${limitText})`);
}
