/**
 * Gathers what the slots have to say and writes it to the spool. While the disk has no room it waits in memory: nobody
 * has been told that it is safe, and a worker should not pay for a disk that somebody is about to tidy up.
 */
import type { Logger } from 'pino';
import { isDiskFull } from '../../proto/errors.ts';
import type { AttemptKey, Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { artifactKind, failureClass } from '../../proto/names.ts';
import { type RecordBody, sameAttempt } from './slots.ts';
import type { Spool } from './spool.ts';

/** What several slots have to say within this time is said together: the cost is in the messages, not in their length. */
export const GATHER_MS = 2;
/** Before a full disk is tried again. */
export const DISK_RETRY_MS = 1_000;

export interface RecordWriterEvents {
  /** The spool has become larger. */
  onSpooled(): void;
  /** The disk has become full, or has room again. */
  onRoom(): void;
}

export class RecordWriter {
  readonly #spool: Spool;
  readonly #dir: string;
  readonly #events: RecordWriterEvents;
  readonly #log: Logger;
  #waiting: RecordMessage[] = [];
  #full = false;

  /** @param dir the agent's folder, for messages */
  constructor(spool: Spool, dir: string, events: RecordWriterEvents, log: Logger) {
    this.#spool = spool;
    this.#dir = dir;
    this.#events = events;
    this.#log = log;
  }

  /** Whether the disk had no room when it was last written to. */
  get diskFull(): boolean {
    return this.#full;
  }

  add(key: AttemptKey, seq: number, body: RecordBody): void {
    if (this.#waiting.length === 0) setTimeout(() => this.flush(), GATHER_MS);
    this.#waiting.push({ key, seq, atMs: Date.now(), body: bodyOf(body) });
  }

  /** Attempts of which something is not in the spool yet. */
  attempts(): AttemptKey[] {
    const keys: AttemptKey[] = [];
    for (const { key } of this.#waiting) {
      if (key !== undefined && !keys.some((known) => sameAttempt(known, key))) keys.push(key);
    }
    return keys;
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    try {
      this.#spool.add(this.#waiting);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#becomeFull(error);
      return;
    }
    this.#waiting = [];
    this.#events.onSpooled();
    if (!this.#full) return;
    this.#full = false;
    this.#log.info({ dir: this.#dir }, "there is room on the agent's disk again");
    this.#events.onRoom();
  }

  #becomeFull(error: unknown): void {
    setTimeout(() => this.flush(), DISK_RETRY_MS).unref();
    if (this.#full) return;
    this.#full = true;
    this.#log.error(
      { err: error, dir: this.#dir },
      "the agent's disk is full: what its attempts say waits in memory, and nothing new is taken, until there is room",
    );
    this.#events.onRoom();
  }
}

function bodyOf(body: RecordBody): RecordMessage['body'] {
  switch (body.kind) {
    case 'report':
      return { $case: 'epoch', epoch: { epoch: body.epoch, metrics: { ...body.metrics } } };
    case 'log':
      return { $case: 'log', log: { text: body.text } };
    case 'artifact': {
      const { name, kind, epoch, size, sha256 } = body.file;
      const artifact = { name, kind: artifactKind.to(kind), epoch, size, sha256, attempt: 0, atMs: 0 };
      return { $case: 'artifact', artifact };
    }
    case 'succeeded':
      return { $case: 'ended', ended: { outcome: 'ATTEMPT_OUTCOME_SUCCEEDED', failure: undefined } };
    case 'failed': {
      const failure = { class: failureClass.to(body.class), message: body.message };
      return { $case: 'ended', ended: { outcome: 'ATTEMPT_OUTCOME_FAILED', failure } };
    }
  }
}
