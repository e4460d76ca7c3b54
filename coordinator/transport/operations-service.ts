/** The side of the people who run the machines. */
import type { Logger } from 'pino';
import type { OperationsServiceServer } from '../../proto/gen/trawl/v1/operations_service.ts';
import type { AgentControl } from '../agent-control.ts';
import { unary } from './handlers.ts';

export function operationsService(agents: AgentControl, log: Logger): OperationsServiceServer {
  return {
    drainAgent: unary(log, async ({ agent, graceMs, reason }) => {
      const drained = await agents.drain(agent, graceMs, reason);
      log.info({ agentId: drained.id, graceMs, reason }, 'an agent is drained');
      return { agent: drained };
    }),
    undrainAgent: unary(log, async ({ agent }) => {
      const undrained = await agents.undrain(agent);
      log.info({ agentId: undrained.id }, 'an agent may take work again');
      return { agent: undrained };
    }),
  };
}
