/** Pulls offers from the queues of the pools that an agent's slots belong to. */
import {
  type Consumer,
  ConsumerDebugEvents,
  type ConsumerInfo,
  type ConsumerMessages,
  ErrorCode,
  type JsMsg,
  type NatsConnection,
  NatsError,
} from 'nats';
import type { Logger } from 'pino';
import { SparseLog } from '../../lib/net/sparse-log.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { type AttemptKey, Offer } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { isAttemptKey, OFFER_CONSUMER, offerStream } from '../../proto/subjects.ts';
import { Gathering } from './gathering.ts';
import type { OfferToken } from './slot-effects.ts';

/**
 * The options of a pull. After two missed heartbeats, the NATS client repeats the pull, because a NATS cluster drops
 * pulls when the queue gets a new leader.
 */
const PULL = { expires: 20_000, idle_heartbeat: 2_000 };
/**
 * The options of pulls before the queue's first response. They are also used after a failed pull, until the queue
 * responds. The times are short, because nats-server 2.9 does not answer a pull from a stream that does not exist yet.
 */
const FIRST_PULL = { expires: 1_000, idle_heartbeat: 500 };
/**
 * The delay before a failed pull is repeated. For example, newer NATS servers reject a pull from a stream that does not
 * exist yet.
 */
const RETRY_MS = 500;
/**
 * Pulls that fail for less than this time are not reported as a problem. Pulls from a new pool fail until the
 * coordinator has created the pool's stream.
 */
const FAILING_MS = 10_000;
/**
 * The delay before NATS delivers a returned offer again. Without the delay, the same agent would immediately get the
 * offer again.
 */
const RETURN_DELAY_MS = 100;

export interface OfferEvents {
  onOffer(key: AttemptKey, message: JsMsg): void;
  /** Called for each pulled message that is not a valid offer. */
  onUnreadable(): void;
}

/**
 * Represents the queue of one pool. Pulls at most as many offers as the agent's slots in the pool can take: to run them
 * now, or to queue them.
 */
export class OfferQueue {
  readonly #log: Logger;
  readonly #unreadable: SparseLog;
  readonly #events: OfferEvents;
  readonly #consumer: Consumer;
  #responded = false;
  readonly #pulls = new Set<ConsumerMessages>();
  #wanted = 0;
  #requested = 0;
  /** Delays a pull for a moment, so that one pull gets the offers for several slots. */
  readonly #gathering = new Gathering(() => this.#pull());
  #closed = false;
  /** The time at which pulls began to fail, by `performance.now()`. Undefined if the last pull succeeded. */
  #failingSince: number | undefined;
  #failure = '';

  constructor(nats: NatsConnection, stream: string, events: OfferEvents, log: Logger) {
    this.#consumer = consumerOf(nats, stream);
    this.#events = events;
    this.#log = log;
    this.#unreadable = new SparseLog(log, 'discarded an unreadable offer');
  }

  /** Sets how many offers the agent can take now. */
  want(count: number): void {
    this.#wanted = count;
    if (count > this.#requested) this.#gathering.schedule();
  }

  /**
   * Returns the reason why no offers can be pulled. Undefined if pulls succeed, or have failed for less than
   * FAILING_MS.
   */
  get problem(): string | undefined {
    if (this.#failingSince === undefined || performance.now() - this.#failingSince < FAILING_MS) return undefined;
    return `no offers can be pulled over NATS: ${this.#failure}`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pulls].map((pull) => pull.close()));
  }

  #pull(): void {
    const more = this.#wanted - this.#requested;
    if (more <= 0 || this.#closed) return;
    this.#requested += more;
    void this.#fetch(more);
  }

  async #fetch(count: number): Promise<void> {
    let open = count;
    let pull: ConsumerMessages | undefined;
    try {
      // With `bind`, the client does not request the consumer's state. An agent has no permission to read that state.
      pull = await this.#consumer.fetch({ max_messages: count, ...(this.#responded ? PULL : FIRST_PULL), bind: true });
      this.#pulls.add(pull);
      this.#noteResponse(pull).catch(() => {});
      for await (const message of pull) {
        this.#onResponse();
        open -= 1;
        this.#requested -= 1;
        this.#deliver(message);
      }
      if (!this.#responded) this.#onFailure('the server does not answer');
    } catch (error) {
      this.#responded = false;
      if (this.#closed) return;
      this.#onFailure(pullFailure(error));
      this.#log.debug({ err: error }, 'could not pull offers; retrying');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } finally {
      if (pull !== undefined) this.#pulls.delete(pull);
      this.#requested -= open;
      if (!this.#closed) this.#pull();
    }
  }

  /**
   * Records a response of the server when a pull expires, because the server then reports how many of the requested
   * messages it did not send.
   */
  async #noteResponse(pull: ConsumerMessages): Promise<void> {
    for await (const { type } of await pull.status()) {
      if (type === ConsumerDebugEvents.Discard) this.#onResponse();
    }
  }

  #onResponse(): void {
    this.#responded = true;
    this.#failingSince = undefined;
  }

