/** What the coordinator tells of its agents: gauges, and where Prometheus finds each one's own metrics. */
import { isLoopback, parseAddress } from '../../lib/net/address.ts';
import { displayedState, takesWork } from '../core/drain.ts';
import { busySlots } from '../core/leases.ts';
import type { Agent, Core } from '../core/model.ts';
import type { CoordinatorMetrics } from './families.ts';

/**
 * How long an agent that is lost is still told of: long enough that somebody is told, and not for ever, since agents of
 * a batch system come and go under new names.
 */
export const LOST_LINGER_MS = 60 * 60_000;

export function measureAgents(core: Core, metrics: CoordinatorMetrics, now: number): void {
  const states = { connected: 0, draining: 0, drained: 0, lost: 0 };
  for (const family of Object.values(metrics.agentFamilies)) family.reset();
  for (const agent of toldOf(core, now)) {
    states[displayedState(core, agent)] += 1;
    const { id, host, backend, version } = agent;
    metrics.agentInfo.set({ agent: id, host, gpu_model: agent.gpus[0] ?? '', backend, version }, 1);
    const busy = busySlots(core, id);
    // Of who is lost or drained nobody could use them.
    const free = takesWork(core, agent) ? Math.max(0, agent.slots - busy) : 0;
    metrics.agentSlots.set({ agent: id, state: 'busy' }, busy);
    metrics.agentSlots.set({ agent: id, state: 'free' }, free);
    metrics.agentHeartbeat.set({ agent: id }, agent.lastHeardAt / 1000);
  }
  for (const [state, count] of Object.entries(states)) metrics.agents.set({ state }, count);
}

/** One group of Prometheus' HTTP service discovery. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Every agent that says where its metrics are, in the form of Prometheus' `http_sd_config`. One that serves them to its
 * own machine only is left out unless that is this one, `here`.
 */
export function agentTargets(core: Core, here: string, now: number): TargetGroup[] {
  return toldOf(core, now)
    .filter(({ metrics, host }) => metrics !== '' && (host === here || !isLoopback(parseAddress(metrics, 'an agent'))))
    .map(({ id, host, version, metrics }) => ({
      targets: [metrics],
      labels: { __meta_trawl_agent: id, __meta_trawl_host: host, __meta_trawl_version: version },
    }));
}

/** Who said that it would end, and is not heard any more, has ended: nobody misses it. */
function toldOf(core: Core, now: number): Agent[] {
  return [...core.agents.values()].filter(
    ({ state, leaving, lastHeardAt }) => now - lastHeardAt < LOST_LINGER_MS && !(state === 'lost' && leaving),
  );
}
