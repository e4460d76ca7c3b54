/**
 * Sends the heartbeats that renew the leases of an agent's attempts. Each heartbeat is sent over NATS and over gRPC.
 */

import { ErrorCode, type NatsConnection, NatsError } from 'nats';
import type { Logger } from 'pino';
import { sameAttempt } from '../../lib/domain/attempt-key.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import {
  type AttemptKey,
  Heartbeat as HeartbeatMessage,
  type Hello,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { MachineFigures } from '../../proto/gen/trawl/v1/types.ts';
import { heartbeatSubject } from '../../proto/subjects.ts';
import type { CardFigures } from '../machine/gpus.ts';
import type { CoordinatorSession } from './coordinator-session.ts';
import { claimedAttempts, heldAttempts, type Slot } from './slots.ts';

export interface HeartbeatState {
  readonly slots: readonly Slot[];
  /** Attempts with records that the coordinator has not acknowledged. */
  readonly unacknowledged: readonly AttemptKey[];
  /** Whether the agent stops when its attempts have ended. */
  readonly leaving: boolean;
  readonly gpuFigures: readonly CardFigures[];
  readonly machineFigures: MachineFigures | undefined;
}

export class Heartbeat {
  readonly #nats: NatsConnection;
  readonly #hello: Pick<Hello, 'agentId' | 'incarnation'>;
  readonly #state: () => HeartbeatState;
  readonly #session: () => Pick<CoordinatorSession, 'sendHeartbeat'> | undefined;
  readonly #log: Logger;
  #problem: string | undefined;
  #cluster: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    nats: NatsConnection,
    hello: Pick<Hello, 'agentId' | 'incarnation'>,
    state: () => HeartbeatState,
    session: () => Pick<CoordinatorSession, 'sendHeartbeat'> | undefined,
    log: Logger,
  ) {
    this.#nats = nats;
    this.#hello = hello;
    this.#state = state;
    this.#session = session;
    this.#log = log;
  }

  /** Returns the reason why heartbeats cannot be sent over NATS; undefined if they can be sent. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Sends one heartbeat immediately, then one per interval. */
  start(cluster: string, intervalMs: number): void {
    this.#cluster = cluster;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.send(), intervalMs);
    this.send();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * Sends one heartbeat if a coordinator has welcomed the agent. The heartbeat also renews the lease of an attempt that
   * has ended, until the coordinator has acknowledged the attempt's last record. Without this renewal, the lease could
   * expire on a slow connection, and the trial would run again. Attempts of an earlier process of the agent are
   * included.
   */
  send(): void {
    if (this.#cluster === undefined) return;
    const { agentId, incarnation } = this.#hello;
    const { slots, unacknowledged, leaving, gpuFigures, machineFigures } = this.#state();
    const running = heldAttempts(slots);
    const ended = unacknowledged.filter((key) => !running.some((other) => sameAttempt(key, other)));
    const heartbeat = {
      agentId,
      incarnation,
      held: [...running, ...ended],
      claimed: claimedAttempts(slots),
      leaving,
      gpuFigures: gpuFigures.map((card) => ({ ...card, gpus: [...card.gpus] })),
      machineFigures,
    };
    this.#session()?.sendHeartbeat(heartbeat);
    this.#publish(heartbeatSubject(this.#cluster, agentId), HeartbeatMessage.encode(heartbeat).finish());
  }

  /**
   * Publishes a heartbeat, and logs a failure. For example, NATS rejects a message that is larger than `max_payload`,
   * and an administrator can lower this limit at any time.
   */
  #publish(subject: string, heartbeat: Uint8Array): void {
    try {
      this.#nats.publish(subject, heartbeat);
      if (this.#problem !== undefined) this.#log.info('resumed sending heartbeats over NATS');
      this.#problem = undefined;
    } catch (error) {
      if (this.#problem === undefined)
        this.#log.warn({ err: error }, 'cannot send heartbeats over NATS; heartbeats over gRPC continue');
      this.#problem = `heartbeats cannot be sent over NATS: ${publishFailure(error, heartbeat.length)}`;
    }
  }
}

function publishFailure(error: unknown, bytes: number): string {
  const isTooLarge = error instanceof NatsError && error.code === ErrorCode.MaxPayloadExceeded;
  return isTooLarge ? `the max_payload of the server is smaller than ${bytes} bytes` : errorMessage(error);
}
