/**
 * The agent's conversation with its coordinator: one stream for records, acknowledgements and orders, opened again
 * whenever it breaks, and the call that opens leases.
 */
import { type ClientDuplexStream, credentials, Metadata } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import {
  type AttemptKey,
  AttemptServiceClient,
  type Claim,
  type Decision,
  type Hello,
  type OpenResponse,
  type RecordRefused,
  type ReportRequest,
  type ReportResponse,
  type Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Spool } from './spool.ts';

const RECONNECT_MIN_MS = 200;
const RECONNECT_MAX_MS = 5_000;
const OPEN_DEADLINE_MS = 10_000;
/** Records read from the spool at a time. */
const BATCH = 256;

export interface SessionEvents {
  onWelcome(welcome: Welcome): void;
  onDismissed(refused: RecordRefused): void;
  /** The spool has become smaller. */
  onAcknowledged(): void;
}

export class Session {
  readonly #client: AttemptServiceClient;
  readonly #hello: Hello;
  readonly #spool: Spool;
  readonly #events: SessionEvents;
  readonly #log: Logger;
  #stream: ClientDuplexStream<ReportRequest, ReportResponse> | undefined;
  /** The newest record sent on this stream; undefined until the coordinator has said welcome. */
  #sentUpTo: number | undefined;
  #sending = false;
  #acks: { key: AttemptKey; seq: number }[] = [];
  #retryMs = RECONNECT_MIN_MS;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(server: string, hello: Hello, spool: Spool, events: SessionEvents, log: Logger) {
    this.#client = new AttemptServiceClient(server, credentials.createInsecure(), {
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.initial_reconnect_backoff_ms': RECONNECT_MIN_MS,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MAX_MS,
    });
    this.#hello = hello;
    this.#spool = spool;
    this.#events = events;
    this.#log = log;
    this.#connect();
  }

  /** Records were spooled: sends them when it can. */
  wake(): void {
    if (!this.#sending) this.#send().catch((error) => this.#log.error({ err: error }, 'the spool could not be read'));
  }

  /** @throws {ServiceError} when the coordinator cannot be reached; the same claims may then be made again */
  open(claims: Claim[]): Promise<Decision[]> {
    const { agentId, incarnation } = this.#hello;
    return new Promise((resolve, reject) => {
      const deadline = new Date(Date.now() + OPEN_DEADLINE_MS);
      const answered = (error: Error | null, response: OpenResponse) =>
        error === null ? resolve(response.decisions) : reject(error);
      this.#client.open({ agentId, incarnation, claims }, new Metadata(), { deadline }, answered);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#stream?.cancel();
    this.#client.close();
  }

  #connect(): void {
    const stream = this.#client.report();
    this.#stream = stream;
    this.#sentUpTo = undefined;
    stream.on('data', ({ message }: ReportResponse) => {
      switch (message?.$case) {
        case 'welcome':
          this.#retryMs = RECONNECT_MIN_MS;
          this.#events.onWelcome(message.welcome);
          this.#sentUpTo = 0;
          this.wake();
          break;
        case 'ack':
          if (message.ack.key !== undefined) this.#acknowledged(message.ack.key, message.ack.seq);
          break;
        case 'refused':
          if (message.refused.key !== undefined) this.#spool.forget(message.refused.key);
          this.#events.onDismissed(message.refused);
          this.#events.onAcknowledged();
          break;
      }
    });
    stream.on('error', (error) => {
      if (!this.#closed) this.#log.warn({ err: error }, 'the stream to the coordinator broke');
    });
    stream.on('close', () => this.#lost(stream));
    stream.on('end', () => this.#lost(stream));
    stream.write({ message: { $case: 'hello', hello: this.#hello } });
  }

  #lost(stream: ClientDuplexStream<ReportRequest, ReportResponse>): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    if (this.#closed) return;
    this.#retry = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RECONNECT_MAX_MS);
  }

  /** Everything spooled and not yet sent on this stream, at the pace that it takes it. */
  async #send(): Promise<void> {
    this.#sending = true;
    try {
      for (;;) {
        const stream = this.#stream;
        if (stream === undefined || this.#sentUpTo === undefined) return;
        const batch = this.#spool.after(this.#sentUpTo, BATCH);
        if (batch.length === 0) return;
        let room = true;
        for (const { id, record } of batch) {
          this.#sentUpTo = id;
          room = stream.write({ message: { $case: 'record', record } });
        }
        if (!room) await drained(stream);
      }
    } finally {
      this.#sending = false;
    }
  }

  #acknowledged(key: AttemptKey, seq: number): void {
    if (this.#acks.length === 0) {
      setImmediate(() => {
        this.#spool.acknowledge(this.#acks);
        this.#acks = [];
        this.#events.onAcknowledged();
      });
    }
    this.#acks.push({ key, seq });
  }
}

function drained(stream: ClientDuplexStream<ReportRequest, ReportResponse>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}
