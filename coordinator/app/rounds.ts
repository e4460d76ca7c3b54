/**
 * Runs the periodic work of the coordinator: heartbeats, the expiry of leases, and the reconciliation of the offers on
 * NATS.
 */
import { Events, type NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { SparseLog } from '../../lib/net/sparse-log.ts';
import { Heartbeat } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { allHeartbeats, heartbeatSubject } from '../../proto/subjects.ts';
import type { RejectionLog } from '../auth/rejections.ts';
import { onHeartbeat } from '../core/agents.ts';
import { livePools, standingOffers, takeStuckPools } from '../core/scheduler.ts';
import { onTick, recordOutage } from '../core/tick.ts';
import type { CoordinatorMetrics } from '../metrics/families.ts';
import { MAX_GPUS } from '../transport/limits.ts';
import type { Offers } from '../transport/offers.ts';
import { attemptKeyOf } from '../transport/records.ts';
import type { Runtime } from './runtime.ts';

const TICK_MS = 250;
const RECONCILE_MS = 5_000;

export interface RoundsOptions {
  readonly runtime: Runtime;
  readonly nats: NatsConnection;
  readonly offers: Offers;
  readonly cluster: string;
  readonly metrics: Pick<CoordinatorMetrics, 'natsReconnects' | 'unreadable'>;
  readonly rejections: Pick<RejectionLog, 'record'>;
  /** Called when the connection to NATS is lost, and when it is restored. */
  readonly onConnected: (connected: boolean) => void;
  readonly log: Logger;
}

/** Starts the rounds, and waits for the first reconciliation. @returns a function that stops them */
export async function startRounds(options: RoundsOptions): Promise<() => void> {
  const { runtime, nats, offers, metrics, onConnected, log } = options;
  const reconciler = new Reconciler(runtime, offers, log);
  subscribeToHeartbeats(options);
  watchConnection(nats, log, {
    onDisconnect: () => onConnected(false),
    onReconnect() {
      metrics.natsReconnects.inc({ component: 'coordinator' });
      onConnected(true);
      void reconciler.reconcile();
    },
  }).catch((error) => log.error({ err: error }, 'could not watch the connection to NATS'));
  const ticking = startTicking(runtime);
  const reconciling = setInterval(() => {
    reconciler.repair().catch((error) => log.error({ err: error }, 'could not repair the streams of offers'));
  }, RECONCILE_MS);
  await reconciler.reconcile();
  runtime.reschedule();
  return () => {
    clearInterval(ticking);
    clearInterval(reconciling);
  };
}

function startTicking(runtime: Runtime): NodeJS.Timeout {
  let lastTickAt = runtime.now();
  return setInterval(() => {
    const now = runtime.now();
    recordOutage(runtime.core, lastTickAt, now);
    lastTickAt = now;
    runtime.settle(onTick(runtime.core, now)).then(
      () => runtime.reschedule(),
      // `settle` has reported the error.
      () => {},
    );
  }, TICK_MS);
}

class Reconciler {
  readonly #offers: Offers;
  readonly #log: Logger;
  readonly #runtime: Runtime;
  readonly #expected;
  /** Pools whose stream must be recreated, because no agent takes its offers. */
  readonly #stuck = new Set<string>();

  constructor(runtime: Runtime, offers: Offers, log: Logger) {
    this.#runtime = runtime;
    this.#offers = offers;
    this.#log = log;
    this.#expected = { pools: () => livePools(runtime.core), offers: () => standingOffers(runtime.core) };
  }

  /** Publishes missing offers. Logs errors, and never rejects. */
  async reconcile(): Promise<void> {
    try {
      const missing = await this.#offers.reconcile(this.#expected);
      if (missing > 0) this.#log.info({ missing }, 'published offers that the streams lacked');
    } catch (error) {
      this.#log.warn({ err: error }, 'could not compare the streams of offers with the store');
    }
  }

  /** Recreates stuck streams, then reconciles. */
  async repair(): Promise<void> {
    for (const pool of takeStuckPools(this.#runtime.core, this.#runtime.now())) this.#stuck.add(pool);
    const live = this.#expected.pools();
    for (const pool of this.#stuck) if (!live.has(pool)) this.#stuck.delete(pool);
    await Promise.all([...this.#stuck].map((pool) => this.#recreate(pool)));
    await this.reconcile();
  }

  async #recreate(pool: string): Promise<void> {
    this.#log.warn({ pool }, 'slots are free but no agent takes the offers: recreating the stream');
    this.#stuck.delete(pool);
    try {
      await this.#offers.rebuild(pool, this.#expected);
    } catch (error) {
      this.#log.warn({ err: error }, 'could not recreate the stream; retrying');
      this.#stuck.add(pool);
    }
  }
}

function subscribeToHeartbeats({ nats, cluster, runtime, metrics, rejections, log }: RoundsOptions): void {
  const unreadable = new SparseLog(log, 'could not read a heartbeat');
  nats.subscribe(allHeartbeats(cluster), {
    callback(error, message) {
      if (error !== null) return log.warn({ err: error }, 'could not receive heartbeats');
      try {
        const heartbeat = Heartbeat.decode(message.data);
        const { agentId, incarnation, leaving } = heartbeat;
        const gpuFigures = heartbeat.gpuFigures.slice(0, MAX_GPUS);
        // NATS lets an agent publish only on its own subject, which therefore identifies it.
        if (message.subject !== heartbeatSubject(cluster, agentId)) {
          return rejections.record('other_agent', { subject: message.subject, agentId });
        }
        const [held, claimed] = [heartbeat.held.map(attemptKeyOf), heartbeat.claimed.map(attemptKeyOf)];
        const event = { agentId, incarnation, held, claimed, leaving, gpuFigures };
        runtime.settle(onHeartbeat(runtime.core, event, runtime.now())).catch(() => {});
      } catch (cause) {
        metrics.unreadable.inc({ via: 'nats' });
        unreadable.warn({ err: cause, subject: message.subject });
      }
    },
  });
}

async function watchConnection(
  nats: NatsConnection,
  log: Logger,
  { onDisconnect, onReconnect }: { readonly onDisconnect: () => void; readonly onReconnect: () => void },
): Promise<void> {
  for await (const status of nats.status()) {
    if (status.type === Events.Disconnect) {
      log.warn('lost the connection to NATS');
      onDisconnect();
    } else if (status.type === Events.Reconnect) {
      log.info('reconnected to NATS');
      onReconnect();
    }
  }
}
