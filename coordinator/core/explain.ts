/** Why a trial that waits does not run: from the same conditions that schedule. */
import type { AgentVerdict } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { unfit } from './fitness.ts';
import { isDraining } from './leases.ts';
import type { Agent, Core, Sweep, Trial } from './model.ts';
import { capabilityOf, presentPools, suits } from './pools.ts';
import { couldBegin, roomFor } from './scheduler.ts';

export interface Explanation {
  /** What keeps it from running besides the agents, a sentence each. */
  readonly reasons: string[];
  readonly agents: AgentVerdict[];
}

/** @returns undefined when the trial does not wait, or its sweep is over */
export function explainWaiting(core: Core, sweepId: string, trialId: string, now: number): Explanation | undefined {
  const sweep = core.sweeps.get(sweepId);
  const trial = sweep?.trials.get(trialId);
  if (sweep === undefined || trial === undefined) return undefined;
  if (trial.state !== 'pending' && trial.state !== 'offered') return undefined;
  const known = [...core.agents.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const agents = known.map((agent) => verdictOn(core, sweep, agent, now));
  return {
    reasons: [...ownReasons(sweep, trial, now), ...otherSweeps(core, sweep, now), ...agentReasons(agents)],
    agents,
  };
}

function ownReasons(sweep: Sweep, trial: Trial, now: number): string[] {
  if (sweep.state === 'paused') return ['its sweep is paused'];
  if (trial.state === 'offered') return ['it is offered: the next slot that may run it takes it'];
  const reasons: string[] = [];
  if (trial.readyAt > now) reasons.push(`it is tried again in ${inSeconds(trial.readyAt - now)}`);
  if (roomFor(sweep) <= 0) {
    const { running, offered } = sweep.counts;
    reasons.push(
      `its sweep has ${running} trials running and ${offered} offered, and concurrency: ${sweep.policy.concurrency}`,
    );
  }
  const before = [...sweep.trials.values()].filter(
    (other) => other.state === 'pending' && other.readyAt <= now && other.index < trial.index,
  ).length;
  if (before > 0) reasons.push(`${trials(before)} of its sweep ${before === 1 ? 'comes' : 'come'} before it`);
  return reasons;
}

/** Sweeps that compete for a slot: those that come first, and those that share. */
function otherSweeps(core: Core, sweep: Sweep, now: number): string[] {
  if (!couldBegin(sweep, now)) return [];
  const pools = [...presentPools(core).values()].filter((pool) => suits(sweep, pool));
  const rivals = [...core.sweeps.values()].filter(
    (other) => other !== sweep && couldBegin(other, now) && pools.some((pool) => suits(other, pool)),
  );
  const reasons = rivals
    .filter(({ priority }) => priority > sweep.priority)
    .map(({ id, priority, counts }) => {
      const wait = counts.pending === 1 ? '1 trial waits' : `${counts.pending} trials wait`;
      return `sweep ${id} is more urgent (priority ${priority}, this one ${sweep.priority}): of it ${wait}`;
    });
  const peers = rivals.filter(({ priority }) => priority === sweep.priority);
  if (peers.length > 0) {
    const weights = [sweep, ...peers].reduce((sum, { policy }) => sum + policy.weight, 0);
    const share = Math.round((sweep.policy.weight / weights) * 100);
    const names = peers.map(({ id }) => id).join(', ');
    reasons.push(`its sweep shares slots with sweep ${names}: it gets ${share} %, by weight`);
  }
  return reasons;
}

function agentReasons(agents: readonly AgentVerdict[]): string[] {
  if (agents.length === 0) return ['no agent has been heard of'];
  if (agents.every(({ fitSlots }) => fitSlots === 0)) return ['no agent that is here may run it'];
  return agents.every(({ freeSlots }) => freeSlots === 0) ? ['every slot that may run it is busy'] : [];
}

function verdictOn(core: Core, sweep: Sweep, agent: Agent, now: number): AgentVerdict {
  const state = stateReason(core, agent, now);
  if (state !== undefined) return { agentId: agent.id, fitSlots: 0, freeSlots: 0, reasons: [state] };
  const inUse = core.slotsInUse.get(agent.id);
  const lacking = new Map<string, number[]>();
  let fitSlots = 0;
  let freeSlots = 0;
  for (let slot = 0; slot < agent.slots; slot++) {
    const reasons = unfit(sweep.policy, capabilityOf(agent, slot));
    for (const reason of reasons) lacking.set(reason, [...(lacking.get(reason) ?? []), slot]);
    if (reasons.length > 0) continue;
    fitSlots += 1;
    if (!inUse?.has(slot)) freeSlots += 1;
  }
  const reasons = [...lacking].map(([reason, slots]) =>
    slots.length === agent.slots ? reason : `slot ${slots.join(', ')}: ${reason}`,
  );
  if (fitSlots > 0 && freeSlots === 0) {
    reasons.push(fitSlots === agent.slots ? 'its slots are all busy' : 'its slots that may run it are busy');
  }
  return { agentId: agent.id, fitSlots, freeSlots, reasons };
}

/** Why an agent takes nothing at all. */
function stateReason(core: Core, agent: Agent, now: number): string | undefined {
  if (agent.state === 'lost') return `it is lost: nothing was heard of it for ${inSeconds(now - agent.lastHeardAt)}`;
  if (!isDraining(core, agent)) return undefined;
  if (agent.leaving) return 'it is about to end, and takes nothing new';
  const why = core.drains.get(agent.id)?.reason ?? '';
  return `it is drained, and takes nothing new${why === '' ? '' : `: ${why}`}`;
}

const trials = (count: number) => (count === 1 ? '1 trial' : `${count} trials`);

function inSeconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 100) / 10)} s`;
}
