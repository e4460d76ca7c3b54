/** Attempts are granted, tell of themselves, and end. */
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { unfit } from './fitness.ts';
import { addLease, dropLease, isDraining } from './leases.ts';
import {
  type Agent,
  type Artifact,
  type AttemptKey,
  type Checkpoint,
  type Core,
  type Ending,
  type Failure,
  keyText,
  type Lease,
  type Sweep,
  type SweepPolicy,
  type Trial,
} from './model.ts';
import { matesOf, packThatFits, takeMates } from './packs.ts';
import { capabilityOf } from './pools.ts';
import { decideRetry } from './retry.ts';
import { outranking } from './scheduler.ts';
import { beginStay, endStay } from './share.ts';
import type { Refusal, Step } from './step.ts';
import { pause } from './sweeps.ts';
import { closeIfDone, moveTrial, requeue, setState } from './trials.ts';

export interface Claim {
  readonly key: AttemptKey;
  readonly agentId: string;
  readonly incarnation: string;
  readonly slot: number;
  /** Trials that the slot trains as a pack; undefined: as many as its agent said of all. */
  readonly pack?: number;
}

export type Answer =
  | {
      readonly granted: true;
      readonly policy: SweepPolicy;
      readonly checkpoint: Checkpoint | undefined;
      /** What is leased with it to the same slot, as one pack. */
      readonly mates: readonly Mate[];
    }
  | { readonly granted: false; readonly refusal: Refusal };

export interface Mate {
  readonly key: AttemptKey;
  readonly checkpoint: Checkpoint | undefined;
}

const refuse = (code: RefusalCode, message: string): Answer => ({ granted: false, refusal: { code, message } });

/** An agent asks for the right to run an offered trial. The same claim again gets the same lease again. */
export function onOpen(core: Core, claim: Claim, now: number, step: Step): Answer {
  const { key } = claim;
  const agent = core.agents.get(claim.agentId);
  if (agent?.incarnation !== claim.incarnation) {
    return refuse(RefusalCode.NO_SESSION, `agent ${claim.agentId} has no session here: it must say hello first`);
  }
  const sweep = core.sweeps.get(key.sweepId);
  const trial = sweep?.trials.get(key.trialId);
  if (sweep === undefined || trial === undefined) {
    return refuse(RefusalCode.UNKNOWN, `trial ${key.sweepId}/${key.trialId} is not known here`);
  }
  switch (trial.state) {
    case 'running':
      return answerRunning(core, sweep, trial, claim);
    case 'pending':
      return sweep.state === 'paused'
        ? refuse(RefusalCode.PAUSED, `sweep ${sweep.id} is paused`)
        : refuse(RefusalCode.SUPERSEDED, `trial ${trial.id} is not offered at present`);
    case 'offered':
      break;
    default:
      return refuse(RefusalCode.ENDED, `trial ${trial.id} has ended (${trial.state})`);
  }
  if (key.attempt !== trial.attempts + 1) {
    return refuse(
      RefusalCode.SUPERSEDED,
      `trial ${trial.id} is offered as attempt ${trial.attempts + 1}, not ${key.attempt}`,
    );
  }
  if (isDraining(core, agent)) return refuse(RefusalCode.DRAINED, `agent ${agent.id} is drained: it takes nothing new`);
  const slot = capabilityOf(agent, claim.slot);
  const lacks = claim.slot < agent.slots ? unfit(sweep.policy, slot) : ['there is no such slot'];
  if (lacks.length > 0) {
    return refuse(RefusalCode.UNFIT, `slot ${claim.slot} of agent ${agent.id}: ${lacks.join('; ')}`);
  }
  const urgent = outranking(core, sweep, { id: agent.pools[claim.slot] ?? '', capability: slot }, now);
  if (urgent !== undefined) {
    return refuse(RefusalCode.OUTRANKED, `sweep ${urgent.id} is more urgent, and something of it waits for this slot`);
  }
  const pack = keyText(key);
  const holds = packThatFits(claim.pack ?? agent.pack, slot.vramBytes, sweep.policy.resources.vramBytes);
  const stay = beginStay(sweep, now);
  grant(core, sweep, trial, { ...claim, pack, stay }, agent, now, step);
  const mates = takeMates(core, sweep, trial, holds, now).map((mate): Mate => {
    const mateKey = { sweepId: sweep.id, trialId: mate.id, attempt: mate.attempts + 1 };
    // Its invitation is the one to its mate.
    if (mate.state === 'pending') moveTrial(sweep, mate, 'offered', step);
    stay.leases += 1;
    grant(core, sweep, mate, { ...claim, key: mateKey, pack, stay }, agent, now, step);
    return { key: mateKey, checkpoint: mate.checkpoint };
  });
  return { granted: true, policy: sweep.policy, checkpoint: trial.checkpoint, mates };
}

