/** The queues of the pools that an agent's slots are in, and the offers in its hands. */
import type { JsMsg, NatsConnection } from 'nats';
import type { Logger } from 'pino';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { offerStream } from '../../proto/subjects.ts';
import { type OfferEvents, OfferQueue } from './offer-queue.ts';
import type { OfferToken } from './slots.ts';

/** How long a returned offer rests: whoever returned it cannot run it, and would get it again at once. */
const RETURN_DELAY_MS = 100;

export interface PoolOfferEvents extends Pick<OfferEvents, 'onUnreadable'> {
  onOffer(key: AttemptKey, token: OfferToken, pool: string): void;
}

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

  /** Whose offers, and of which pools. */
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

  /** @param count how many offers of a pool could be taken now */
  want(count: (pool: string) => number): void {
    for (const [pool, queue] of this.#queues) queue.want(count(pool));
  }

  acknowledge(token: OfferToken): void {
    this.#take(token)?.ack();
  }

  /** The offer's answer takes long: it is not to be given to another yet. */
  hold(token: OfferToken): void {
    this.#messages.get(token)?.working();
  }

  giveBack(token: OfferToken): void {
    this.#take(token)?.nak(RETURN_DELAY_MS);
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
