/**
 * Answers claims. An attempt is granted alone, together with others as a pack, or as the second attempt of a running
 * trial.
 */

import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { gpusPerSlot } from '../../lib/domain/slot-gpus.ts';
import { shortfallText } from '../../lib/text/explain.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { isSlotFull, isSlotInUse, nothingReceived, prefetchOf } from './agent-limits.ts';
import type { Agent } from './agent-model.ts';
import type { Checkpoint, Lease, SlotUsage } from './attempt-model.ts';
import { isDraining } from './drain.ts';
import { beginCurve } from './early-stopping.ts';
import { notLive } from './ended-trials.ts';
import { shortfallsOf } from './fitness.ts';
import { addLease, leasesOf, packMatesOf, startOldest } from './leases.ts';
import type { Core, Sweep } from './model.ts';
import { packCapacity, takePackMates } from './packs.ts';
import { agentsForSpeculation, mayRunOn, placementCandidates } from './placement.ts';
import type { SweepPolicy } from './policy.ts';
import { capabilityOf } from './pools.ts';
import { preferredSweep } from './scheduler.ts';
import { newSlotUsage } from './share.ts';
import { type Answered, type Change, NO_STEP, type Refusal, stepOf } from './step.ts';
import type { Trial } from './trial-model.ts';
import { moveTrial, remainingConcurrency, setState, withdrawSpeculativeOffer } from './trials.ts';
import { onGrant } from './warnings.ts';

/** An agent's request for the right to run an offered trial. */
export interface Claim {
  readonly key: AttemptKey;
  readonly agentId: string;
  readonly incarnation: string;
  readonly slot: number;
  /** Number of trials that the slot can train as a pack. If undefined, the agent's general limit applies. */
  readonly pack?: number;
}

export type ClaimAnswer =
  | {
      readonly granted: true;
      readonly policy: SweepPolicy;
      readonly trial: TrialFacts;
      readonly checkpoint: Checkpoint | undefined;
      /** The other attempts of the pack, which are leased to the same slot. */
      readonly mates: readonly GrantedAttempt[];
      /** The number of attempts or packs that the slot may hold in addition to the one that it runs. */
      readonly prefetch: number;
    }
  | { readonly granted: false; readonly refusal: Refusal };

/** The facts about a trial that its agent needs. */
type TrialFacts = Pick<Trial, 'parameters' | 'seed' | 'parent'>;

export interface GrantedAttempt {
  readonly key: AttemptKey;
  readonly trial: TrialFacts;
  /** The checkpoint that the attempt continues from. */
  readonly checkpoint: Checkpoint | undefined;
}