function grant(
  core: Core,
  sweep: Sweep,
  trial: Trial,
  { key, agentId, incarnation, slot, pack, stay }: Omit<Claim, 'pack'> & Pick<Lease, 'pack' | 'stay'>,
  { backend }: Agent,
  now: number,
  step: Step,
): void {
  trial.attempts += 1;
  const claim = { key, agentId, incarnation, slot, pack };
  addLease(core, trial, { ...claim, stay, grantedAt: now, expiresAt: now + core.leaseMs, lastSeq: 0 });
  setState(sweep, trial, 'running');
  trial.failure = undefined;
  step.changes.push({ kind: 'granted', ...claim, backend, resumedFrom: trial.checkpoint?.epoch ?? 0 });
}

function answerRunning(core: Core, sweep: Sweep, trial: Trial, claim: Claim): Answer {
  const lease = trial.lease;
  if (lease?.key.attempt !== claim.key.attempt) {
    return refuse(RefusalCode.SUPERSEDED, `trial ${trial.id} runs as attempt ${trial.attempts}`);
  }
  // The slot too: what went into one slot's pack must not run in another that has claimed it meanwhile.
  if (lease.agentId === claim.agentId && lease.incarnation === claim.incarnation && lease.slot === claim.slot) {
    const mates = matesOf(core, lease).map(({ key }): Mate => {
      return { key, checkpoint: sweep.trials.get(key.trialId)?.checkpoint };
    });
    return { granted: true, policy: sweep.policy, checkpoint: trial.checkpoint, mates };
  }
  return refuse(RefusalCode.LEASED, `trial ${trial.id} attempt ${trial.attempts} is leased to agent ${lease.agentId}`);
}

export type AttemptRecord = { readonly key: AttemptKey; readonly seq: number; readonly at: number } & (
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'artifact'; readonly artifact: Artifact }
  | { readonly kind: 'ended'; readonly ending: Ending }
);

export type RecordAnswer =
  | { readonly taken: 'new' | 'again' }
  /** Records before this one are not here: the agent must send again from there. */
  | { readonly taken: 'gap'; readonly expected: number }
  | { readonly taken: 'refused'; readonly refusal: Refusal };

/** An attempt tells something. Only the attempt that holds the lease is listened to. */
export function onRecord(core: Core, agentId: string, record: AttemptRecord, now: number, step: Step): RecordAnswer {
  const lease = core.leases.get(keyText(record.key));
  if (lease === undefined || lease.agentId !== agentId) {
    return { taken: 'refused', refusal: whyNotListened(core, record.key) };
  }
  lease.expiresAt = now + core.leaseMs;
  if (record.seq <= lease.lastSeq) return { taken: 'again' };
  if (record.seq !== lease.lastSeq + 1) return { taken: 'gap', expected: lease.lastSeq + 1 };
  lease.lastSeq = record.seq;
  if (record.kind === 'ended') endAttempt(core, record.key, record.ending, now, step);
  else step.changes.push(record);
  if (record.kind === 'artifact' && record.artifact.kind === 'checkpoint') {
    keepCheckpoint(core, record.key, record.artifact);
  }
  return { taken: 'new' };
}

/**
 * What its agent was once told to be safe is not here, and the agent does not have it any more: the store was restored
 * from a backup that is older. The attempt can come to no end that is whole, and its trial is run again.
 * @param record the first that the agent still has
 * @param expected what should have come in its place
 */
export function onRecordsGone(
  core: Core,
  { key, seq }: AttemptRecord,
  expected: number,
  now: number,
  step: Step,
): RecordAnswer {
  const message = `records ${expected} to ${seq - 1} of ${keyText(key)} are gone: was the store restored from a backup?`;
  endAttempt(core, key, { outcome: 'failed', failure: { class: 'lost', message } }, now, step);
  return { taken: 'refused', refusal: { code: RefusalCode.ENDED, message } };
}

