/**
 * The agent's conversation with its coordinator: one stream for records, acknowledgements and orders, opened again
 * whenever it breaks, and the call that opens leases.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { isDiskFull } from '../../proto/errors.ts';
import {
  type AttemptKey,
  type Claim,
  type Command,
  type Decision,
  type Hello,
  type OpenResponse,
  type Record as RecordMessage,
  type RecordRefused,
  RefusalCode,
  type ReportResponse,
  type Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { attemptFolder, keptFile, resumeFile } from '../attempt-folder.ts';
import { LostFileError } from './artifact-transfer.ts';
import { type Link, RECONNECT_MAX_MS, RECONNECT_MIN_MS, type ReportStream } from './link.ts';
import { Outbox } from './outbox.ts';
import { DISK_RETRY_MS } from './record-writer.ts';
import type { Spool } from './spool.ts';

/** Before an attempt begins at the beginning because its checkpoint cannot be had. */
const FETCH_TRIES = 5;
const OPEN_DEADLINE_MS = 10_000;
/** Records read from the spool at a time. */
const BATCH = 256;

export interface SessionEvents {
  onWelcome(welcome: Welcome): void;
  onDismissed(refused: RecordRefused): void;
  /** The spool has become smaller. */
  onAcknowledged(): void;
  /** The agent is to take nothing new, and to hand back what runs after the grace; undefined: it may take work. */
  onDrain(graceMs: number | undefined): void;
  /** The hello was refused for what it says: it would be refused again. */
  onRefused(message: string): void;
}

export class Session {
  readonly #link: Link;
  readonly #dir: string;
  readonly #hello: Hello;
  readonly #spool: Spool;
  readonly #events: SessionEvents;
  readonly #log: Logger;
  #stream: ReportStream | undefined;
  /** The newest record sent on this stream; undefined until the coordinator has said welcome. */
  #sentUpTo: number | undefined;
  #outbox: Outbox | undefined;
  #sending = false;
  #acks: { key: AttemptKey; seq: number }[] = [];
  #retryMs = RECONNECT_MIN_MS;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param dir the agent's folder */
  constructor(link: Link, dir: string, hello: Hello, spool: Spool, events: SessionEvents, log: Logger) {
    this.#link = link;
    this.#dir = dir;
    this.#hello = hello;
    this.#spool = spool;
    this.#events = events;
    this.#log = log;
    this.#connect();
  }

  /** Whether the coordinator listens. */
  get welcome(): boolean {
    return this.#stream !== undefined && this.#sentUpTo !== undefined;
  }

