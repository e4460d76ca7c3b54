/**
 * Offers on JetStream work queues, one a pool. A queue is never evidence of anything: it lives in the server's memory,
 * and is rebuilt from the store whenever it is found to lack an offer (docs/decisions/offers.md, pools.md).
 */
import {
  AckPolicy,
  DiscardPolicy,
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
import { Offer } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { OFFER_CONSUMER, offerStream, offerStreams, offerSubject, poolOffers } from '../../proto/subjects.ts';
import type { StandingOffer } from '../core/scheduler.ts';

/**
 * How long an offer stays with an agent that is not heard of before another gets it. An Open takes milliseconds; while
 * the coordinator does not answer it, the agent says that it still asks.
 */
const OFFER_ACK_WAIT_MS = 5_000;
/** Offers that all agents together may hold without having answered them. */
const MAX_UNANSWERED_OFFERS = 50_000;

/** Offers that a stream holds at most, stale ones among them; more are refused, and published again later. */
const MAX_OFFERS = 100_000;

/**
 * Copies of a queue where NATS is a cluster: the loss of one server then holds nothing up for longer than the others
 * need to choose a leader.
 */
const CLUSTER_REPLICAS = 3;

/** How long a pool's stream is kept after its last agent was lost: it may come back. */
const EMPTY_POOL_MS = 10 * 60_000;

/** JetStream's code for "maximum messages per subject exceeded": the offer stands already. */
const OFFER_STANDS = 10077;
/** "no suitable peers for placement": there are not as many servers as copies were asked for. */
const TOO_FEW_SERVERS = 10005;

/** How full the fullest stream is. */
export interface StreamFill {
  readonly messages: number;
  /** Messages that it may hold; undefined: nobody set a limit. */
  readonly limit: number | undefined;
}

/** What should be on NATS. */
export interface Wanted {
  /** Every pool that an agent may pull from. */
  pools(): ReadonlySet<string>;
  /** Every offer that stands. */
  offers(): readonly StandingOffer[];
}

export class Offers {
  readonly #cluster: string;
  readonly #js: JetStreamClient;
  readonly #log: Logger;
  readonly #nats: NatsConnection;
  readonly #onLook: (fill: StreamFill) => void;
  /** Streams that have been made, or found, since the last look. */
  readonly #ready = new Map<string, Promise<void>>();
  /** When each pool that has a stream was wanted last: milliseconds of `performance.now()`. */
  readonly #wantedAt = new Map<string, number>();
  #manager: JetStreamManager | undefined;
  #foundOld = false;

  /** @param onLook is told how full the streams are, whenever they are looked at */
  constructor(nats: NatsConnection, cluster: string, log: Logger, onLook: (fill: StreamFill) => void) {
    this.#nats = nats;
    this.#cluster = cluster;
    this.#js = nats.jetstream({ timeout: 5_000 });
    this.#log = log;
    this.#onLook = onLook;
  }

  /** Publishes an offer. A failure is logged and left to `reconcile`. */
  async publish({ pool, key }: StandingOffer): Promise<void> {
    try {
      await this.#ensured(pool);
      await this.#js.publish(offerSubject(this.#cluster, pool, key), Offer.encode({ key }).finish());
    } catch (error) {
      if (isApiError(error, OFFER_STANDS)) return;
      this.#log.warn({ ...key, err: error }, 'an offer could not be published; it will be tried again');
    }
  }

  /**
   * Publishes the offers that the streams lack. What they hold beyond those that stand does no harm: whoever pulls such
   * an offer is refused the lease, and drops it.
   * @returns how many offers were missing
   */
  async reconcile(wanted: Wanted): Promise<number> {
    await this.#findOld();
    for (const pool of wanted.pools()) this.#wantedAt.set(pool, performance.now());
    await this.#dropEmpty();
    const looks = await Promise.all([...wanted.pools()].map((pool) => this.#look(pool, wanted)));
    const [fullest] = looks.map(({ fill }) => fill).sort((a, b) => b.messages - a.messages);
    if (fullest !== undefined) this.#onLook(fullest);
    return looks.reduce((sum, { missing }) => sum + missing, 0);
  }

  /** Throws a pool's stream away, and makes it anew with what stands. */
  async rebuild(pool: string, wanted: Wanted): Promise<void> {
    const manager = await this.#management();
    await manager.streams.delete(offerStream(this.#cluster, pool)).catch(unlessGone);
    await this.#look(pool, wanted);
  }

  async #look(pool: string, wanted: Wanted): Promise<{ fill: StreamFill; missing: number }> {
    const manager = await this.#management();
    this.#ready.delete(pool);
    await this.#ensured(pool);
    const filter = { subjects_filter: poolOffers(this.#cluster, pool) };
    const { state, config } = await manager.streams.info(offerStream(this.#cluster, pool), filter);
    if (config.num_replicas < this.#replicas()) await this.#spread(manager, config);
    const held = state.subjects ?? {};
    // Asked for when the stream's own list is at hand.
    const standing = wanted.offers().filter((offer) => offer.pool === pool);
    const missing = standing.filter(({ key }) => !(offerSubject(this.#cluster, pool, key) in held));
    await Promise.all(missing.map((offer) => this.publish(offer)));
    const limit = config.max_msgs > 0 ? config.max_msgs : undefined;
    return { fill: { messages: state.messages, limit }, missing: missing.length };
  }

  /** What an earlier process, or an older trawl with one stream for all, has left. */
  async #findOld(): Promise<void> {
    if (this.#foundOld) return;
    const manager = await this.#management();
    const streams = offerStreams(this.#cluster);
    for await (const name of manager.streams.names()) {
      if (name === streams) await manager.streams.delete(name).catch(unlessGone);
      else if (name.startsWith(`${streams}_`)) this.#wantedAt.set(name.slice(streams.length + 1), performance.now());
    }
    this.#foundOld = true;
  }

  async #dropEmpty(): Promise<void> {
    const manager = await this.#management();
    for (const [pool, at] of this.#wantedAt) {
      if (performance.now() - at < EMPTY_POOL_MS) continue;
      this.#wantedAt.delete(pool);
      this.#ready.delete(pool);
      await manager.streams.delete(offerStream(this.#cluster, pool)).catch(unlessGone);
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
      unlessGone(error);
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
        'NATS is a cluster of too few servers: a stream of offers has one copy until there are more',
      );
    }
  }

  /** A stream that was made while servers were away gets its other copies once they are there. */
  async #spread(manager: JetStreamManager, config: StreamConfig): Promise<void> {
    try {
      await manager.streams.update(config.name, { ...config, num_replicas: this.#replicas() });
      this.#log.info({ stream: config.name, copies: this.#replicas() }, 'a stream of offers has all its copies');
    } catch (error) {
      if (!isApiError(error, TOO_FEW_SERVERS)) throw error;
    }
  }

  /** A server that is alone keeps one copy. */
  #replicas(): number {
    return this.#nats.info?.cluster === undefined ? 1 : CLUSTER_REPLICAS;
  }
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof NatsError && error.api_error?.err_code === code;
}

/** @throws what was caught, unless it says that there is no such stream or consumer */
function unlessGone(error: unknown): void {
  if (!(error instanceof NatsError) || error.api_error?.code !== 404) throw error;
}
