/**
 * Applies revocations while the coordinator runs. Ends the calls of a revoked identity, and the attempts of an agent
 * whose identity is revoked.
 */
import type { Logger } from 'pino';
import type { Runtime } from '../app/runtime.ts';
import { onRevoked } from '../core/agents.ts';
import type { Guard } from './guard.ts';
import type { Identities } from './identities.ts';

export interface RevocationOptions {
  readonly identities: Identities;
  readonly guard: Guard;
  readonly runtime: Runtime;
  readonly log: Logger;
}

/**
 * Ends the attempts of each agent whose identity was revoked while the coordinator was stopped. Then applies each later
 * revocation.
 * @returns a function that stops the watch
 */
export function watchRevocations({ identities, guard, runtime, log }: RevocationOptions): () => void {
  const revoke = (agentId: string) => {
    // `settle` has already reported the error.
    runtime.settle(onRevoked(runtime.core, agentId, runtime.now())).catch(() => {});
  };
  for (const agentId of [...runtime.core.leasesByAgent.keys()]) if (!identities.hasAgent(agentId)) revoke(agentId);
  return identities.watch((revoked) => {
    for (const { name, role } of revoked) {
      log.warn({ name, role }, 'an identity was revoked');
      if (role === 'agent') revoke(name);
    }
    guard.recheck();
    runtime.reschedule();
  });
}
