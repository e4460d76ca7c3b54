/** The agents that need attention: lost agents, and agents that are quarantined for a sweep. */

import type { Agent } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';

/** The maximum number of agents that an alert names. */
const MAX_NAMED = 3;

/** Returns an alert for the lost agents and an alert for the quarantined agents, such as `2 lost (gpu-1, gpu-2)`. */
export function agentAlerts(agents: readonly Agent[], sweepId: string): string[] {
  const lost = agents.filter(({ state }) => agentState.of(state) === 'lost');
  const quarantined = agents.filter(({ quarantine }) => {
    return quarantine !== undefined && (quarantine.sweepIds.length === 0 || quarantine.sweepIds.includes(sweepId));
  });
  return [...alert(lost, 'lost'), ...alert(quarantined, 'quarantined')];
}

function alert(agents: readonly Agent[], state: string): string[] {
  if (agents.length === 0) return [];
  const names = agents.slice(0, MAX_NAMED).map(({ id }) => id);
  const others = agents.length - names.length;
  return [`${agents.length} ${state} (${names.join(', ')}${others === 0 ? '' : `, and ${others} more`})`];
}
