/**
 * Decides how many leases a slot may hold in addition to the attempt or pack that it runs, and which of them its agent
 * must return. An agent starts the next attempt of a slot without a round trip to the coordinator, which takes longer
 * than a very short trial.
 *
 * A queued attempt is returned only by the answer of its agent, so that its trial never runs twice. Until then, the
 * attempt holds its lease. An agent by itself returns the attempts that have waited for a second.
 */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Lease } from './attempt-model.ts';
import { takesWork } from './drain.ts';
import { agentLeases, isQueued, leasesOf } from './leases.ts';
import type { Core, Sweep } from './model.ts';
import { mayRunOn } from './placement.ts';
import { isEligible, type Pool } from './pools.ts';
import { isProbe } from './quarantine.ts';
import type { Output } from './step.ts';

/** The maximum number of attempts or packs that one slot holds in addition to the one that it runs. */
export const MAX_PREFETCH_PER_SLOT = 16;

/** An order to return an attempt is repeated after this time, in milliseconds, because the order may have been lost. */
export const RETURN_RETRY_MS = 1_000;

/**
 * Sets for each pool how many attempts or packs a slot may hold in addition to the one that it runs. The number suits
 * every sweep with trials for the pool, because a sweep with long trials must not wait for the queues of other sweeps.
 */
export function updatePrefetch(core: Core, pools: ReadonlyMap<string, Pool>): void {
  core.prefetch.clear();
  const waiting = [...core.sweeps.values()].filter(
    ({ state, counts, search }) => state === 'running' && (search !== undefined || counts.pending + counts.offered > 0),
  );
  for (const pool of pools.values()) {
    // A pool with an owner belongs to an agent that trials avoid.
    if (pool.owner !== undefined) continue;
    const depths = waiting.filter((sweep) => isEligible(sweep, pool)).map((sweep) => prefetchDepth(core, sweep));
    pool.prefetch = depths.length === 0 ? 0 : Math.min(...depths);
    if (pool.prefetch > 0) core.prefetch.set(pool.id, pool.prefetch);
  }
}

/**
 * Returns the number of queued attempts or packs per slot that suits a sweep. The number is 0 until a trial of the sweep
 * has succeeded, if the next point of the search depends on results, and if the sweep limits its concurrency, because
 * queued attempts count against that limit.
 */
function prefetchDepth({ prefetchMs }: Core, { share, search, policy }: Sweep): number {
  const { meanMs } = share.success;
  if (meanMs === undefined || search?.source.usesResults === true || policy.concurrency !== undefined) return 0;
  return Math.min(MAX_PREFETCH_PER_SLOT, Math.floor(prefetchMs / Math.max(1, meanMs)));
}

/**
 * Orders the return of queued attempts that must not start: their sweep is paused or stopping, or their agent may no
 * longer run their trials, for example because it is drained or quarantined.
 */
export function orderReturns(core: Core, now: number): Output[] {
  const queuing = [...core.sweeps.values()].filter(({ share }) => share.queuedSlots > 0);
  if (queuing.length === 0) return [];
  const due = new Map<string, AttemptKey[]>();
  const order = (lease: Lease) => {
    const { usage, agentId, key } = lease;
    if (!isQueued(lease) || now < (usage.returnOrderedAt ?? Number.NEGATIVE_INFINITY) + RETURN_RETRY_MS) return;
    due.set(agentId, [...(due.get(agentId) ?? []), key]);
  };
  for (const { state, trials } of queuing) {
    if (state !== 'running') for (const trial of trials.values()) leasesOf(trial).forEach(order);
  }
  for (const agentId of unavailableAgents(core)) {
    const agent = core.agents.get(agentId);
    for (const lease of agentLeases(core, agentId)) {
      const sweep = core.sweeps.get(lease.key.sweepId);
      const trial = sweep?.trials.get(lease.key.trialId);
      if (agent === undefined || sweep?.state !== 'running' || trial === undefined) continue;
      // While its probe is queued, a quarantined agent may run no other trial of the sweep.
      if (isProbe(core, lease) && takesWork(core, agent)) continue;
      if (!mayRunOn(core, sweep, trial, agent, now)) order(lease);
    }
  }
  return [...due].map(([agentId, keys]) => {
    for (const { usage, key } of agentLeases(core, agentId)) if (keys.includes(key)) usage.returnOrderedAt = now;
    return { kind: 'return', agentId, keys };
  });
}

/** Returns the agents that are drained, are shutting down, or may be quarantined. */
function unavailableAgents({ agents, drains, quarantines }: Core): Set<string> {
  const leaving = [...agents.values()].filter((agent) => agent.leaving).map(({ id }) => id);
  return new Set([...leaving, ...drains.keys(), ...quarantines.keys()]);
}
