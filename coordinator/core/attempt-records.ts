/** Accepts the records of attempts from the agents that hold their leases. */
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ProgramStart } from '../../proto/gen/trawl/v1/types.ts';
import type { WarningKindName } from '../../proto/names.ts';
import { countLog, countProgram, countReport } from './agent-limits.ts';
import { endAttempt, endByRule } from './attempt-ends.ts';
import type { Artifact, ClosingAttempt, FinalEnd, Lease } from './attempt-model.ts';
import { CLOSING_MS, closeAttempt, closingAttempt } from './closing-attempts.ts';
import { judgeCheckpoint, judgeReport, keepCurve, type StopJudgment } from './early-stopping.ts';
import { notLive } from './ended-trials.ts';
import { leasesOf, startOldest } from './leases.ts';
import type { Core, Sweep } from './model.ts';
import { startSlotUsage } from './share.ts';
import { type Answered, type Change, combine, NO_STEP, type Refusal, type Step, stepOf } from './step.ts';
import { stopAtTarget } from './sweeps.ts';
import type { Trial } from './trial-model.ts';
import { onNotice, onReport } from './warnings.ts';

export type AttemptRecord = { readonly key: AttemptKey; readonly seq: number; readonly at: number } & (
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'artifact'; readonly artifact: Artifact }
  | { readonly kind: 'notice'; readonly warning: WarningKindName; readonly message: string; readonly count: number }
  | { readonly kind: 'program'; readonly program: ProgramStart }
  | { readonly kind: 'ended'; readonly end: FinalEnd }
);

/** A record, and the id of the agent that sent the record. */
export interface ReceivedRecord {
  readonly agentId: string;
  readonly record: AttemptRecord;
  /**
   * Whether the record is the first record of the attempt on the agent's stream. On each new stream, an agent begins
   * with the oldest record that it still has of the attempt, so earlier records cannot follow. Default: false.
   */
  readonly isFirst?: boolean;
}

export type RecordAnswer =
  | { readonly result: 'accepted' | 'duplicate' }
  /** Earlier records are missing. The agent must resend all records from record `expected` on. */
  | { readonly result: 'gap'; readonly expected: number }
  /** Earlier records are lost, so the coordinator has ended the attempt. */
  | { readonly result: 'lost'; readonly refusal: Refusal }
  /** The agent has sent more for the attempt than a limit allows, so the coordinator has ended the attempt. */
  | { readonly result: 'exceeded'; readonly refusal: Refusal }
  | { readonly result: 'rejected'; readonly refusal: Refusal };

/** Accepts a record of an attempt from the agent that holds its lease, and renews the lease. */
export function onRecord(core: Core, received: ReceivedRecord, now: number): Answered<RecordAnswer> {
  const { key } = received.record;
  const lease = core.leases.get(keyText(key));
  const answered = acceptRecord(core, received, lease, now);
  // If the record has ended the attempt, the agent now starts the next attempt of the slot.
  if (lease?.agentId === received.agentId && !core.leases.has(keyText(key)) && !isReturn(received.record)) {
    startOldest(core, lease, now);
  }
  return answered;
}

function isReturn(record: AttemptRecord): boolean {
  return record.kind === 'ended' && record.end.outcome === 'returned';
}

