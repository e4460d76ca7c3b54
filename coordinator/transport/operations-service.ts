/** The side of the people who run the machines. */
import type { Logger } from 'pino';
import type { BackupResponse, OperationsServiceServer } from '../../proto/gen/trawl/v1/operations_service.ts';
import { sweepState } from '../../proto/names.ts';
import type { AgentControl } from '../app/agent-control.ts';
import type { PrunedSweep, PruneOptions } from '../retention/prune.ts';
import { streamed, unary } from './handlers.ts';
import { mustBeShort } from './limits.ts';

/** @param backup makes one, as of the moment that it is asked for */
export function operationsService(
  agents: AgentControl,
  backup: () => AsyncIterable<BackupResponse>,
  prune: (options: PruneOptions) => Promise<PrunedSweep[]>,
  log: Logger,
): OperationsServiceServer {
  return {
    prune: unary(log, async (options) => {
      const sweeps = await prune(options);
      if (!options.dryRun) {
        for (const { id, name, trials, bytes } of sweeps) {
          log.info({ sweepId: id, name, trials, bytes }, 'a sweep was pruned');
        }
      }
      return { sweeps: sweeps.map((sweep) => ({ ...sweep, state: sweepState.to(sweep.state) })) };
    }),
    backup: streamed(log, () => backup()),
    drainAgent: unary(log, async ({ agent, graceMs, reason }) => {
      mustBeShort('a reason', reason);
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
