/** Sets the gauges of the agents, and lists their metrics endpoints for Prometheus. */
import { isLoopback, parseAddress } from '../../lib/net/address.ts';
import type { Agent } from '../core/agent-model.ts';
import { displayedState } from '../core/agents.ts';
import { takesWork } from '../core/drain.ts';
import { busySlots } from '../core/leases.ts';
import type { Core } from '../core/model.ts';
import type { CoordinatorMetrics } from './families.ts';

/**
 * The time in milliseconds for which a lost agent keeps its series, and for which `trawl_agents` counts agents that
 * left or were lost. An hour is long enough for an alert. Without a limit, series would accumulate, because a batch
 * system starts every agent under a new name.
 */
export const LOST_RETENTION_MS = 60 * 60_000;

export function measureAgents(core: Core, metrics: CoordinatorMetrics, now: number): void {
  const states = { connected: 0, draining: 0, drained: 0, lost: 0, left: 0, quarantined: 0 };
  for (const family of Object.values(metrics.agentFamilies)) family.reset();
  for (const agent of core.agents.values()) {
    if (isRecent(agent, now)) states[displayedState(core, agent)] += 1;
  }
  for (const agent of core.pastAgents.values()) if (isRecent(agent, now)) states[agent.state] += 1;
  for (const agent of reportedAgents(core, now)) {
    const { id, host, backend, version } = agent;
    metrics.agentInfo.set({ agent: id, host, gpu_model: agent.gpus[0] ?? '', backend, version }, 1);
    const busy = busySlots(core, id);
    const free = takesWork(core, agent) ? Math.max(0, agent.slots - busy) : 0;
    metrics.agentSlots.set({ agent: id, state: 'busy' }, busy);
    metrics.agentSlots.set({ agent: id, state: 'free' }, free);
    metrics.agentHeartbeat.set({ agent: id }, agent.lastHeardAt / 1000);
  }
  for (const [state, count] of Object.entries(states)) metrics.agents.set({ state }, count);
}

/** One target group of Prometheus' HTTP service discovery. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Returns the agents that serve metrics, in the format of Prometheus' `http_sd_config`. Omits an agent that serves its
 * metrics on the loopback address of another machine.
 * @param here the name of the coordinator's machine
 */
export function agentTargets(core: Core, here: string, now: number): TargetGroup[] {
  return reportedAgents(core, now)
    .filter(({ metrics, host }) => metrics !== '' && (host === here || !isLoopback(parseAddress(metrics, 'an agent'))))
    .map(({ id, host, version, metrics }) => ({
      targets: [metrics],
      labels: { __meta_trawl_agent: id, __meta_trawl_host: host, __meta_trawl_version: version },
    }));
}

/**
 * Returns the agents that have series. Omits agents that left, and agents that have been silent for more than
 * LOST_RETENTION_MS.
 */
function reportedAgents(core: Core, now: number): Agent[] {
  return [...core.agents.values()].filter((agent) => isRecent(agent, now) && agent.state !== 'left');
}

const isRecent = ({ lastHeardAt }: Pick<Agent, 'lastHeardAt'>, now: number): boolean =>
  now - lastHeardAt < LOST_RETENTION_MS;
