/** Pulls as many offers from a pool's work queue as there are slots of it to run them, and no more. */
import type { Consumer, ConsumerMessages, JsMsg, NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { SparseLog } from '../../lib/net/sparse-log.ts';
import { type AttemptKey, Offer } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { namesAttempt, OFFER_CONSUMER } from '../../proto/subjects.ts';

/** How long one pull stands before it is made again. */
const PULL_MS = 20_000;
/**
 * How often the server says that it still has the pull. One that has said nothing twice has forgotten it, as a cluster
 * does when another of its servers takes the queue over: the pull is then made again.
 */
const SIGN_OF_LIFE_MS = 2_000;
/** Slots that fall free within this time are filled by one pull. */
const GATHER_MS = 2;
/** Before the next pull when one failed: the stream may not be there yet. */
const RETRY_MS = 500;

export interface OfferEvents {
  onOffer(key: AttemptKey, message: JsMsg): void;
  /** What was pulled is no offer. */
  onUnreadable(): void;
}

export class OfferQueue {
  readonly #nats: NatsConnection;
  readonly #stream: string;
  readonly #log: Logger;
  readonly #unreadable: SparseLog;
  readonly #events: OfferEvents;
  #consumer: Promise<Consumer> | undefined;
  readonly #pulls = new Set<ConsumerMessages>();
  #wanted = 0;
  #asked = 0;
  #gathering = false;
  #closed = false;

  constructor(nats: NatsConnection, stream: string, events: OfferEvents, log: Logger) {
    this.#nats = nats;
    this.#stream = stream;
    this.#events = events;
    this.#log = log;
    this.#unreadable = new SparseLog(log, 'an offer could not be read');
  }

  /** How many offers could be taken now. */
  want(count: number): void {
    this.#wanted = count;
    if (this.#gathering || count <= this.#asked) return;
    this.#gathering = true;
    setTimeout(() => {
      this.#gathering = false;
      this.#pull();
    }, GATHER_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pulls].map((pull) => pull.close()));
  }

  #pull(): void {
    const more = this.#wanted - this.#asked;
    if (more <= 0 || this.#closed) return;
    this.#asked += more;
    void this.#fetch(more);
  }

  async #fetch(count: number): Promise<void> {
    let open = count;
    let pull: ConsumerMessages | undefined;
    try {
      this.#consumer ??= this.#nats.jetstream().consumers.get(this.#stream, OFFER_CONSUMER);
      const consumer = await this.#consumer;
      // Bound: it is not asked first whether the consumer exists, which would be asked again only after PULL_MS.
      pull = await consumer.fetch({
        ...{ max_messages: count, expires: PULL_MS },
        ...{ idle_heartbeat: SIGN_OF_LIFE_MS, bind: true },
      });
      this.#pulls.add(pull);
      for await (const message of pull) {
        open -= 1;
        this.#asked -= 1;
        this.#deliver(message);
      }
    } catch (error) {
      this.#consumer = undefined;
      if (this.#closed) return;
      this.#log.debug({ err: error }, 'offers could not be pulled');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } finally {
      if (pull !== undefined) this.#pulls.delete(pull);
      this.#asked -= open;
      if (!this.#closed) this.#pull();
    }
  }

  #deliver(message: JsMsg): void {
    const key = attemptOf(message);
    if (key instanceof Error) {
      this.#unreadable.warn({ err: key, subject: message.subject });
      this.#events.onUnreadable();
      // What nobody can read would come for ever. It fills no slot: another is wanted in its place.
      message.term();
      this.#pull();
      return;
    }
    this.#wanted -= 1;
    this.#events.onOffer(key, message);
  }
}

/** Which attempt is offered, or why none is: what is no name must not become a folder's. */
function attemptOf(message: JsMsg): AttemptKey | Error {
  try {
    const { key } = Offer.decode(message.data);
    return key !== undefined && namesAttempt(key) ? key : new Error('it names no attempt');
  } catch (error) {
    return error instanceof Error ? error : new Error(`${error}`);
  }
}