  #onFailure(reason: string): void {
    this.#failingSince ??= performance.now();
    this.#failure = reason;
  }

  #deliver(message: JsMsg): void {
    const key = attemptOf(message);
    if (key instanceof Error) {
      this.#unreadable.warn({ err: key, subject: message.subject });
      this.#events.onUnreadable();
      // Without this answer, NATS would redeliver the message forever.
      answerOffer(this.#log, () => message.term());
      this.#pull();
      return;
    }
    this.#wanted -= 1;
    this.#events.onOffer(key, message);
  }
}

/** Returns the consumer without requesting its state, because an agent's account does not permit this request. */
function consumerOf(nats: NatsConnection, stream: string): Consumer {
  const info = { stream_name: stream, name: OFFER_CONSUMER, config: {} } as ConsumerInfo;
  return nats.jetstream().consumers.getPullConsumerFor(info);
}

function pullFailure(error: unknown): string {
  const isMissing = error instanceof NatsError && error.code === ErrorCode.NoResponders;
  return isMissing ? 'the queue does not exist, or JetStream is not enabled on the server' : errorMessage(error);
}

/**
 * Returns the attempt of an offer, or the reason why the message is invalid. The ids in the attempt's key are checked,
 * because they become part of the name of a folder.
 */
function attemptOf(message: JsMsg): AttemptKey | Error {
  try {
    const { key } = Offer.decode(message.data);
    return key !== undefined && isAttemptKey(key) ? key : new Error('the message does not name an attempt');
  } catch (error) {
    return error instanceof Error ? error : new Error(`${error}`);
  }
}

/**
 * Answers an offer. A failure is only logged: if no answer arrives, the server delivers the offer again, which is
 * harmless. The client throws if the connection is closed, or if the answer is larger than the server's `max_payload`.
 */
function answerOffer(log: Logger, answer: () => void): void {
  try {
    answer();
  } catch (error) {
    log.debug({ err: error }, 'could not answer an offer; it will be delivered again');
  }
}

export interface PoolOfferEvents extends Pick<OfferEvents, 'onUnreadable'> {
  onOffer(key: AttemptKey, token: OfferToken, pool: string): void;
}

/** The queues of an agent's pools, and the offers that the agent has not answered yet. */
export class OfferQueues {
  readonly #nats: NatsConnection;
  readonly #log: Logger;
  readonly #events: PoolOfferEvents;
  readonly #queues = new Map<string, OfferQueue>();
  readonly #messages = new Map<OfferToken, JsMsg>();
  #cluster: string | undefined;
  #nextToken = 1;

  constructor(nats: NatsConnection, events: PoolOfferEvents, log: Logger) {
    this.#nats = nats;
    this.#events = events;
    this.#log = log;
  }

  /** Replaces the pools whose queues the agent pulls from. */
  join(cluster: string, pools: ReadonlySet<string>): void {
    for (const [pool, queue] of this.#queues) {
      if (cluster === this.#cluster && pools.has(pool)) continue;
      this.#queues.delete(pool);
      void queue.close();
    }
    this.#cluster = cluster;
    for (const pool of pools) {
      if (this.#queues.has(pool)) continue;
      const events: OfferEvents = {
        onOffer: (key, message) => {
          const token = this.#nextToken++;
          this.#messages.set(token, message);
          this.#events.onOffer(key, token, pool);
        },
        onUnreadable: () => this.#events.onUnreadable(),
      };
      this.#queues.set(pool, new OfferQueue(this.#nats, offerStream(cluster, pool), events, this.#log));
    }
  }

  /** Returns the reason why no offers of a pool can be pulled; undefined if offers can be pulled. */
  get problem(): string | undefined {
    for (const { problem } of this.#queues.values()) if (problem !== undefined) return problem;
    return undefined;
  }

  /** @param count returns how many offers of a pool the agent can take now */
  want(count: (pool: string) => number): void {
    for (const [pool, queue] of this.#queues) queue.want(count(pool));
  }

  acknowledge(token: OfferToken): void {
    answerOffer(this.#log, () => this.#take(token)?.ack());
  }

  /** Extends the time that NATS waits for an answer before it redelivers the offer. */
  extend(token: OfferToken): void {
    answerOffer(this.#log, () => this.#messages.get(token)?.working());
  }

  giveBack(token: OfferToken): void {
    answerOffer(this.#log, () => this.#take(token)?.nak(RETURN_DELAY_MS));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #take(token: OfferToken): JsMsg | undefined {
    const message = this.#messages.get(token);
    this.#messages.delete(token);
    return message;
  }
}