function acceptRecord(
  core: Core,
  { agentId, record, isFirst = false }: ReceivedRecord,
  lease: Lease | undefined,
  now: number,
): Answered<RecordAnswer> {
  const { key } = record;
  if (lease === undefined || lease.agentId !== agentId) {
    const closing = closingAttempt(core, agentId, key);
    if (closing !== undefined) return onClosingRecord(core, closing, record, isFirst, now);
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
  if (record.kind === 'ended') {
    const end = record.end.outcome === 'returned' ? returnedEnd(record) : record.end;
    if (end.outcome !== 'returned') startUsage(core, lease, now);
    return { step: endAttempt(core, { key, end }, now), answer };
  }
  startUsage(core, lease, now);
  if (record.kind === 'report') lease.reported = true;
  const change = record.kind === 'artifact' && lease.speculative ? withoutCheckpoint(record) : record;
  const checkpoint = change.kind === 'artifact' && change.artifact.kind === 'checkpoint' ? change.artifact : undefined;
  if (checkpoint !== undefined) keepCheckpoint(core, key, checkpoint);
  const received = change.kind === 'report' ? { ...change, startedAt: lease.usage.startedAt } : change;
  const step = stepOf([received, ...effectsOf(core, lease, record, now)]);
  if (record.kind === 'report') return { step: combine([step, applyRule(core, record, judgeReport, now)]), answer };
  if (checkpoint === undefined) return { step, answer };
  const judgeIt = (sweep: Sweep, trial: Trial) => judgeCheckpoint(sweep, trial, checkpoint);
  return { step: combine([step, applyRule(core, record, judgeIt, now)]), answer };
}

/**
 * Marks an attempt as running, because its agent has sent a record of it. An older attempt may still be in the slot,
 * for example if the agent received the grants of the two attempts in reverse order.
 */
function startUsage(core: Core, { key, usage }: Lease, now: number): void {
  const sweep = core.sweeps.get(key.sweepId);
  if (sweep !== undefined) startSlotUsage(sweep, usage, now);
}

/**
 * Returns how an attempt ends when its agent hands it back. If the attempt has sent earlier records, it has started, so
 * it ends as drained and not as returned.
 */
function returnedEnd({ seq }: AttemptRecord): FinalEnd {
  if (seq === 1) return { outcome: 'returned' };
  const failure = { class: 'drained', message: 'the agent returned the attempt after its start' } as const;
  return { outcome: 'failed', failure };
}

/**
 * Accepts a record of a stopped attempt. Logs and artifacts are stored, and `ended` closes the attempt. All other records
 * are discarded.
 */
function onClosingRecord(
  core: Core,
  attempt: ClosingAttempt,
  record: AttemptRecord,
  isFirst: boolean,
  now: number,
): Answered<RecordAnswer> {
  attempt.until = now + CLOSING_MS;
  if (record.seq <= attempt.lastSeq) return { step: NO_STEP, answer: { result: 'duplicate' } };
  const expected = attempt.lastSeq + 1;
  if (record.seq !== expected && !isFirst) return { step: NO_STEP, answer: { result: 'gap', expected } };
  const excess = record.kind === 'log' ? countLog(attempt, record.text) : undefined;
  if (record.seq !== expected || excess !== undefined) {
    const message = excess ?? `records ${expected} to ${record.seq - 1} of ${keyText(record.key)} are missing`;
    const refusal = { code: excess === undefined ? RefusalCode.ENDED : RefusalCode.LIMIT_EXCEEDED, message };
    return {
      step: closeAttempt(core, attempt),
      answer: { result: excess === undefined ? 'lost' : 'exceeded', refusal },
    };
  }
  attempt.lastSeq = record.seq;
  const answer = { result: 'accepted' } as const;
  if (record.kind === 'ended') return { step: closeAttempt(core, attempt), answer };
  return { step: record.kind === 'log' || record.kind === 'artifact' ? stepOf([record]) : NO_STEP, answer };
}

/** Applies the sweep's early-stopping rule to a report or a checkpoint. */
function applyRule<R extends AttemptRecord>(
  core: Core,
  record: R,
  judgeRecord: (sweep: Sweep, trial: Trial, record: R) => StopJudgment,
  now: number,
): Step {
  const { key } = record;
  const sweep = core.sweeps.get(key.sweepId);
  const trial = sweep?.trials.get(key.trialId);
  if (sweep === undefined || trial === undefined) return NO_STEP;
  const { changes, end } = judgeRecord(sweep, trial, record);
  return end === undefined ? stepOf(changes) : combine([stepOf(changes), endByRule(core, key, end, now)]);
}

type ArtifactRecord = AttemptRecord & { readonly kind: 'artifact' };

/**
 * Turns a checkpoint of a speculative attempt into a plain file, so that no attempt resumes from it. This protects
 * against faulty agents: a correct agent stores no checkpoint of a speculative attempt.
 */
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
 * Ends an attempt because the store lacks records that were acknowledged and that the agent has already deleted. This
 * happens if the store was restored from a backup that was made before these records arrived. The trial of the attempt
 * is retried.
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
  if (record.kind === 'program') return countProgram(lease);
  return record.kind === 'report' ? countReport(lease, record.metrics) : undefined;
}

/** Ends an attempt whose agent exceeded a limit. The trial of the attempt is not retried. */
function endForExcess(core: Core, { key }: AttemptRecord, message: string, now: number): Answered<RecordAnswer> {
  const failure = { class: 'rejected', message } as const;
  return {
    step: endAttempt(core, { key, end: { outcome: 'failed', failure } }, now),
    answer: { result: 'exceeded', refusal: { code: RefusalCode.LIMIT_EXCEEDED, message } },
  };
}

function keepCheckpoint(core: Core, key: AttemptKey, artifact: Artifact): void {
  const sweep = core.sweeps.get(key.sweepId);
  const trial = sweep?.trials.get(key.trialId);
  if (sweep === undefined || trial === undefined) return;
  trial.checkpoint = { ...artifact, attempt: key.attempt };
  keepCurve(sweep, key, artifact);
}

/**
 * Returns the reason why an agent must not send anything for an attempt. Undefined if the agent holds the lease, or can
 * still send the files of a stopped attempt.
 */
export function rejectionOf(core: Core, agentId: string, key: AttemptKey): Refusal | undefined {
  const accepts =
    core.leases.get(keyText(key))?.agentId === agentId || closingAttempt(core, agentId, key) !== undefined;
  return accepts ? undefined : staleAttemptRefusal(core, key);
}

/**
 * Whether an attempt is leased to another agent. An agent that follows the protocol never sends a record of such an
 * attempt.
 */
export function isLeasedToAnother(core: Core, agentId: string, key: AttemptKey): boolean {
  const lease = core.leases.get(keyText(key));
  return lease !== undefined && lease.agentId !== agentId;
}

function staleAttemptRefusal(core: Core, key: AttemptKey): Refusal {
  const sweep = core.sweeps.get(key.sweepId);
  if (sweep === undefined) return { code: RefusalCode.UNKNOWN, message: `unknown sweep ${key.sweepId}` };
  const trial = sweep.trials.get(key.trialId);
  if (trial === undefined) return { code: RefusalCode.ENDED, message: notLive(key) };
  // Only a later attempt supersedes this one. An earlier attempt may also be running: if this one is a speculative
  // attempt that failed, the first attempt continues.
  const successor = leasesOf(trial).find(({ key: { attempt } }) => attempt > key.attempt);
  if (successor !== undefined) {
    return {
      code: RefusalCode.SUPERSEDED,
      message: `attempt ${key.attempt} of trial ${trial.id} was superseded by attempt ${successor.key.attempt}`,
    };
  }
  return { code: RefusalCode.ENDED, message: `attempt ${key.attempt} of trial ${trial.id} has ended` };
}
