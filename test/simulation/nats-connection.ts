/** A process's simulated connection to nats-server. Implements the part of the nats package that trawl uses. */
import {
  ConsumerDebugEvents,
  type ConsumerMessages,
  type ConsumerStatus,
  type JsMsg,
  type NatsConnection,
  NatsError,
} from 'nats';
import { offerStream } from '../../proto/subjects.ts';
import { type ApiFault, isFault, type SimulatedNatsServer } from './nats-server.ts';
import type { SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';

const REQUEST_TIMEOUT_MS = 5_000;

type Callback = (error: null, message: { subject: string; data: Uint8Array }) => void;

export class SimulatedNats {
  readonly #network: SimulatedNetwork;
  readonly #process: SimulatedProcess;
  readonly #server: () => SimulatedNatsServer;
  readonly #subscriptions: { prefix: string; callback: Callback }[] = [];
  #status: Feed<{ type: string }> | undefined;

  /** @param server returns the current server */
  constructor(network: SimulatedNetwork, process: SimulatedProcess, server: () => SimulatedNatsServer) {
    this.#network = network;
    this.#process = process;
    this.#server = server;
  }

  get connection(): NatsConnection {
    const streamOf = (subject: string) => {
      const [, cluster = '', , pool = ''] = subject.split('.');
      return offerStream(cluster, pool);
    };
    const connection = {
      publish: (subject: string, data: Uint8Array) => this.#deliver((server) => server.publish(subject, data)),
      subscribe: (subject: string, { callback }: { callback: Callback }) => {
        this.#subscriptions.push({ prefix: subject.slice(0, -1), callback });
        this.#subscribeAll();
        return { isClosed: () => false };
      },
      status: () => {
        this.#status = new Feed();
        return this.#status;
      },
      jetstream: () => ({
        publish: (subject: string, data: Uint8Array) =>
          this.#ask((server) => server.enqueue(streamOf(subject), subject, data)),
        consumers: {
          getPullConsumerFor: ({ stream_name: stream }: { readonly stream_name: string }) => {
            let exists = false;
            const fetch = async (options: FetchOptions) => {
              // Newer servers reject a pull from a consumer that does not exist.
              if (!exists) await this.#ask((server) => server.hasConsumer(stream));
              exists = true;
              return this.#fetch(stream, options);
            };
            return { fetch };
          },
        },
      }),
      jetstreamManager: async () => ({
        streams: {
          info: async (stream: string) => {
            const subjects = await this.#ask((server) => server.subjects(stream));
            return { state: { subjects, messages: Object.keys(subjects).length }, config: { max_msgs: -1 } };
          },
          names: () => this.#names(),
          add: ({ name }: { name: string }) => this.#ask((server) => server.addQueue(name)),
          delete: (stream: string) => this.#ask((server) => server.deleteQueue(stream)),
        },
        consumers: {
          info: (stream: string) => this.#ask((server) => server.hasConsumer(stream)),
          add: (stream: string, { ack_wait }: { ack_wait: number }) =>
            this.#ask((server) => server.addConsumer(stream, ack_wait / 1e6)),
        },
      }),
      close: async () => {},
    };
    return connection as unknown as NatsConnection;
  }

  async *#names(): AsyncGenerator<string> {
    yield* await this.#ask((server) => server.queueNames());
  }

  /** Called when the server was restarted. */
  reconnected(): void {
    this.#network.clock.after(this.#network.random.between(0, 1_000), this.#process, () => {
      this.#subscribeAll();
      this.#status?.push({ type: 'disconnect' });
      this.#status?.push({ type: 'reconnect' });
    });
  }

  #subscribeAll(): void {
    const server = this.#server();
    const { clock } = this.#network;
    // The network does not lose this message, because a real client repeats its subscriptions until the server has
    // them.
    clock.after(this.#network.delay(), server.process, () => {
      for (const { prefix, callback } of this.#subscriptions) {
        const deliver = (subject: string, data: Uint8Array) => callback(null, { subject, data });
        server.subscribe({ prefix, client: this.#process, deliver });
      }
    });
  }

  #deliver(work: (server: SimulatedNatsServer) => void): void {
    const server = this.#server();
    this.#network.post(this.#process, server.process, () => work(server));
  }

  #ask<T>(question: (server: SimulatedNatsServer) => T | ApiFault): Promise<T> {
    return new Promise((resolve, reject) => {
      const server = this.#server();
      this.#network.clock.after(REQUEST_TIMEOUT_MS, this.#process, () => reject(new NatsError('timeout', 'TIMEOUT')));
      this.#network.post(this.#process, server.process, () => {
        const answer = question(server);
        this.#network.post(server.process, this.#process, () => {
          if (isFault(answer))
            reject(Object.assign(new NatsError(answer.description, `${answer.code}`), { api_error: answer }));
          else resolve(answer);
        });
      });
    });
  }

  #fetch(stream: string, { max_messages, expires }: FetchOptions): Feed<JsMsg> & Pick<ConsumerMessages, 'status'> {
    const feed = new Feed<JsMsg>();
    const status = new Feed<ConsumerStatus>();
    const { clock } = this.#network;
    clock.after(expires, this.#process, () => {
      status.push({ type: ConsumerDebugEvents.Discard, data: { msgsLeft: max_messages - feed.pushed, bytesLeft: 0 } });
      status.close();
      feed.close();
    });
    const pull = {
      client: this.#process,
      until: clock.now + expires,
      left: max_messages,
      deliver: (seq: number, subject: string, data: Uint8Array) => {
        feed.push(this.#message(stream, seq, subject, data));
        if (feed.pushed >= max_messages) feed.close();
      },
      broken: () => feed.close(),
    };
    this.#deliver((server) => server.pull(stream, pull));
    return Object.assign(feed, { status: async () => status });
  }

  #message(stream: string, seq: number, subject: string, data: Uint8Array): JsMsg {
    const message: Pick<JsMsg, 'seq' | 'subject' | 'data' | 'ack' | 'term' | 'working' | 'nak'> = {
      ...{ seq, subject, data },
      ack: () => this.#deliver((server) => server.acknowledge(stream, seq)),
      term: () => this.#deliver((server) => server.acknowledge(stream, seq)),
      working: () => this.#deliver((server) => server.holdFor(stream, seq, server.ackWaitMs(stream))),
      nak: (ms = 0) => this.#deliver((server) => server.holdFor(stream, seq, ms)),
    };
    return message as JsMsg;
  }
}

interface FetchOptions {
  readonly max_messages: number;
  readonly expires: number;
}

class Feed<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #closed = false;
  #wake = () => {};
  pushed = 0;

  push(item: T): void {
    if (this.#closed) return;
    this.pushed += 1;
    this.#items.push(item);
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) yield item;
      if (this.#closed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