function keepCheckpoint(core: Core, key: AttemptKey, artifact: Artifact): void {
  const trial = core.sweeps.get(key.sweepId)?.trials.get(key.trialId);
  if (trial !== undefined) trial.checkpoint = { ...artifact, attempt: key.attempt };
}

/** Why nothing of an attempt is taken from an agent; undefined when it holds the lease. */
export function refusalFor(core: Core, agentId: string, key: AttemptKey): Refusal | undefined {
  return core.leases.get(keyText(key))?.agentId === agentId ? undefined : whyNotListened(core, key);
}

/** Whether an attempt is leased, and to another agent: no agent that follows the protocol comes to ask. */
export function isAnothers(core: Core, agentId: string, key: AttemptKey): boolean {
  const lease = core.leases.get(keyText(key));
  return lease !== undefined && lease.agentId !== agentId;
}

function whyNotListened(core: Core, key: AttemptKey): Refusal {
  const trial = core.sweeps.get(key.sweepId)?.trials.get(key.trialId);
  if (trial === undefined) {
    return { code: RefusalCode.UNKNOWN, message: `trial ${key.sweepId}/${key.trialId} is not known here` };
  }
  if (trial.state === 'running') {
    return {
      code: RefusalCode.SUPERSEDED,
      message: `attempt ${key.attempt} of trial ${trial.id} was superseded by attempt ${trial.attempts}`,
    };
  }
  return { code: RefusalCode.ENDED, message: `attempt ${key.attempt} of trial ${trial.id} has ended` };
}

/** Ends a running attempt, and decides what becomes of its trial. The key must hold a lease. */
export function endAttempt(core: Core, key: AttemptKey, ending: Ending, now: number, step: Step): void {
  const sweep = core.sweeps.get(key.sweepId);
  const trial = sweep?.trials.get(key.trialId);
  const lease = trial?.lease;
  if (sweep === undefined || trial === undefined || lease === undefined) {
    throw new Error(`attempt ${keyText(key)} holds no lease: it cannot end`);
  }
  dropLease(core, trial, lease);
  endStay(core, sweep, lease, now);
  step.changes.push({ kind: 'ended', key, ending });
  if (ending.outcome === 'failed') afterFailure(sweep, trial, ending.failure, now, step);
  else moveTrial(sweep, trial, ending.outcome, step);
  closeIfDone(sweep, step);
}

function afterFailure(sweep: Sweep, trial: Trial, failure: Failure, now: number, step: Step): void {
  const failedSoFar = (trial.failures[failure.class] ?? 0) + 1;
  trial.failures[failure.class] = failedSoFar;
  const decision = decideRetry(failure.class, failedSoFar, sweep.policy.retry);
  if (sweep.state === 'stopping' && decision.retry) {
    moveTrial(sweep, trial, 'cancelled', step, { detail: 'the sweep is stopping: no retry', failure });
  } else if (decision.retry) {
    const detail = `${failure.class}: ${failure.message}; tried again${inSeconds(decision.delayMs)}`;
    requeue(sweep, trial, step, { detail, failure }, decision.delayMs > 0 ? now + decision.delayMs : undefined);
  } else {
    moveTrial(sweep, trial, 'failed', step, { detail: `${failure.class}: ${failure.message}`, failure });
    pauseAtMaxFailed(sweep, step);
  }
}

const inSeconds = (delayMs: number) => (delayMs > 0 ? ` in ${Math.round(delayMs / 100) / 10} s` : '');

/** The sweep file's `max_failed`: past it a person should look. */
function pauseAtMaxFailed(sweep: Sweep, step: Step): void {
  const limit = sweep.policy.maxFailed;
  if (limit === undefined || sweep.state !== 'running') return;
  const allowed = limit.kind === 'count' ? limit.count : limit.ratio * sweep.trials.size;
  if (sweep.counts.failed <= allowed) return;
  const said = limit.kind === 'count' ? `${limit.count}` : `${Math.round(limit.ratio * 1000) / 10}%`;
  pause(sweep, `${sweep.counts.failed} trials failed, max_failed is ${said}`, step);
}
