/**
 * Publishes offers to JetStream work queues, one per pool. The store is authoritative. The queues are in the memory of
 * the NATS servers, and missing offers are published again from the store (docs/decisions/offers.md, pools.md).
 */
import {
  AckPolicy,
  DiscardPolicy,
  ErrorCode,
  type JetStreamClient,
  type JetStreamManager,
  type NatsConnection,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats';
import type { Logger } from 'pino';
import { SparseLog } from '../../lib/net/sparse-log.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { Offer } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { OFFER_CONSUMER, offerStream, offerStreams, offerSubject, poolOffers } from '../../proto/subjects.ts';
import { POOL_WINDOW_MS } from '../core/pool-budget.ts';
import type { OpenOffer } from '../core/scheduler.ts';

/**
 * The time after which an unanswered offer is delivered again. An agent usually answers within milliseconds, when the
 * coordinator has decided the agent's claim. If the decision takes longer, the agent extends the time.
 */
const OFFER_ACK_WAIT_MS = 5_000;
/** The maximum number of delivered offers without an answer, over all agents. */
const MAX_UNANSWERED_OFFERS = 50_000;

/**
 * The maximum number of offers in a queue, including stale offers. NATS rejects further offers, and the coordinator
 * publishes them again later.
 */
const MAX_OFFERS = 100_000;

/** With three replicas, offers are still delivered after the loss of a server, once the stream has a new leader. */
const CLUSTER_REPLICAS = 3;

/** The error code of JetStream for "maximum messages per subject exceeded". */
const OFFER_ALREADY_QUEUED = 10077;
/** The error code of JetStream for "no suitable peers for placement". */
const TOO_FEW_SERVERS = 10005;

/** The fill level of the fullest stream. */
export interface StreamFill {
  readonly messages: number;
  /** The maximum number of messages in the stream. If undefined, the number is not limited. */
  readonly limit: number | undefined;
}

/** The pools and offers that NATS should currently have. */
export interface ExpectedOffers {
  /** The pools that agents can pull from. */
  pools(): ReadonlySet<string>;
  /** The current offers. */
  offers(): readonly OpenOffer[];
}

export class Offers {
  readonly #cluster: string;
  readonly #js: JetStreamClient;
  readonly #log: Logger;
  readonly #nats: NatsConnection;
  readonly #unpublished: SparseLog;
  readonly #onFill: (fill: StreamFill) => void;
  /** The streams that were created or found since the last reconciliation. */
  readonly #ready = new Map<string, Promise<void>>();
  /**
   * For each pool that has a stream, the last time (`performance.now()`) at which the pool was in
   * `ExpectedOffers.pools`, or at which the stream of an earlier process was found.
   */
  readonly #lastExpectedAt = new Map<string, number>();
  #manager: JetStreamManager | undefined;
  #foundExisting = false;

  /** @param onFill called with the fill level at each reconciliation */
  constructor(nats: NatsConnection, cluster: string, log: Logger, onFill: (fill: StreamFill) => void) {
    this.#nats = nats;
    this.#cluster = cluster;
    this.#js = nats.jetstream({ timeout: 5_000 });
    this.#log = log;
    this.#onFill = onFill;
    this.#unpublished = new SparseLog(log, 'could not publish an offer; retrying later');
  }

  /** Publishes an offer. A failure is logged, and the next `reconcile` publishes the offer. */
  async publish(offer: OpenOffer): Promise<void> {
    try {
      await this.#publish(offer);
    } catch (error) {
      this.#unpublished.warn({ ...offer.key, reason: natsReason(error) });
    }
  }

  async #publish({ pool, key }: OpenOffer): Promise<void> {
    try {
      await this.#ensured(pool);
      await this.#js.publish(offerSubject(this.#cluster, pool, key), Offer.encode({ key }).finish());
    } catch (error) {
      if (!isApiError(error, OFFER_ALREADY_QUEUED)) throw error;
    }
  }

  /**
   * Publishes the offers that the streams lack. Stale offers are harmless, because the claim of a stale offer is
   * rejected and the agent then discards the offer.
   * @returns the number of missing offers
   */
  async reconcile(expected: ExpectedOffers): Promise<number> {
    await this.#findExisting();
    for (const pool of expected.pools()) this.#lastExpectedAt.set(pool, performance.now());
    await this.#dropEmpty();
    const results = await Promise.all([...expected.pools()].map((pool) => this.#reconcilePool(pool, expected)));
    const [fullest] = results.map(({ fill }) => fill).sort((a, b) => b.messages - a.messages);
    if (fullest !== undefined) this.#onFill(fullest);
    return results.reduce((sum, { missing }) => sum + missing, 0);
  }

  /** Deletes a pool's stream, and recreates the stream with the current offers. */
  async rebuild(pool: string, expected: ExpectedOffers): Promise<void> {
    const manager = await this.#management();
    await manager.streams.delete(offerStream(this.#cluster, pool)).catch(ignoreNotFound);
    await this.#reconcilePool(pool, expected);
  }

  async #reconcilePool(pool: string, expected: ExpectedOffers): Promise<{ fill: StreamFill; missing: number }> {
    const manager = await this.#management();
    this.#ready.delete(pool);
    await this.#ensured(pool);
    const filter = { subjects_filter: poolOffers(this.#cluster, pool) };
    const { state, config } = await manager.streams.info(offerStream(this.#cluster, pool), filter);
    if (config.num_replicas < this.#replicas()) await this.#addReplicas(manager, config);
    const held = state.subjects ?? {};
    // The current offers are read last, so that they are at least as recent as the offers in the stream.
    const current = expected.offers().filter((offer) => offer.pool === pool);
    const missing = current.filter(({ key }) => !(offerSubject(this.#cluster, pool, key) in held));
    await Promise.all(missing.map((offer) => this.#publish(offer)));
    const limit = config.max_msgs > 0 ? config.max_msgs : undefined;
    return { fill: { messages: state.messages, limit }, missing: missing.length };
  }

  /**
   * Finds the streams that an earlier process created. Deletes the stream that older versions of trawl used for all
   * pools.
   */
  async #findExisting(): Promise<void> {
    if (this.#foundExisting) return;
    const manager = await this.#management();
    const streams = offerStreams(this.#cluster);
    for await (const name of manager.streams.names()) {
      if (name === streams) await manager.streams.delete(name).catch(ignoreNotFound);
      else if (name.startsWith(`${streams}_`))
        this.#lastExpectedAt.set(name.slice(streams.length + 1), performance.now());
    }
    this.#foundExisting = true;
  }

  async #dropEmpty(): Promise<void> {
    const manager = await this.#management();
    for (const [pool, at] of this.#lastExpectedAt) {
      if (performance.now() - at < POOL_WINDOW_MS) continue;
      this.#lastExpectedAt.delete(pool);
      this.#ready.delete(pool);
      await manager.streams.delete(offerStream(this.#cluster, pool)).catch(ignoreNotFound);
    }
  }

  async #management(): Promise<JetStreamManager> {
    this.#manager ??= await this.#nats.jetstreamManager({ timeout: 5_000 });
    return this.#manager;
  }

  #ensured(pool: string): Promise<void> {
    const ready = this.#ready.get(pool) ?? this.#ensure(pool);
    this.#ready.set(pool, ready);
    ready.catch(() => this.#ready.delete(pool));
    return ready;
  }

  async #ensure(pool: string): Promise<void> {
    const manager = await this.#management();
    const stream = offerStream(this.#cluster, pool);
    try {
      await manager.consumers.info(stream, OFFER_CONSUMER);
    } catch (error) {
      ignoreNotFound(error);
      await this.#add(manager, pool);
      await manager.consumers.add(stream, {
        durable_name: OFFER_CONSUMER,
        ack_policy: AckPolicy.Explicit,
        ack_wait: nanos(OFFER_ACK_WAIT_MS),
        max_ack_pending: MAX_UNANSWERED_OFFERS,
        max_deliver: -1,
      });
    }
  }

  async #add(manager: JetStreamManager, pool: string): Promise<void> {
    const config = {
      name: offerStream(this.#cluster, pool),
      subjects: [poolOffers(this.#cluster, pool)],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.Memory,
      max_msgs: MAX_OFFERS,
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
    };
    try {
      await manager.streams.add({ ...config, num_replicas: this.#replicas() });
    } catch (error) {
      if (!isApiError(error, TOO_FEW_SERVERS)) throw error;
      await manager.streams.add({ ...config, num_replicas: 1 });
      this.#log.warn(
        { pool },
        'the NATS cluster has too few servers; the offer stream has one replica until more servers join',
      );
    }
  }

  /** Adds the missing replicas to a stream that was created while servers were down. */
  async #addReplicas(manager: JetStreamManager, config: StreamConfig): Promise<void> {
    try {
      await manager.streams.update(config.name, { ...config, num_replicas: this.#replicas() });
      this.#log.info({ stream: config.name, replicas: this.#replicas() }, 'the offer stream has all its replicas');
    } catch (error) {
      if (!isApiError(error, TOO_FEW_SERVERS)) throw error;
    }
  }

  /** Returns the number of replicas of a stream: one on a single server, and three in a cluster. */
  #replicas(): number {
    return this.#nats.info?.cluster === undefined ? 1 : CLUSTER_REPLICAS;
  }
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof NatsError && error.api_error?.err_code === code;
}

/** Returns an explanation of a failed NATS request, for an operator. */
export function natsReason(error: unknown): string {
  if (!(error instanceof NatsError)) return errorMessage(error);
  if (error.api_error !== undefined) return error.api_error.description;
  switch (error.code) {
    case ErrorCode.NoResponders:
    case ErrorCode.JetStreamNotEnabled:
      return 'JetStream is not enabled on the server';
    case ErrorCode.Timeout:
      return 'the server does not answer, or the permissions of the coordinator do not allow the request';
    case ErrorCode.MaxPayloadExceeded:
      return 'the max_payload of the server is too small';
    default:
      return error.message;
  }
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof NatsError) || error.api_error?.code !== 404) throw error;
}
