/** What is said on a NATS server, to be said again. */
import type { Msg, NatsConnection } from 'nats';

export interface Heard {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
}

/** Of each kind of subject so many are kept. */
const KEPT = 20;

/** @returns what has been heard so far; each call gives the newest of each kind */
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
