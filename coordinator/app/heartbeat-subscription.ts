/** Receives the heartbeats that agents send over NATS. */
import type { NatsConnection, Subscription } from 'nats';
import type { Logger } from 'pino';
import { SparseLog } from '../../lib/net/sparse-log.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { Heartbeat } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { allHeartbeats, heartbeatSubject } from '../../proto/subjects.ts';
import type { RejectionLog } from '../auth/rejections.ts';
import { onHeartbeat } from '../core/agents.ts';
import type { CoordinatorMetrics } from '../metrics/families.ts';
import { heartbeatOf } from '../transport/records.ts';
import type { Runtime } from './runtime.ts';

export interface HeartbeatOptions {
  readonly runtime: Runtime;
  readonly nats: NatsConnection;
  readonly cluster: string;
  readonly metrics: Pick<CoordinatorMetrics, 'unreadable'>;
  readonly rejections: Pick<RejectionLog, 'record'>;
  /** Whether an agent has a valid identity. Always true if the coordinator requires no authentication. */
  readonly isKnownAgent: (agentId: string) => boolean;
  readonly log: Logger;
}

export class HeartbeatSubscription {
  readonly #options: HeartbeatOptions;
  readonly #unreadable: SparseLog;
  #subscription: Subscription;
  /**
   * The last error of the subscription. If the subscription is closed, this error is the reason why no heartbeats
   * arrive over NATS.
   */
  #problem: string | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#unreadable = new SparseLog(options.log, 'could not read a heartbeat');
    this.#subscription = this.#subscribe();
  }

  /** Returns the reason why no heartbeats can arrive over NATS, or undefined while the subscription is open. */
  get problem(): string | undefined {
    return this.#subscription.isClosed() ? this.#problem : undefined;
  }

  /** Subscribes again if the subscription is closed, for example after a change of permissions. */
  renew(): void {
    if (this.#subscription.isClosed() && !this.#options.nats.isClosed()) this.#subscription = this.#subscribe();
  }

  #subscribe(): Subscription {
    const { nats, cluster, runtime, metrics, rejections, isKnownAgent, log } = this.#options;
    return nats.subscribe(allHeartbeats(cluster), {
      callback: (error, message) => {
        if (error !== null) {
          this.#problem = `heartbeats do not arrive over NATS: ${error.message}`;
          return log.warn({ err: error }, 'could not receive heartbeats over NATS; heartbeats over gRPC continue');
        }
        try {
          const heartbeat = Heartbeat.decode(message.data);
          const { agentId } = heartbeat;
          // NATS lets an agent publish only on its own subject, so the subject identifies the agent.
          if (message.subject !== heartbeatSubject(cluster, agentId)) {
            return rejections.record('other_agent', { subject: message.subject, agentId });
          }
          if (!isKnownAgent(agentId)) return rejections.record('unknown_agent', { agentId });
          runtime.settle(onHeartbeat(runtime.core, heartbeatOf(heartbeat), runtime.now()), '', true).catch(() => {});
        } catch (cause) {
          metrics.unreadable.inc({ via: 'nats' });
          this.#unreadable.warn({ reason: errorMessage(cause), subject: message.subject });
        }
      },
    });
  }
}
