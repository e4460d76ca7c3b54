/**
 * Decides how many leases a slot may hold in addition to the attempt or pack that it runs, and which of them its agent
 * must return. If a slot has queued attempts, its agent starts the next attempt without a round trip to the
 * coordinator. For a very short trial, the round trip would take longer than the trial.
 *
 * A queued attempt counts as returned only after its agent has answered the order to return it, so that its trial never
 * runs twice. Until then, the attempt holds its lease. Even without an order, an agent returns attempts that have
 * waited for one second.
 */
import type { Lease } from './attempt-model.ts';
import { isSuspect } from './attribution.ts';
import { takesWork } from './drain.ts';
import { agentLeases } from './leases.ts';
import type { Core, Sweep } from './model.ts';
import { agentsFor, type PlacementCandidates, placementCandidates } from './placement.ts';
import { isEligible, type Pool } from './pools.ts';
import { isProbe } from './quarantine.ts';
import type { Output } from './step.ts';

/** The maximum number of attempts or packs that one slot holds in addition to the one that it runs. */
export const MAX_PREFETCH_PER_SLOT = 16;

/** An order to return an attempt is repeated after this time, in milliseconds, because the order may have been lost. */
export const RETURN_RETRY_MS = 1_000;

/** The maximum number of attempts in one order. The limit bounds the size of the order's message. */
export const MAX_RETURN_KEYS = 1_000;

/**
 * Sets for each pool how many attempts or packs a slot may hold in addition to the one that it runs. The number is the
 * smallest `prefetchDepth` of the sweeps that have trials for the pool. A single sweep with long trials therefore sets
 * the number to 0, so that its trials do not wait for queued attempts of other sweeps.
 */
export function updatePrefetch(core: Core, pools: ReadonlyMap<string, Pool>): void {
  core.prefetch.clear();
  const waiting = [...core.sweeps.values()].filter(
    ({ state, counts, search }) => state === 'running' && (search !== undefined || counts.pending + counts.offered > 0),
  );
  for (const pool of pools.values()) {
    // A pool with an owner belongs to an agent that some trials must avoid, so no attempts are queued there.
    if (pool.owner !== undefined) continue;
    const depths = waiting.filter((sweep) => isEligible(sweep, pool)).map((sweep) => prefetchDepth(core, sweep));
    pool.prefetch = depths.length === 0 ? 0 : Math.min(...depths);
    if (pool.prefetch > 0) core.prefetch.set(pool.id, pool.prefetch);
  }
}

/**
 * Returns this sweep's limit on the number of queued attempts or packs per slot. The limit is 0 until a trial of the
 * sweep has succeeded. It is always 0 if the next point of the search depends on results. It is also 0 if the sweep
 * limits its concurrency, because queued attempts count against that limit.
 */
function prefetchDepth({ prefetchMs }: Core, { share, search, policy }: Sweep): number {
  const { meanMs } = share.success;
  if (meanMs === undefined || search?.source.usesResults === true || policy.concurrency !== undefined) return 0;
  return Math.min(MAX_PREFETCH_PER_SLOT, Math.floor(prefetchMs / Math.max(1, meanMs)));
}

/**
 * Orders the return of attempts that must not start: their sweep is paused or stopping, their point was dropped, or
 * their agent must not run their trials now, for example because it is drained or quarantined. An attempt without a
 * record is included even if it counts as started, because its agent may not have started it. The agent ignores the
 * order for attempts that it has started.
 */
export function orderReturns(core: Core, now: number): Output[] {
  const unavailable = unavailableAgents(core);
  const due = new Map<string, Lease[]>();
  const placements = new Map<Sweep, PlacementCandidates>();
  const placementOf = (sweep: Sweep) => {
    const placement = placements.get(sweep) ?? placementCandidates(core, sweep, now);
    placements.set(sweep, placement);
    return placement;
  };
  for (const lease of leasesToExamine(core, unavailable)) {
    if (!isOrderDue(lease, now) || !mustReturn(core, { unavailable, placementOf }, lease, now)) continue;
    const leases = due.get(lease.agentId);
    if (leases === undefined) due.set(lease.agentId, [lease]);
    else leases.push(lease);
  }
  const outputs: Output[] = [];
  for (const [agentId, leases] of due) {
    for (const { usage } of leases) usage.returnOrderedAt = now;
    const keys = leases.map(({ key }) => key);
    for (let at = 0; at < keys.length; at += MAX_RETURN_KEYS) {
      outputs.push({ kind: 'return', agentId, keys: keys.slice(at, at + MAX_RETURN_KEYS) });
    }
  }
  return outputs;
}

/** Returns the leases for which `mustReturn` can be true. */
function leasesToExamine(core: Core, unavailable: ReadonlySet<string>): Iterable<Lease> {
  const changed = new Set<string>();
  for (const { id, state, version, counts } of core.sweeps.values()) {
    // Points are dropped only when a new version is applied.
    if (counts.running > 0 && (state !== 'running' || version > 1)) changed.add(id);
  }
  if (changed.size === 0) return [...unavailable].flatMap((agentId) => [...agentLeases(core, agentId)]);
  return [...core.leases.values()].filter(({ key, agentId }) => changed.has(key.sweepId) || unavailable.has(agentId));
}

/**
 * Whether an order to return the attempt is due: the attempt has sent no record, so it may not have started, and no
 * such order was sent recently. If the attempt counts as started, its agent probably runs it, so the time between two
 * orders doubles each time.
 */
function isOrderDue({ usage, lastSeq }: Lease, now: number): boolean {
  const { startedAt = now, returnOrderedAt } = usage;
  if (lastSeq > 0) return false;
  return (
    returnOrderedAt === undefined || now >= returnOrderedAt + Math.max(RETURN_RETRY_MS, returnOrderedAt - startedAt)
  );
}

/** Facts that are the same for all leases that one call of `orderReturns` examines. */
interface Availability {
  readonly unavailable: ReadonlySet<string>;
  placementOf(sweep: Sweep): PlacementCandidates;
}

function mustReturn(core: Core, { unavailable, placementOf }: Availability, lease: Lease, now: number): boolean {
  const { agentId, key } = lease;
  const agent = core.agents.get(agentId);
  const sweep = core.sweeps.get(key.sweepId);
  const trial = sweep?.trials.get(key.trialId);
  if (sweep === undefined || trial === undefined) return false;
  // An agent without a stream cannot receive an order.
  if (agent?.state !== 'connected' || agent.disconnected) return false;
  if (sweep.state !== 'running' || trial.dropped) return true;
  if (!unavailable.has(agentId)) return false;
  // A queued probe stays on its agent. This must be checked before `agentsFor`, which does not return the agent: no
  // further probe is due while this probe has a lease.
  if (isProbe(core, lease) && takesWork(core, agent)) return false;
  return !agentsFor(core, sweep, trial, placementOf(sweep), now).has(agentId);
}

/** Returns the agents that are drained, are shutting down, or may be excluded because of their failures. */
function unavailableAgents({ agents, drains, quarantines, sweeps }: Core): Set<string> {
  const unavailable = new Set([...drains.keys(), ...quarantines.keys()]);
  for (const { id, leaving } of agents.values()) if (leaving) unavailable.add(id);
  for (const sweep of sweeps.values()) {
    for (const id of sweep.records.keys()) if (isSuspect(sweep, id)) unavailable.add(id);
  }
  return unavailable;
}
