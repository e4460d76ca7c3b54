/** What the coordinator does unasked: hears heartbeats, looks at the clock, keeps the queue of offers whole. */
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
import { keyOf } from '../transport/records.ts';
import type { Runtime } from './runtime.ts';

const TICK_MS = 250;
/** How often the stream is compared with the store. */
const RECONCILE_MS = 5_000;

export interface RoundsOptions {
  readonly runtime: Runtime;
  readonly nats: NatsConnection;
  readonly offers: Offers;
  readonly cluster: string;
  readonly metrics: Pick<CoordinatorMetrics, 'natsReconnects' | 'unreadable'>;
  readonly rejections: Pick<RejectionLog, 'record'>;
  /** The connection to NATS was lost, or is back. */
  readonly onConnected: (connected: boolean) => void;
  readonly log: Logger;
}

/** Resolves, when the queue has been compared with the store once, with what ends the rounds. */
export async function startRounds({
  runtime,
  nats,
  offers,
  cluster,
  metrics,
  rejections,
  onConnected,
  log,
}: RoundsOptions): Promise<() => void> {
  const wanted = { pools: () => livePools(runtime.core), offers: () => standingOffers(runtime.core) };
  const reconcile = () =>
    offers.reconcile(wanted).then(
      (missing) => missing > 0 && log.info({ missing }, 'offers that the streams lacked were published'),
      (error) => log.warn({ err: error }, 'the streams of offers could not be compared with the store'),
    );
  /** Pools whose stream is to be made anew. */
  const stuck = new Set<string>();
  const rebuild = (pool: string) => {
    log.warn({ pool }, 'offers stand, slots are free, and nobody takes them: the stream is made anew');
    stuck.delete(pool);
    return offers.rebuild(pool, wanted).catch((error) => {
      // As when the cluster has no leader yet.
      log.warn({ err: error }, 'the stream could not be made anew; it will be tried again');
      stuck.add(pool);
    });
  };
  listenToHeartbeats({ nats, cluster, runtime, metrics, rejections, log });
  listenToStatus(nats, log, {
    onDisconnect: () => onConnected(false),
    onReconnect() {
      metrics.natsReconnects.inc({ component: 'coordinator' });
      onConnected(true);
      void reconcile();
    },
  }).catch((error) => log.error({ err: error }, 'could not watch the connection to NATS'));
  let tickedAt = runtime.now();
  const ticking = setInterval(() => {
    const now = runtime.now();
    recordOutage(runtime.core, tickedAt, now);
    tickedAt = now;
    runtime.settle(onTick(runtime.core, now)).then(
      () => runtime.reschedule(),
      () => {},
    );
  }, TICK_MS);
  const reconciling = setInterval(() => {
    for (const pool of takeStuckPools(runtime.core, runtime.now())) stuck.add(pool);
    const live = wanted.pools();
    for (const pool of stuck) if (!live.has(pool)) stuck.delete(pool);
    void Promise.all([...stuck].map(rebuild)).then(reconcile);
  }, RECONCILE_MS);
  await reconcile();
  runtime.reschedule();
  return () => {
    clearInterval(ticking);
    clearInterval(reconciling);
  };
}

function listenToHeartbeats({
  nats,
  cluster,
  runtime,
  metrics,
  rejections,
  log,
}: Omit<RoundsOptions, 'offers' | 'onConnected'>): void {
  const unreadable = new SparseLog(log, 'a heartbeat could not be read');
  nats.subscribe(allHeartbeats(cluster), {
    callback(error, message) {
      if (error !== null) return log.warn({ err: error }, 'heartbeats could not be received');
      try {
        const beat = Heartbeat.decode(message.data);
        const { agentId, incarnation, leaving } = beat;
        const gpuFigures = beat.gpuFigures.slice(0, MAX_GPUS);
        // The server lets an agent publish on its own subject only: the subject says who it is.
        if (message.subject !== heartbeatSubject(cluster, agentId)) {
          return rejections.record('other_agent', { subject: message.subject, agentId });
        }
        const [held, claimed] = [beat.held.map(keyOf), beat.claimed.map(keyOf)];
        const facts = { agentId, incarnation, held, claimed, leaving, gpuFigures };
        runtime.settle(onHeartbeat(runtime.core, facts, runtime.now())).catch(() => {});
      } catch (cause) {
        metrics.unreadable.inc({ via: 'nats' });
        unreadable.warn({ err: cause, subject: message.subject });
      }
    },
  });
}

async function listenToStatus(
  nats: NatsConnection,
  log: Logger,
  { onDisconnect, onReconnect }: { readonly onDisconnect: () => void; readonly onReconnect: () => void },
): Promise<void> {
  for await (const status of nats.status()) {
    if (status.type === Events.Disconnect) {
      log.warn('the connection to NATS was lost');
      onDisconnect();
    } else if (status.type === Events.Reconnect) {
      log.info('the connection to NATS is back');
      onReconnect();
    }
  }
}
