/**
 * Keeps an attempt's records in order although an artifact's record has to wait until its file is with the coordinator:
 * records of other attempts pass by.
 */
import type { Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';

export interface OutboxEvents {
  /** May leave now. */
  send(record: RecordMessage): void;
  /** Brings the file of an artifact's record. Resolves with false when the record, and its attempt, are not wanted. */
  bring(record: RecordMessage): Promise<boolean>;
}

export class Outbox {
  readonly #events: OutboxEvents;
  /** By attempt: the records behind the artifact that is being brought. */
  readonly #behind = new Map<string, RecordMessage[]>();
  #closed = false;

  constructor(events: OutboxEvents) {
    this.#events = events;
  }

  add(record: RecordMessage): void {
    const name = nameOf(record);
    const behind = this.#behind.get(name);
    if (behind !== undefined) behind.push(record);
    else if (record.body?.$case === 'artifact') this.#bring(name, record);
    else this.#events.send(record);
  }

  /** Nothing leaves any more. */
  close(): void {
    this.#closed = true;
    this.#behind.clear();
  }

  #bring(name: string, record: RecordMessage): void {
    this.#behind.set(name, []);
    this.#events.bring(record).then((wanted) => {
      if (this.#closed) return;
      const behind = this.#behind.get(name) ?? [];
      this.#behind.delete(name);
      if (!wanted) return;
      this.#events.send(record);
      for (const next of behind) this.add(next);
    });
  }
}

function nameOf({ key }: RecordMessage): string {
  return `${key?.sweepId}/${key?.trialId}/${key?.attempt}`;
}
