/**
 * Explains why a pending trial does not run. The reasons are data, and come from the conditions that the scheduler
 * uses. lib/text/explain.ts formats the reasons.
 */
import type { AgentReason, AgentVerdict, Shortfall, WaitReason } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent } from './agent-model.ts';
import { isQuarantinedFor } from './attribution.ts';
import { isDraining } from './drain.ts';
import { shortfallsOf } from './fitness.ts';
import type { Core, Sweep } from './model.ts';
import { agentsFor, type PlacementCandidates, placementCandidates } from './placement.ts';
import { capabilityOf, isEligible, presentPools } from './pools.ts';
import { hasOfferableTrial } from './scheduler.ts';
import type { Trial } from './trial-model.ts';
import { remainingConcurrency } from './trials.ts';

export interface Explanation {
  /** Reasons in the sweep itself come first, then reasons in other sweeps, then reasons that concern all agents. */
  readonly reasons: WaitReason[];
  /** Every agent that has connected since the coordinator started, in order of id. */
  readonly agents: AgentVerdict[];
}

/**
 * Explains why a trial is pending or offered. Returns undefined if the trial has another state, or if the sweep has
 * ended.
 */
export function explainWaiting(core: Core, sweepId: string, trialId: string, now: number): Explanation | undefined {
  const sweep = core.sweeps.get(sweepId);
  const trial = sweep?.trials.get(trialId);
  if (sweep === undefined || trial === undefined) return undefined;
  if (trial.state !== 'pending' && trial.state !== 'offered') return undefined;
  const known = [...core.agents.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const placement = placementCandidates(core, sweep, now);
  const agents = known.map((agent) => verdictOn(core, { sweep, trial, placement }, agent, now));
  return {
    reasons: [...ownReasons(sweep, trial, now), ...rivalReasons(core, sweep, now), ...agentsReason(agents)],
    agents,
  };
}

function ownReasons(sweep: Sweep, trial: Trial, now: number): WaitReason[] {
  if (sweep.state === 'paused') return [{ reason: { $case: 'sweepPaused', sweepPaused: { reason: '' } } }];
  if (trial.state === 'offered') return [{ reason: { $case: 'offered', offered: {} } }];
  const reasons: WaitReason[] = [];
  if (trial.readyAt > now)
    reasons.push({ reason: { $case: 'backoff', backoff: { remainingMs: trial.readyAt - now } } });
  if (remainingConcurrency(sweep) <= 0) {
    const { running, offered } = sweep.counts;
    const concurrencyLimit = { limit: sweep.policy.concurrency ?? 0, running, offered };
    reasons.push({ reason: { $case: 'concurrencyLimit', concurrencyLimit } });
  }
  const ahead = [...sweep.trials.values()].filter(
    (other) => other.state === 'pending' && other.readyAt <= now && other.index < trial.index,
  ).length;
  if (ahead > 0) reasons.push({ reason: { $case: 'trialsAhead', trialsAhead: { trials: ahead } } });
  return reasons;
}

function rivalReasons(core: Core, sweep: Sweep, now: number): WaitReason[] {
  if (!hasOfferableTrial(sweep, now)) return [];
  const pools = [...presentPools(core).values()].filter((pool) => isEligible(sweep, pool));
  const rivals = [...core.sweeps.values()].filter(
    (other) => other !== sweep && hasOfferableTrial(other, now) && pools.some((pool) => isEligible(other, pool)),
  );
  const reasons = rivals
    .filter(({ priority }) => priority > sweep.priority)
    .map(({ id, priority, counts }): WaitReason => {
      const higherPriority = {
        sweepId: id,
        priority,
        ownPriority: sweep.priority,
        pendingTrials: counts.pending,
      };
      return { reason: { $case: 'higherPriority', higherPriority } };
    });
  const peers = rivals.filter(({ priority }) => priority === sweep.priority);
  if (peers.length > 0) {
    const weights = [sweep, ...peers].reduce((sum, { policy }) => sum + policy.weight, 0);
    const percent = Math.round((sweep.policy.weight / weights) * 100);
    reasons.push({ reason: { $case: 'sharedSlots', sharedSlots: { sweepIds: peers.map(({ id }) => id), percent } } });
  }
  return reasons;
}

function agentsReason(agents: readonly AgentVerdict[]): WaitReason[] {
  if (agents.length === 0) return [{ reason: { $case: 'noAgent', noAgent: {} } }];
  if (agents.every(({ fitSlots }) => fitSlots === 0)) {
    return [{ reason: { $case: 'noEligibleAgent', noEligibleAgent: {} } }];
  }
  return agents.every(({ freeSlots }) => freeSlots === 0) ? [{ reason: { $case: 'slotsBusy', slotsBusy: {} } }] : [];
}

interface Waiting {
  readonly sweep: Sweep;
  readonly trial: Trial;
  readonly placement: PlacementCandidates;
}

function verdictOn(core: Core, waiting: Waiting, agent: Agent, now: number): AgentVerdict {
  const { sweep } = waiting;
  const unavailable = unavailableReason(core, agent, now) ?? avoidedReason(core, waiting, agent, now);
  if (unavailable !== undefined) return { agentId: agent.id, fitSlots: 0, freeSlots: 0, reasons: [unavailable] };
  const inUse = core.slotsInUse.get(agent.id);
  const unfit = new Map<string, { readonly shortfall: Shortfall; readonly slots: number[] }>();
  let fitSlots = 0;
  let freeSlots = 0;
  for (let slot = 0; slot < agent.slots; slot++) {
    const shortfalls = shortfallsOf(sweep.policy, capabilityOf(agent, slot));
    for (const shortfall of shortfalls) {
      const key = JSON.stringify(shortfall);
      const same = unfit.get(key) ?? { shortfall, slots: [] };
      same.slots.push(slot);
      unfit.set(key, same);
    }
    if (shortfalls.length > 0) continue;
    fitSlots += 1;
    if (!inUse?.has(slot)) freeSlots += 1;
  }
  const reasons = [...unfit.values()].map(({ shortfall, slots }): AgentReason => {
    return { reason: { $case: 'unfit', unfit: { shortfall, slots: slots.length === agent.slots ? [] : slots } } };
  });
  if (fitSlots > 0 && freeSlots === 0) {
    reasons.push({ reason: { $case: 'busy', busy: { allSlots: fitSlots === agent.slots } } });
  }
  return { agentId: agent.id, fitSlots, freeSlots, reasons };
}

function unavailableReason(core: Core, agent: Agent, now: number): AgentReason | undefined {
  if (agent.state === 'lost') return { reason: { $case: 'lost', lost: { silentMs: now - agent.lastHeardAt } } };
  if (agent.state === 'left') return { reason: { $case: 'left', left: { agoMs: now - agent.lastHeardAt } } };
  if (!isDraining(core, agent)) return undefined;
  if (agent.leaving) return { reason: { $case: 'leaving', leaving: {} } };
  return { reason: { $case: 'drained', drained: { reason: core.drains.get(agent.id)?.reason ?? '' } } };
}

/** Returns the reason why the trial must not run on an agent that takes work. Undefined if there is no such reason. */
function avoidedReason(
  core: Core,
  { sweep, trial, placement }: Waiting,
  { id }: Agent,
  now: number,
): AgentReason | undefined {
  if (!placement.usable.has(id) || agentsFor(core, sweep, trial, placement, now).has(id)) return undefined;
  if (!placement.excluded.has(id)) {
    return { reason: { $case: 'failedHere', failedHere: { remainingMs: Math.max(0, trial.avoidUntil - now) } } };
  }
  const quarantine = isQuarantinedFor(core, sweep, id) ? core.quarantines.get(id) : undefined;
  if (quarantine === undefined) {
    return { reason: { $case: 'suspect', suspect: { trials: sweep.records.get(id)?.failures.size ?? 0 } } };
  }
  const { reason, probeAt } = quarantine;
  return { reason: { $case: 'quarantined', quarantined: { reason, probeInMs: Math.max(0, probeAt - now) } } };
}
