import type { Agent } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import { isoTime } from './time-text.ts';

/** An agent for a script. */
export function agentJson(agent: Agent) {
  return {
    agent: agent.id,
    host: agent.host,
    state: agentState.of(agent.state),
    drain_reason: agent.drainReason || null,
    slots: agent.slots,
    busy: agent.busy,
    backend: agent.backend || null,
    gpus: agent.gpus,
    labels: agent.labels,
    slot_vram_bytes: agent.slotVramBytes,
    version: agent.version,
    last_heartbeat_at: isoTime(agent.lastHeartbeatMs),
  };
}
