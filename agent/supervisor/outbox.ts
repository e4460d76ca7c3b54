/**
 * Keeps the records of each attempt in order while artifacts are uploaded. The record of an artifact and all later
 * records wait until the artifact's file is uploaded. Records of other attempts do not wait. Several artifacts of an
 * attempt are uploaded concurrently, so that the uploads wait at the same time for the coordinator to flush their files
 * to its disk.
 */
import { keyText } from '../../lib/domain/attempt-key.ts';
import type { Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { StreamMessages } from './stream-messages.ts';

/** The maximum number of concurrent uploads of an attempt. */
const MAX_ATTEMPT_UPLOADS = 8;
/**
 * The maximum number of concurrent uploads of all attempts together. Above this number, an attempt can still begin one
 * upload if it has none.
 */
const MAX_UPLOADS = 12;
/** Sent entries are removed from a queue in batches of at least this size. */
const SENT_ENTRIES = 1_024;

export interface OutboxEvents {
  /**
   * Uploads the file of an artifact's record to the coordinator. Resolves with the record to send: the given record, or
   * a replacement. Resolves with undefined if no records of the attempt may be sent.
   */
  upload(record: RecordMessage): Promise<RecordMessage | undefined>;
  /** Called when `upload` rejects. The outbox then sends no more records of the attempt of that record. */
  onError(error: unknown): void;
}

interface Entry {
  readonly record: RecordMessage;
  /** The record to send. Undefined until the file of the artifact is uploaded. */
  ready: RecordMessage | undefined;
}

/**
 * The records of one attempt that wait for an upload: the record of an artifact, and all later records. Sent records
 * are removed later (see SENT_ENTRIES).
 */
class Queue {
  entries: Entry[] = [];
  /** The index of the first entry that has not been sent. */
  head = 0;
  /** The index of the first entry whose upload has not begun. */
  next = 0;
  /**
   * The checksums of the files that are being uploaded. The coordinator rejects a concurrent upload of the same
   * content.
   */
  readonly uploading = new Set<string>();
}

/** Sends records over one stream. */
export class Outbox {
  readonly #stream: Pick<StreamMessages, 'write'>;
  readonly #events: OutboxEvents;
  /** The records that wait for an upload, grouped by attempt. */
  readonly #queues = new Map<string, Queue>();
  #uploads = 0;
  #closed = false;

  constructor(stream: Pick<StreamMessages, 'write'>, events: OutboxEvents) {
    this.#stream = stream;
    this.#events = events;
  }

  /** Sends a record as soon as its own file, and the files of earlier records of its attempt, are uploaded. */
  add(record: RecordMessage): void {
    const name = record.key === undefined ? '' : keyText(record.key);
    const known = this.#queues.get(name);
    if (known === undefined && record.body?.$case !== 'artifact') {
      this.#send(record);
      return;
    }
    const queue = known ?? new Queue();
    this.#queues.set(name, queue);
    queue.entries.push({ record, ready: record.body?.$case === 'artifact' ? undefined : record });
    this.#beginUploads(name, queue);
  }

  /** Stops sending records. */
  close(): void {
    this.#closed = true;
    this.#queues.clear();
  }

  #beginUploads(name: string, queue: Queue): void {
    for (; queue.next < queue.entries.length; queue.next++) {
      const entry = queue.entries[queue.next];
      if (entry?.record.body?.$case !== 'artifact') continue;
      const { sha256 } = entry.record.body.artifact;
      const { size } = queue.uploading;
      const hasRoom = size === 0 || (size < MAX_ATTEMPT_UPLOADS && this.#uploads < MAX_UPLOADS);
      if (!hasRoom || queue.uploading.has(sha256)) return;
      queue.uploading.add(sha256);
      this.#uploads += 1;
      this.#upload(name, queue, entry, sha256).catch((error) => this.#events.onError(error));
    }
  }

  async #upload(name: string, queue: Queue, entry: Entry, sha256: string): Promise<void> {
    const uploaded = await this.#events.upload(entry.record).finally(() => {
      queue.uploading.delete(sha256);
      this.#uploads -= 1;
    });
    if (this.#closed || this.#queues.get(name) !== queue) return;
    if (uploaded === undefined) {
      this.#queues.delete(name);
      return;
    }
    entry.ready = uploaded;
    this.#sendReady(name, queue);
    this.#beginUploads(name, queue);
  }

  #sendReady(name: string, queue: Queue): void {
    for (let ready = queue.entries[queue.head]?.ready; ready !== undefined; ready = queue.entries[queue.head]?.ready) {
      this.#send(ready);
      queue.head += 1;
    }
    if (queue.head === queue.entries.length) {
      this.#queues.delete(name);
    } else if (queue.head >= SENT_ENTRIES) {
      queue.entries.splice(0, queue.head);
      queue.next -= queue.head;
      queue.head = 0;
    }
  }

  #send(record: RecordMessage): void {
    this.#stream.write({ message: { $case: 'record', record } });
  }
}
