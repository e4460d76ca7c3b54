/** Records messages on a NATS server, so that they can be sent again. */
import type { Msg, NatsConnection } from 'nats';

export interface Heard {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
}

const KEPT = 20;

/** @returns a function that returns the newest messages of each kind so far */
export function overhear(nats: NatsConnection): () => Heard[] {
  const byKind = new Map<string, Heard[]>();
  const note = ({ subject, data, reply }: Msg) => {
    const kind = subject.split('.').slice(0, 3).join('.');
    const heard = byKind.get(kind) ?? [];
    heard.push({ subject, data: Uint8Array.from(data), reply: reply === '' ? undefined : reply });
    byKind.set(kind, heard.slice(-KEPT));
  };
  nats.subscribe('>', { callback: (error, message) => error === null && note(message) });
  return () => [...byKind.values()].flat();
}
