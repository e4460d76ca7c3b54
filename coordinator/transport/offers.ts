/**
 * Offers on a JetStream work queue. The queue is never evidence of anything: it lives in the server's memory, and is
 * rebuilt from the store whenever it is found to lack an offer (docs/decisions/offers.md).
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
import { allOffers, OFFER_CONSUMER, offerStream, offerSubject } from '../../proto/subjects.ts';
import type { AttemptKey } from '../core/model.ts';

/**
 * How long an offer stays with an agent that is not heard of before another gets it. An Open takes milliseconds; while
 * the coordinator does not answer it, the agent says that it still asks.
 */
export const OFFER_ACK_WAIT_MS = 5_000;
/** Offers that all agents together may hold without having answered them. */
const MAX_UNANSWERED_OFFERS = 50_000;

/** Offers that the stream holds at most, stale ones among them; more are refused, and published again later. */
const MAX_OFFERS = 100_000;

/**
 * Copies of the queue where NATS is a cluster: the loss of one server then holds nothing up for longer than the others
 * need to choose a leader.
 */
const CLUSTER_REPLICAS = 3;

/** JetStream's code for "maximum messages per subject exceeded": the offer stands already. */
const OFFER_STANDS = 10077;
/** "no suitable peers for placement": there are not as many servers as copies were asked for. */
const TOO_FEW_SERVERS = 10005;
/** "stream not found". */
const NO_STREAM = 10059;

export interface StreamFill {
  readonly messages: number;
  /** Messages that it may hold; undefined: nobody set a limit. */
  readonly limit: number | undefined;
}

export class Offers {
  readonly #cluster: string;
  readonly #stream: string;
  readonly #js: JetStreamClient;
  readonly #log: Logger;
  readonly #nats: NatsConnection;
  readonly #onLook: (fill: StreamFill) => void;
  #manager: JetStreamManager | undefined;

  /** @param onLook is told how full the stream is, whenever it is looked at */
  constructor(nats: NatsConnection, cluster: string, log: Logger, onLook: (fill: StreamFill) => void) {
    this.#nats = nats;
    this.#cluster = cluster;
    this.#stream = offerStream(cluster);
    this.#js = nats.jetstream({ timeout: 5_000 });
    this.#log = log;
    this.#onLook = onLook;
  }

  /** Publishes an offer. A failure is logged and left to `reconcile`. */
  async publish(key: AttemptKey): Promise<void> {
    try {
      await this.#js.publish(offerSubject(this.#cluster, key), Offer.encode({ key }).finish());
    } catch (error) {
      if (isApiError(error, OFFER_STANDS)) return;
      this.#log.warn({ ...key, err: error }, 'an offer could not be published; it will be tried again');
    }
  }

  /**
   * Publishes the offers that the stream lacks. What it holds beyond those that stand does no harm: whoever pulls such
   * an offer is refused the lease, and drops it.
   * @param standing every offer that stands, asked for when the stream's own list is at hand
   * @returns how many offers were missing
   */
  async reconcile(standing: () => readonly AttemptKey[]): Promise<number> {
    const manager = await this.#ensure();
    const info = await manager.streams.info(this.#stream, { subjects_filter: allOffers(this.#cluster) });
    const held = info.state.subjects ?? {};
    this.#onLook({
      messages: info.state.messages,
      limit: info.config.max_msgs > 0 ? info.config.max_msgs : undefined,
    });
    if (info.config.num_replicas < this.#replicas()) await this.#spread(manager, info.config);
    const missing = standing().filter((key) => !(offerSubject(this.#cluster, key) in held));
    await Promise.all(missing.map((key) => this.publish(key)));
    return missing.length;
  }

  /** Throws the stream away, and makes it anew with what stands. */
  async rebuild(standing: () => readonly AttemptKey[]): Promise<void> {
    const manager = await this.#manage();
    try {
      await manager.streams.delete(this.#stream);
    } catch (error) {
      // A cluster forgets a stream whose servers are gone, and none of them is there to say so.
      if (!isApiError(error, NO_STREAM)) this.#log.warn({ err: error }, 'the old stream did not say that it is gone');
    }
    await this.reconcile(standing);
  }

  /** A server that is alone keeps one copy. */
  #replicas(): number {
    return this.#nats.info?.cluster === undefined ? 1 : CLUSTER_REPLICAS;
  }

  async #manage(): Promise<JetStreamManager> {
    this.#manager ??= await this.#nats.jetstreamManager({ timeout: 5_000 });
    return this.#manager;
  }

  /** A stream that was made while servers were away gets its other copies once they are there. */
  async #spread(manager: JetStreamManager, config: StreamConfig): Promise<void> {
    try {
      await manager.streams.update(this.#stream, { ...config, num_replicas: this.#replicas() });
      this.#log.info({ copies: this.#replicas() }, 'the stream of offers has all its copies');
    } catch (error) {
      if (!isApiError(error, TOO_FEW_SERVERS)) throw error;
    }
  }

  async #ensure(): Promise<JetStreamManager> {
    const manager = await this.#manage();
    try {
      await manager.consumers.info(this.#stream, OFFER_CONSUMER);
    } catch (error) {
      if (!(error instanceof NatsError) || error.api_error?.code !== 404) throw error;
      await this.#add(manager);
      await manager.consumers.add(this.#stream, {
        durable_name: OFFER_CONSUMER,
        ack_policy: AckPolicy.Explicit,
        ack_wait: nanos(OFFER_ACK_WAIT_MS),
        max_ack_pending: MAX_UNANSWERED_OFFERS,
        max_deliver: -1,
      });
    }
    return manager;
  }
  async #add(manager: JetStreamManager): Promise<void> {
    const config = {
      name: this.#stream,
      subjects: [allOffers(this.#cluster)],
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
      this.#log.warn('NATS is a cluster of too few servers: the stream of offers has one copy, until there are more');
    }
  }
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof NatsError && error.api_error?.err_code === code;
}
