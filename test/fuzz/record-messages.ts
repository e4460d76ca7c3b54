/** Records messages on a NATS server, so that they can be sent again. */
import type { Msg, NatsConnection } from 'nats';

export interface RecordedMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
}

const MAX_PER_KIND = 20;

/** @returns a function that returns the newest recorded messages of each kind */
export function recordMessages(nats: NatsConnection): () => RecordedMessage[] {
  const byKind = new Map<string, RecordedMessage[]>();
  const note = ({ subject, data, reply }: Msg) => {
    const kind = subject.split('.').slice(0, 3).join('.');
    const recorded = byKind.get(kind) ?? [];
    recorded.push({ subject, data: Uint8Array.from(data), reply: reply === '' ? undefined : reply });
    byKind.set(kind, recorded.slice(-MAX_PER_KIND));
  };
  nats.subscribe('>', { callback: (error, message) => error === null && note(message) });
  return () => [...byKind.values()].flat();
}
