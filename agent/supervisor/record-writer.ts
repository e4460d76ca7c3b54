/**
 * Gathers the records of all slots and writes them to the spool. While the disk is full, records wait in memory, so
 * that no running attempt fails. Records are not sent until they are in the spool.
 */

import type { Logger } from 'pino';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { isDiskFull } from '../../proto/errors.ts';
import type { AttemptKey, Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { artifactKind, failureClass } from '../../proto/names.ts';
import { GATHER_MS, type Gathering, PATIENT_GATHER_MS } from './gathering.ts';
import type { RecordBody } from './slot-effects.ts';
import type { Spool } from './spool.ts';

/** The delay before a write to a full disk is retried. */
export const DISK_RETRY_MS = 1_000;

export interface RecordWriterEvents {
  /** Called when there are new records in the spool. */
  onSpooled(): void;
  /** Called when the disk becomes full, and when space is available again. */
  onDiskFullChanged(): void;
}

export class RecordWriter {
  readonly #spool: Spool;
  readonly #dir: string;
  readonly #events: RecordWriterEvents;
  readonly #log: Logger;
  readonly #gathering: Pick<Gathering, 'schedule'>;
  #pending: RecordMessage[] = [];
  #isFull = false;
  #retryTimer: NodeJS.Timeout | undefined;

  /**
   * @param dir the agent's folder, for messages
   * @param gathering calls `flush`
   */
  constructor(
    spool: Spool,
    dir: string,
    gathering: Pick<Gathering, 'schedule'>,
    events: RecordWriterEvents,
    log: Logger,
  ) {
    this.#spool = spool;
    this.#dir = dir;
    this.#gathering = gathering;
    this.#events = events;
    this.#log = log;
  }

  /** Whether the disk was full at the last write. */
  get isDiskFull(): boolean {
    return this.#isFull;
  }

  /**
   * Adds a record, and writes it soon. The end of an attempt is urgent unless all slots are busy, and a returned attempt
   * is always urgent, because its trial waits. Other records wait a little longer for each other (PATIENT_GATHER_MS).
   * @param areSlotsBusy whether every slot of the agent runs an attempt or has one in its queue. Default: false
   */
  add(key: AttemptKey, seq: number, body: RecordBody, areSlotsBusy = false): void {
    const isEnd = body.kind === 'succeeded' || body.kind === 'failed';
    const isUrgent = body.kind === 'returned' || (isEnd && !areSlotsBusy);
    // While the disk is full, the write is repeated at intervals.
    if (!this.#isFull) this.#gathering.schedule(isUrgent ? GATHER_MS : PATIENT_GATHER_MS);
    this.#pending.push({ key, seq, atMs: Date.now(), body: bodyOf(body) });
  }

  /** Returns the attempts with records that are not in the spool yet. */
  attempts(): AttemptKey[] {
    return keysOf(this.#pending);
  }

  /**
   * Returns the attempts whose records are not all in the spool yet, and whose leases must be renewed. Attempts that
   * were returned without a start are omitted, because they have no result that an expired lease could lose. While the
   * disk is full, the leases of the omitted attempts may expire. Their trials then run elsewhere.
   */
  leasedAttempts(): AttemptKey[] {
    return keysOf(this.#pending.filter((record) => !isReturn(record)));
  }

  /** Writes the gathered records to the spool now. */
  flush(): void {
    if (this.#pending.length === 0) return;
    try {
      this.#spool.add(this.#pending);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#onDiskFull(error);
      return;
    }
    this.#pending = [];
    this.#events.onSpooled();
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#log.info({ dir: this.#dir }, "the agent's disk has space again");
    this.#events.onDiskFullChanged();
  }

  #onDiskFull(error: unknown): void {
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      this.flush();
    }, DISK_RETRY_MS).unref();
    if (this.#isFull) return;
    this.#isFull = true;
    this.#log.error(
      { err: error, dir: this.#dir },
      "the agent's disk is full: records wait in memory, and the agent takes no new trials until there is space",
    );
    this.#events.onDiskFullChanged();
  }
}

function keysOf(records: readonly RecordMessage[]): AttemptKey[] {
  const keys = new Map<string, AttemptKey>();
  for (const { key } of records) if (key !== undefined) keys.set(keyText(key), key);
  return [...keys.values()];
}

/** Returns whether the record ends an attempt that the agent did not start. */
export function isReturn({ body }: RecordMessage): boolean {
  return body?.$case === 'ended' && body.ended.outcome === 'ATTEMPT_OUTCOME_RETURNED';
}

const NOTICE_KINDS = {
  unreadable_reports: 'WARNING_KIND_UNREADABLE_REPORTS',
  hook_not_loaded: 'WARNING_KIND_HOOK_NOT_LOADED',
} as const;

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
    case 'notice': {
      const kind = NOTICE_KINDS[body.warning];
      return { $case: 'notice', notice: { kind, message: body.message, count: body.count } };
    }
    case 'program': {
      const { command, ...program } = body.program;
      return { $case: 'program', program: { ...program, command: [...command], attempt: 0 } };
    }
    case 'succeeded':
      return { $case: 'ended', ended: { outcome: 'ATTEMPT_OUTCOME_SUCCEEDED', failure: undefined } };
    case 'returned':
      return { $case: 'ended', ended: { outcome: 'ATTEMPT_OUTCOME_RETURNED', failure: undefined } };
    case 'failed': {
      const failure = { class: failureClass.to(body.class), message: body.message };
      return { $case: 'ended', ended: { outcome: 'ATTEMPT_OUTCOME_FAILED', failure } };
    }
  }
}
