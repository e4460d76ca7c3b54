import type { Agent, GpuFigures } from '../../proto/gen/trawl/v1/types.ts';
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
    gpu_figures: agent.gpuFigures.map(gpuJson),
    pack: agent.pack,
    version: agent.version,
    last_heartbeat_at: isoTime(agent.lastHeartbeatMs),
  };
}

/** What is not known is null. */
function gpuJson({ index, ...figures }: GpuFigures) {
  return {
    index,
    utilization: figures.utilization ?? null,
    memory_used_bytes: figures.memoryUsedBytes ?? null,
    memory_total_bytes: figures.memoryTotalBytes ?? null,
    temperature_celsius: figures.temperatureCelsius ?? null,
    power_watts: figures.powerWatts ?? null,
  };
}
