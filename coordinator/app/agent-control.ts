/** Agents are drained, and take work again, as a person asks. */
import { AmbiguousError, BadInputError, NotFoundError } from '../../proto/errors.ts';
import type { Agent } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import { displayedState, onDrain, onUndrain } from '../core/drain.ts';
import { busySlots } from '../core/leases.ts';
import type { Core } from '../core/model.ts';
import type { Runtime } from './runtime.ts';

/** A grace beyond this is none. */
const MAX_GRACE_MS = 365 * 86_400_000;

export interface AgentControl {
  drain(agent: string, graceMs: number, reason: string): Promise<Agent>;
  undrain(agent: string): Promise<Agent>;
}

export function agentControlOf(runtime: Runtime): AgentControl {
  const { core } = runtime;
  return {
    async drain(name, graceMs, reason) {
      if (graceMs > MAX_GRACE_MS) throw new BadInputError('a drain may have a grace of 365 days at most');
      const id = findAgent(core, name);
      await runtime.settle(onDrain(core, { agentId: id, graceMs, reason }, runtime.now()));
      return agentOf(core, id);
    },
    async undrain(name) {
      const id = findAgent(core, name);
      await runtime.settle(onUndrain(core, { agentId: id }));
      runtime.reschedule();
      return agentOf(core, id);
    },
  };
}

/** @throws {NotFoundError | AmbiguousError} */
function findAgent(core: Core, name: string): string {
  const known = [...new Set([...core.agents.keys(), ...core.drains.keys()])].sort();
  if (known.includes(name)) return name;
  const found = name === '' ? [] : known.filter((id) => id.startsWith(name));
  const [only] = found;
  if (found.length > 1) throw new AmbiguousError(`${JSON.stringify(name)} fits several agents: ${found.join(', ')}`);
  if (only !== undefined) return only;
  const here = known.length === 0 ? 'no agent has been heard of' : `known are ${known.join(', ')}`;
  throw new NotFoundError(`there is no agent ${JSON.stringify(name)}: ${here}`);
}

export function agentsOf(core: Core): Agent[] {
  return [...core.agents.keys()].map((id) => agentOf(core, id));
}

/** One that is drained, and has not been heard of since a restart, is known by its name alone. */
function agentOf(core: Core, id: string): Agent {
  const agent = core.agents.get(id);
  const drainReason = core.drains.get(id)?.reason ?? '';
  if (agent === undefined) {
    const machine = { host: '', backend: '', version: '', lastHeartbeatMs: 0, gpus: [], gpuFigures: [], labels: {} };
    const nothing = { ...machine, slots: 0, busy: 0, pack: 1, slotVramBytes: [] };
    return { id, state: agentState.to('lost'), ...nothing, drainReason };
  }
  return {
    id,
    host: agent.host,
    state: agentState.to(displayedState(core, agent)),
    slots: agent.slots,
    busy: busySlots(core, id),
    backend: agent.backend,
    version: agent.version,
    lastHeartbeatMs: agent.lastHeardAt,
    gpus: [...agent.gpus],
    drainReason,
    labels: { ...agent.labels },
    slotVramBytes: agent.slotFacts.map(({ vramBytes }) => vramBytes),
    pack: agent.pack,
    gpuFigures: [...(agent.gpuFigures ?? [])],
  };
}
