/**
 * Runs the periodic work of the coordinator: receives heartbeats, expires leases, and reconciles the offers on NATS.
 */
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { NatsState } from '../../lib/net/nats-state.ts';
import type { RejectionLog } from '../auth/rejections.ts';
import { livePools, openOffers, takeStuckPools } from '../core/scheduler.ts';
import { onTick, recordOutage } from '../core/tick.ts';
import type { CoordinatorMetrics } from '../metrics/families.ts';
import { natsReason, type Offers } from '../transport/offers.ts';
import { HeartbeatSubscription } from './heartbeat-subscription.ts';
import type { Runtime } from './runtime.ts';

const TICK_MS = 250;
const RECONCILE_MS = 5_000;

/** The parts of NATS that the coordinator depends on. */
export type NatsPart = 'connection' | 'offers' | 'heartbeats';

export interface RoundsOptions {
  readonly runtime: Runtime;
  readonly nats: NatsConnection;
  readonly offers: Offers;
  readonly cluster: string;
  readonly metrics: Pick<CoordinatorMetrics, 'natsReconnects' | 'unreadable'>;
  readonly rejections: Pick<RejectionLog, 'record'>;
  /** Called with the problem when a part of the NATS connection fails. Called with undefined when the part recovers. */
  readonly onProblem: (part: NatsPart, problem: string | undefined) => void;
  /** Whether an agent has a valid identity. Always true if the coordinator requires no authentication. */
  readonly isKnownAgent: (agentId: string) => boolean;
  readonly log: Logger;
}

/**
 * Starts the periodic work, and waits for the first reconciliation.
 * @returns a function that stops the periodic work
 */
export async function startRounds(options: RoundsOptions): Promise<() => void> {
  const { runtime, nats, offers, metrics, onProblem, log } = options;
  const reconciler = new Reconciler(runtime, offers, (problem) => onProblem('offers', problem), log);
  const heartbeats = new HeartbeatSubscription(options);
  new NatsState(nats, log, {
    onProblem: (problem) => onProblem('connection', problem),
    onReconnect() {
      metrics.natsReconnects.inc({ component: 'coordinator' });
      void reconciler.reconcile();
    },
  });
  const ticking = startTicking(runtime);
  const reconciling = setInterval(() => {
    onProblem('heartbeats', heartbeats.problem);
    heartbeats.renew();
    reconciler.repair().catch((error) => log.error({ err: error }, 'could not repair the streams of offers'));
  }, RECONCILE_MS);
  await reconciler.reconcile();
  runtime.reschedule();
  return () => {
    clearInterval(ticking);
    clearInterval(reconciling);
  };
}

/**
 * Expires leases. The time between the load of the store and the first tick counts as an outage, because no heartbeats
 * arrive in that time. The time can be long, because the coordinator must first connect to NATS and compare the
 * artifacts with the store.
 */
export function startTicking(runtime: Pick<Runtime, 'core' | 'now' | 'settle' | 'reschedule'>): NodeJS.Timeout {
  let lastTickAt = runtime.core.listeningSince;
  return setInterval(() => {
    const now = runtime.now();
    recordOutage(runtime.core, lastTickAt, now);
    lastTickAt = now;
    runtime.settle(onTick(runtime.core, now)).then(
      () => runtime.reschedule(),
      // `settle` has already reported the error.
      () => {},
    );
  }, TICK_MS);
}

class Reconciler {
  readonly #offers: Offers;
  readonly #log: Logger;
  readonly #runtime: Runtime;
  readonly #onProblem: (problem: string | undefined) => void;
  #problem: string | undefined;
  readonly #expected;
  /** The pools whose stream must be recreated, because no agent takes offers from the stream. */
  readonly #stuck = new Set<string>();

  /** @param onProblem called with the reason why offers cannot be published, and with undefined on recovery */
  constructor(runtime: Runtime, offers: Offers, onProblem: (problem: string | undefined) => void, log: Logger) {
    this.#runtime = runtime;
    this.#onProblem = onProblem;
    this.#offers = offers;
    this.#log = log;
    this.#expected = { pools: () => livePools(runtime.core), offers: () => openOffers(runtime.core) };
  }

  /** Publishes missing offers. Logs errors instead of rejecting. */
  async reconcile(): Promise<void> {
    try {
      const missing = await this.#offers.reconcile(this.#expected);
      if (missing > 0) this.#log.info({ missing }, 'published offers that the streams lacked');
      this.#report(undefined);
    } catch (error) {
      this.#report(`offers cannot be published on NATS: ${natsReason(error)}`);
    }
  }

  /** Logs a problem when it appears, when it changes and when it ends. */
  #report(problem: string | undefined): void {
    this.#onProblem(problem);
    if (problem === this.#problem) return;
    if (problem === undefined) this.#log.info('resumed publishing offers on NATS');
    else this.#log.warn({ problem }, 'could not compare the streams of offers with the store; retrying');
    this.#problem = problem;
  }

  /** Recreates the stuck streams, then reconciles all streams. */
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