  /** Records were spooled: sends them when it can. */
  wake(): void {
    if (!this.#sending) this.#send().catch((error) => this.#log.error({ err: error }, 'the spool could not be read'));
  }

  /** @throws {ServiceError} when the coordinator cannot be reached; the same claims may then be made again */
  open(claims: Claim[]): Promise<Decision[]> {
    const { agentId, incarnation } = this.#hello;
    return new Promise((resolve, reject) => {
      const answered = (error: Error | null, response: OpenResponse) =>
        error === null ? resolve(response.decisions) : reject(error);
      this.#link.open({ agentId, incarnation, claims }, OPEN_DEADLINE_MS, answered);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#stream?.cancel();
    this.#link.close();
  }

  #connect(): void {
    const stream = this.#link.report();
    this.#stream = stream;
    this.#sentUpTo = undefined;
    const lost = new AbortController();
    // Each file that is being brought listens: as many as attempts run at once.
    setMaxListeners(0, lost.signal);
    const outbox = new Outbox({
      send: (record) => stream.write({ message: { $case: 'record', record } }),
      bring: (record) => this.#bring(record, lost.signal),
    });
    this.#outbox = outbox;
    stream.on('close', () => {
      outbox.close();
      lost.abort();
    });
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
          this.#dismissed(message.refused);
          break;
        case 'command':
          this.#obey(message.command);
          break;
      }
    });
    stream.on('error', (error) => {
      if (this.#closed) return;
      this.#log.warn({ err: error }, 'the stream to the coordinator broke');
      const code = codeOf(error);
      const final = code === status.INVALID_ARGUMENT || code === status.PERMISSION_DENIED;
      const refused = final && this.#sentUpTo === undefined;
      if (refused && 'details' in error) this.#events.onRefused(`${error.details}`);
    });
    stream.on('close', () => this.#lost(stream));
    stream.on('end', () => this.#lost(stream));
    stream.write({ message: { $case: 'hello', hello: this.#hello } });
  }

  /** Tries until the file is with the coordinator, the attempt is not wanted, or the stream is lost. */
  async #bring({ key, body }: RecordMessage, signal: AbortSignal): Promise<boolean> {
    if (key === undefined || body?.$case !== 'artifact') return true;
    const { agentId } = this.#hello;
    const path = keptFile(attemptFolder(this.#dir, key), body.artifact.name);
    for (let waitMs = RECONNECT_MIN_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, RECONNECT_MAX_MS)) {
      try {
        const answer = await this.#link.bring({ agentId, key, artifact: body.artifact, path }, signal);
        if (answer === 'stored') return true;
        this.#dismissed({ key, ...answer });
        return false;
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof LostFileError || codeOf(error) === status.INVALID_ARGUMENT) {
          // However often it is tried: the attempt cannot come to its end here, and is better run again.
          this.#log.error({ err: error, ...key }, 'an artifact cannot be brought: its attempt is given up');
          const message = error instanceof Error ? error.message : `${error}`;
          this.#dismissed({ key, code: RefusalCode.UNKNOWN, message });
          return false;
        }
        this.#log.warn({ err: error, name: body.artifact.name }, 'an artifact could not be brought; tried again');
        await sleep(waitMs, undefined, { signal }).catch(() => {});
      }
    }
    return false;
  }

  /**
   * Fetches the checkpoint that an attempt goes on from. Waits for a coordinator that is away as long as the attempt is
   * wanted; one that is there and has not the file, or has it damaged, is asked a few times.
   * @returns whether it is there, whole
   */
  async fetchCheckpoint(key: AttemptKey, checkpoint: Artifact, wanted: () => boolean): Promise<boolean> {
    const path = resumeFile(attemptFolder(this.#dir, key));
    let waitMs = RECONNECT_MIN_MS;
    for (let tries = 0; tries < FETCH_TRIES && wanted() && !this.#closed; ) {
      try {
        if (await this.#link.fetch(key, checkpoint, path)) return true;
        this.#log.warn({ ...key, name: checkpoint.name }, 'a checkpoint arrived damaged');
        tries += 1;
      } catch (error) {
        this.#log.warn({ err: error, ...key }, 'a checkpoint could not be fetched');
        if (codeOf(error) !== status.UNAVAILABLE) tries += 1;
      }
      await sleep(waitMs);
      waitMs = Math.min(waitMs * 2, RECONNECT_MAX_MS);
    }
    return false;
  }

  #obey({ kind }: Command): void {
    if (kind?.$case === 'drain') this.#events.onDrain(kind.drain.graceMs);
    if (kind?.$case === 'undrain') this.#events.onDrain(undefined);
  }

  #dismissed(refused: RecordRefused): void {
    try {
      if (refused.key !== undefined) this.#spool.forget(refused.key);
    } catch (error) {
      // They stay, and are refused again.
      if (!isDiskFull(error)) throw error;
    }
    this.#events.onDismissed(refused);
    this.#events.onAcknowledged();
  }

  #lost(stream: ReportStream): void {
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
        for (const { id, record } of batch) {
          this.#sentUpTo = id;
          this.#outbox?.add(record);
        }
        if (stream.writableNeedDrain) await drained(stream);
      }
    } finally {
      this.#sending = false;
    }
  }

  #acknowledged(key: AttemptKey, seq: number): void {
    if (this.#acks.length === 0) setImmediate(() => this.#shrink());
    this.#acks.push({ key, seq });
  }

  /** What cannot be deleted for want of room is sent once more after a restart, and taken as known. */
  #shrink(): void {
    if (this.#closed) return;
    try {
      this.#spool.acknowledge(this.#acks);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      setTimeout(() => this.#shrink(), DISK_RETRY_MS).unref();
      return;
    }
    this.#acks = [];
    this.#events.onAcknowledged();
  }
}

/** A gRPC status, or a system's error. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function drained(stream: ReportStream): Promise<void> {
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
