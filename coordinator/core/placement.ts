/**
 * Decides which agents may run a trial. Quarantined and suspect agents are excluded, and a retry avoids the agents on
 * which its trial has failed.
 */

import type { Agent } from './agent-model.ts';
import { earlyAgents, isExempt, isQuarantinedFor, isSuspect } from './attribution.ts';
import { takesWork } from './drain.ts';
import type { Core, Sweep } from './model.ts';
import { isEligibleSlot } from './pools.ts';
import { isProbeDue } from './quarantine.ts';
import { isUnsuitable, speculationCandidates } from './stragglers.ts';
import type { Trial } from './trial-model.ts';

/**
 * The maximum time, in milliseconds, for which a retry waits for an agent on which its trial has not failed. A retry
 * waits if all of these agents are busy.
 */
export const ELSEWHERE_PATIENCE_MS = 10 * 60_000;

/** The agents that a trial of the sweep can be placed on. */
export interface PlacementCandidates {
  /** The agents that take work and can run the sweep's trials, including excluded agents. */
  readonly usable: ReadonlySet<string>;
  /** The excluded agents, which receive no trial of the sweep except as a probe. */
  readonly excluded: ReadonlySet<string>;
  /** The excluded agents that may now receive one trial as a probe. */
  readonly probes: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

export function placementCandidates(core: Core, sweep: Sweep, now: number): PlacementCandidates {
  const usable = new Set<string>();
  for (const agent of core.agents.values()) if (takesWork(core, agent) && canRun(sweep, agent)) usable.add(agent.id);
  const { quarantined, suspects } = faultyAgents(core, sweep);
  if (quarantined.length + suspects.length === 0) return { usable, excluded: NONE, probes: NONE };
  const excluded = new Set(quarantined);
  if (!hasOthers(core, sweep, usable, excluded, now)) return { usable, excluded: NONE, probes: NONE };
  const both = new Set([...quarantined, ...suspects]);
  const probes = new Set(quarantined.filter((id) => isProbeDue(core, id, now)));
  return { usable, excluded: hasOthers(core, sweep, usable, both, now) ? both : excluded, probes };
}

/** Returns the agents that may be excluded from the sweep. */
function faultyAgents(core: Core, sweep: Sweep): { quarantined: readonly string[]; suspects: readonly string[] } {
  const quarantined = [...core.quarantines.keys()].filter((id) => isQuarantinedFor(core, sweep, id));
  const suspects: string[] = [];
  for (const [id, { failures }] of sweep.records) if (failures.size > 0 && isSuspect(sweep, id)) suspects.push(id);
  return { quarantined, suspects };
}

/**
 * Whether the agent may run the trial (see agentsFor). To save time, the other agents are examined only if the trial
 * avoids agents, or if an agent may be excluded.
 */
export function mayRunOn(core: Core, sweep: Sweep, trial: Trial, agent: Agent, now: number): boolean {
  const { quarantined, suspects } = faultyAgents(core, sweep);
  if (trial.avoidUntil === 0 && quarantined.length + suspects.length === 0) {
    return takesWork(core, agent) && canRun(sweep, agent);
  }
  return agentsFor(core, sweep, trial, placementCandidates(core, sweep, now), now).has(agent.id);
}

function canRun(sweep: Sweep, agent: Agent): boolean {
  return agent.pools.some((_, slot) => isEligibleSlot(sweep, agent, slot));
}

/**
 * Whether an agent outside `set` can run the sweep's trials. An agent that may still reconnect after a restart of the
 * coordinator counts if it has run trials of the sweep.
 */
function hasOthers(
  core: Core,
  sweep: Sweep,
  usable: ReadonlySet<string>,
  set: ReadonlySet<string>,
  now: number,
): boolean {
  if ([...usable].some((id) => !set.has(id))) return true;
  return isReconnecting(core, now) && [...knownAgents(core, sweep)].some((id) => !set.has(id) && !core.agents.has(id));
}

/**
 * Whether no other agent can run the sweep's trials. Agents that may still reconnect after a restart of the coordinator
 * also count (see hasOthers).
 */
export function isOnlyAgent(core: Core, sweep: Sweep, agentId: string, now: number): boolean {
  return !hasOthers(core, sweep, placementCandidates(core, sweep, now).usable, new Set([agentId]), now);
}

/**
 * Whether the coordinator started less than one lease duration ago. During this time, some agents may not have
 * reconnected yet.
 */
function isReconnecting(core: Core, now: number): boolean {
  return now < core.startedAt + core.leaseMs;
}

/** Returns the agents that have run trials of the sweep. */
function knownAgents(core: Core, sweep: Sweep): Set<string> {
  const known = new Set(sweep.records.keys());
  for (const { key, agentId } of core.leases.values()) if (key.sweepId === sweep.id) known.add(agentId);
  return known;
}

/**
 * Returns whether the trial can run on an agent that is not excluded and on which the trial has not failed early. The
 * result is `present` if such an agent takes work, and `expected` if such an agent may still reconnect. Otherwise, the
 * result is undefined.
 */
export function agentElsewhere(
  core: Core,
  sweep: Sweep,
  trial: Trial,
  now: number,
): 'present' | 'expected' | undefined {
  const { usable, excluded } = placementCandidates(core, sweep, now);
  const others = new Set([...excluded, ...earlyAgents(trial)]);
  if ([...usable].some((id) => !others.has(id))) return 'present';
  return hasOthers(core, sweep, usable, others, now) ? 'expected' : undefined;
}

/**
 * Whether an agent that is neither quarantined nor suspect can run the sweep's trials. Agents that may still reconnect
 * after a restart of the coordinator also count (see hasOthers).
 */
export function hasHealthyAgent(core: Core, sweep: Sweep, now: number): boolean {
  const { usable } = placementCandidates(core, sweep, now);
  const faulty = new Set([...usable, ...sweep.records.keys()].filter((id) => isExempt(core, sweep, id)));
  return hasOthers(core, sweep, usable, faulty, now);
}

function failedAgents({ failedAttempts }: Trial): Set<string> {
  return new Set(failedAttempts.map(({ agentId }) => agentId));
}

/** Returns a key that is equal for trials that avoid the same agents, and empty for a trial that avoids no agent. */
export function avoidKey(trial: Trial): string {
  return trial.avoidUntil === 0 ? '' : [...failedAgents(trial)].sort().join(' ');
}

/** Returns the agents that a trial avoids. */
function avoidedAgents(trial: Trial): ReadonlySet<string> {
  return trial.avoidUntil === 0 ? NONE : failedAgents(trial);
}

/**
 * Returns the agents that may run a trial. A failed trial prefers, in this order: agents on which no trial of the sweep
 * failed early, agents on which this trial has not failed, agents on which this trial failed late, and all other
 * agents.
 */
export function agentsFor(
  core: Core,
  sweep: Sweep,
  trial: Trial,
  placement: PlacementCandidates,
  now: number,
): ReadonlySet<string> {
  const { usable, excluded, probes } = placement;
  const allowed =
    excluded.size === 0 ? usable : new Set([...usable].filter((id) => !excluded.has(id) || probes.has(id)));
  if (trial.avoidUntil === 0) return allowed;
  const failed = failedAgents(trial);
  const elsewhere = [...allowed].filter((id) => !failed.has(id));
  const clean = elsewhere.filter((id) => !sweep.records.get(id)?.failures.size);
  if (clean.length > 0) return new Set([...clean, ...elsewhere.filter((id) => probes.has(id))]);
  if (elsewhere.length > 0) return new Set(elsewhere);
  const early = earlyAgents(trial);
  const late = [...allowed].filter((id) => !early.has(id));
  if (late.length > 0) return new Set(late);
  return hasOthers(core, sweep, usable, new Set([...excluded, ...early]), now) ? NONE : allowed;
}

/** Returns the agents that may run a speculative attempt of the trial. */
export function agentsForSpeculation(
  core: Core,
  sweep: Sweep,
  trial: Trial,
  { usable, excluded }: PlacementCandidates,
): ReadonlySet<string> {
  const failed = new Set(trial.failedAttempts.map(({ agentId }) => agentId));
  const allowed = [...usable].filter(
    (id) => !excluded.has(id) && !failed.has(id) && id !== trial.lease?.agentId && !isUnsuitable(core, sweep, id),
  );
  return new Set(allowed);
}

/**
 * Returns the agents whose slots need their own pools. These are the agents that a trial avoids, the agents with early
 * failures, the quarantined agents, and the agents that must not run a speculative attempt that a trial needs. Empty if
 * fewer than two agents take work.
 */
export function agentsToIsolate(core: Core): Set<string> {
  const isolated = new Set<string>();
  if ([...core.agents.values()].filter((agent) => takesWork(core, agent)).length < 2) return isolated;
  for (const id of core.quarantines.keys()) isolated.add(id);
  for (const sweep of core.sweeps.values()) {
    for (const [id, { failures }] of sweep.records) if (failures.size > 0) isolated.add(id);
    for (const trial of sweep.retries) for (const id of avoidedAgents(trial)) isolated.add(id);
    const candidates = speculationCandidates(core, sweep);
    if (candidates.length === 0) continue;
    for (const trial of candidates) for (const { agentId } of trial.failedAttempts) isolated.add(agentId);
    for (const id of core.agents.keys()) if (isUnsuitable(core, sweep, id)) isolated.add(id);
  }
  return isolated;
}
