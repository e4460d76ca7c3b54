/** Implements the OperationsService: drains and releases agents, prunes sweeps, and sends backups. */
import type { Logger } from 'pino';
import type { BackupResponse, OperationsServiceServer } from '../../proto/gen/trawl/v1/operations_service.ts';
import { sweepState } from '../../proto/names.ts';
import type { AgentControl } from '../app/agent-control.ts';
import { userOf } from '../auth/user.ts';
import { checkSelector, type Pruned, type PruneOptions } from '../retention/prune.ts';
import { streamHandler, unaryHandler } from './handlers.ts';
import { checkLength } from './limits.ts';

/** Returns the handlers of the service. @param backup a function that streams a backup of the current state */
export function operationsService(
  agents: AgentControl,
  backup: () => AsyncIterable<BackupResponse>,
  prune: (options: PruneOptions & { readonly orphans: boolean }) => Promise<Pruned>,
  log: Logger,
): OperationsServiceServer {
  return {
    prune: unaryHandler(log, async (options) => {
      checkSelector(options);
      const { sweeps, code, orphans } = await prune(options);
      if (!options.dryRun) {
        for (const { id, name, trials, bytes } of sweeps) {
          log.info({ sweepId: id, name, trials, bytes }, 'pruned a sweep');
        }
      }
      const removed = sweeps.map((sweep) => ({ ...sweep, state: sweepState.to(sweep.state) }));
      return { sweeps: removed, codeArchives: code.archives, codeBytes: code.bytes, orphans };
    }),
    backup: streamHandler(log, () => backup()),
    drainAgent: unaryHandler(log, async ({ agent, graceMs, reason }, call) => {
      checkLength('reason', reason);
      const drained = await agents.drain(agent, { graceMs, reason, by: userOf(call) });
      log.info({ agentId: drained.id, graceMs, reason }, 'drained an agent');
      return { agent: drained };
    }),
    undrainAgent: unaryHandler(log, async ({ agent }, call) => {
      const undrained = await agents.undrain(agent, userOf(call));
      log.info({ agentId: undrained.id }, 'undrained an agent');
      return { agent: undrained };
    }),
    releaseAgent: unaryHandler(log, async ({ agent }, call) => {
      const released = await agents.release(agent, userOf(call));
      log.info({ agentId: released.id }, 'released an agent');
      return { agent: released };
    }),
  };
}