/** Answers a claim. A repeated claim is answered with the same lease. */
export function onOpen(core: Core, claim: Claim, now: number): Answered<ClaimAnswer> {
  const { key } = claim;
  const agent = core.agents.get(claim.agentId);
  if (agent?.incarnation !== claim.incarnation) {
    return rejectClaim(RefusalCode.NO_SESSION, `agent ${claim.agentId} has no session: it must send a hello first`);
  }
  const sweep = core.sweeps.get(key.sweepId);
  const trial = sweep?.trials.get(key.trialId);
  if (sweep === undefined) return rejectClaim(RefusalCode.UNKNOWN, `unknown sweep ${key.sweepId}`);
  if (trial === undefined) return rejectClaim(RefusalCode.ENDED, notLive(key));
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
  if (isSlotFull(core, agent, claim.slot)) {
    const message = `slot ${claim.slot} of agent ${agent.id} already holds the maximum number of leases`;
    return rejectClaim(RefusalCode.SLOT_FULL, message);
  }
  const slot = capabilityOf(agent, claim.slot);
  const shortfalls =
    claim.slot < agent.slots ? shortfallsOf(sweep.policy, slot).map(shortfallText) : ['there is no such slot'];
  if (shortfalls.length > 0) {
    return rejectClaim(RefusalCode.UNFIT, `slot ${claim.slot} of agent ${agent.id}: ${shortfalls.join('; ')}`);
  }
  const isSpeculative = trial.state === 'running';
  const mayRun = isSpeculative
    ? agentsForSpeculation(core, sweep, trial, placementCandidates(core, sweep, now)).has(agent.id)
    : mayRunOn(core, sweep, trial, agent, now);
  if (!mayRun) {
    return rejectClaim(RefusalCode.AVOIDED, `trial ${trial.id} must run on an agent other than ${agent.id}`);
  }
  const ownPool = { id: agent.pools[claim.slot] ?? '', capability: slot, agentId: agent.id };
  const hasPriority = ({ priority }: Sweep) => (isSpeculative ? priority >= sweep.priority : priority > sweep.priority);
  const preferred = preferredSweep(core, hasPriority, ownPool, now);
  if (preferred !== undefined) {
    const why = isSpeculative ? '' : 'higher priority and ';
    return rejectClaim(RefusalCode.OUTRANKED, `sweep ${preferred.id} has ${why}a pending trial for this slot`);
  }
  if (isSpeculative && remainingConcurrency(sweep) <= 0) {
    return rejectClaim(RefusalCode.OUTRANKED, `sweep ${sweep.id} has reached its concurrency limit`);
  }
  if (isSpeculative && isSlotInUse(core, agent, claim.slot)) {
    const message = `slot ${claim.slot} of agent ${agent.id} still holds a lease, and a speculative attempt is never queued`;
    return rejectClaim(RefusalCode.SLOT_FULL, message);
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
  /** The number of trials that the slot can train together. */
  readonly capacity: number;
}

function grantPack(
  core: Core,
  { sweep, trial, agent, claim, capacity }: PackGrant,
  now: number,
): Answered<ClaimAnswer> {
  const pack = keyText(claim.key);
  const usage = usageOf(sweep, agent, now);
  const changes: Change[] = [grant(core, sweep, trial, { ...claim, pack, usage }, agent, now)];
  const mates = takePackMates(core, sweep, trial, capacity, now).map((mate): GrantedAttempt => {
    const key = { sweepId: sweep.id, trialId: mate.id, attempt: mate.attempts + 1 };
    if (mate.state === 'pending') changes.push(moveTrial(sweep, mate, 'offered'));
    changes.push(grant(core, sweep, mate, { ...claim, key, pack, usage }, agent, now));
    return { key, trial: mate, checkpoint: mate.checkpoint };
  });
  const prefetch = prefetchOf(core, agent.pools[claim.slot]);
  const answer = { granted: true, ...assignmentOf(sweep, trial, false), mates, prefetch } as const;
  return { step: stepOf(changes), answer };
}

/**
 * Grants a second attempt of a running trial. The second attempt is never packed. It starts from the beginning and
 * stores no checkpoint, so that the checkpoint of the first attempt stays valid.
 */
function grantSpeculative(
  core: Core,
  { sweep, trial, agent, claim }: Omit<PackGrant, 'capacity'>,
  now: number,
): Answered<ClaimAnswer> {
  withdrawSpeculativeOffer(sweep, trial);
  const lease = {
    ...claim,
    pack: keyText(claim.key),
    usage: usageOf(sweep, agent, now),
  };
  const change = grant(core, sweep, trial, lease, agent, now);
  trial.speculated = true;
  const answer = { granted: true, ...assignmentOf(sweep, trial, true), mates: [], prefetch: 0 } as const;
  return { step: stepOf([change]), answer };
}

function usageOf(sweep: Sweep, { incarnation, slots, gpus }: Agent, grantedAt: number): SlotUsage {
  return newSlotUsage(sweep, { incarnation, gpus: gpusPerSlot(slots, gpus.length), grantedAt });
}

/** Returns the settings of an attempt, its trial, and the checkpoint that the attempt continues from. */
function assignmentOf(
  { policy }: Sweep,
  trial: Trial,
  speculative: boolean,
): Pick<ClaimAnswer & { granted: true }, 'policy' | 'trial' | 'checkpoint'> {
  if (speculative) return { policy: { ...policy, checkpointEvery: 0 }, trial, checkpoint: undefined };
  return { policy, trial, checkpoint: trial.checkpoint };
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
    received: nothingReceived(),
  });
  startOldest(core, claim, now);
  setState(sweep, trial, 'running');
  trial.failure = undefined;
  onGrant(sweep, trial, key, now);
  beginCurve(sweep, { key, resumedFrom });
  return { ...claim, kind: 'granted', backend, gpus: usage.gpus, resumedFrom, speculative };
}

function answerRunning(core: Core, sweep: Sweep, trial: Trial, claim: Claim): Answered<ClaimAnswer> {
  const lease = leasesOf(trial).find(({ key }) => key.attempt === claim.key.attempt);
  if (lease === undefined) {
    return rejectClaim(RefusalCode.SUPERSEDED, `trial ${trial.id} is running as attempt ${trial.attempts}`);
  }
  // The lease is granted again only to the slot that holds it, because a trial in one slot's pack must not also run in
  // another slot.
  if (lease.agentId === claim.agentId && lease.incarnation === claim.incarnation && lease.slot === claim.slot) {
    const mates = packMatesOf(core, lease).flatMap(({ key }): GrantedAttempt[] => {
      const mate = sweep.trials.get(key.trialId);
      return mate === undefined ? [] : [{ key, trial: mate, checkpoint: mate.checkpoint }];
    });
    const prefetch = prefetchOf(core, core.agents.get(claim.agentId)?.pools[claim.slot]);
    const answer = { granted: true, ...assignmentOf(sweep, trial, lease.speculative), mates, prefetch } as const;
    return { step: NO_STEP, answer };
  }
  return rejectClaim(
    RefusalCode.LEASED,
    `attempt ${lease.key.attempt} of trial ${trial.id} is leased to agent ${lease.agentId}`,
  );
}
