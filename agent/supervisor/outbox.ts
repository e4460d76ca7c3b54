/**
 * Keeps the records of each attempt in order. The record of an artifact and all later records wait until the artifact's
 * file is uploaded. Records of other attempts do not wait.
 */
import { keyText } from '../../lib/domain/attempt-key.ts';
import type { Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ReportStream } from './coordinator-client.ts';

export interface OutboxEvents {
  /**
   * Uploads the file of an artifact's record. Resolves with the record to send instead, or with undefined if no records
   * of the attempt may be sent.
   */
  upload(record: RecordMessage): Promise<RecordMessage | undefined>;
  /** Called when `upload` rejects. The outbox sends no more records of that attempt. */
  onError(error: unknown): void;
}

/** Sends the records of one stream. */
export class Outbox {
  readonly #stream: Pick<ReportStream, 'write'>;
  readonly #events: OutboxEvents;
  /** The records that wait for an upload, per attempt. */
  readonly #waiting = new Map<string, RecordMessage[]>();
  #closed = false;

  constructor(stream: Pick<ReportStream, 'write'>, events: OutboxEvents) {
    this.#stream = stream;
    this.#events = events;
  }

  /** Sends the record immediately, or after earlier uploads of its attempt. */
  add(record: RecordMessage): void {
    const name = record.key === undefined ? '' : keyText(record.key);
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) waiting.push(record);
    else if (record.body?.$case === 'artifact')
      this.#upload(name, record).catch((error) => this.#events.onError(error));
    else this.#send(record);
  }

  /** Stops sending records. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
  }

  async #upload(name: string, record: RecordMessage): Promise<void> {
    this.#waiting.set(name, []);
    const uploaded = await this.#events.upload(record);
    if (this.#closed) return;
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    if (uploaded === undefined) return;
    this.#send(uploaded);
    for (const next of waiting) this.add(next);
  }

  #send(record: RecordMessage): void {
    this.#stream.write({ message: { $case: 'record', record } });
  }
}
