/** The streams of agents that have said hello. */

import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { OverloadedError } from '../../proto/errors.ts';
import type {
  AttemptKey,
  Command,
  Hello,
  ReportRequest,
  ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Refusal } from '../core/step.ts';
import { MAX_UNREAD_ANSWERS } from './limits.ts';

export type Stream = ServerDuplexStream<ReportRequest, ReportResponse>;

/**
 * Which stream speaks for an agent: the one that said hello last. Usually the others are about to be closed; but the
 * hello of a process that is dead may be read after its successor's, and then the successor's stream is the one that
 * stays.
 */
export class Sessions {
  /** Of each agent, the newest last. */
  readonly #open = new Map<string, Session[]>();

  of(agentId: string): Session | undefined {
    return this.#open.get(agentId)?.at(-1);
  }

  add(session: Session): void {
    const open = this.#open.get(session.agentId);
    if (open === undefined) this.#open.set(session.agentId, [session]);
    else open.push(session);
  }

  /** @returns whether it spoke for its agent */
  remove(session: Session): boolean {
    const open = this.#open.get(session.agentId) ?? [];
    const spoke = open.at(-1) === session;
    const left = open.filter((other) => other !== session);
    if (left.length === 0) this.#open.delete(session.agentId);
    else this.#open.set(session.agentId, left);
    return spoke;
  }
}

/** One agent's stream. Acknowledgements that fall due together leave together. */
export class Session {
  readonly hello: Hello;
  readonly call: Stream;
  /** Attempts of which records have come. */
  readonly #heardOf = new Set<string>();
  readonly #acks = new Map<string, { key: AttemptKey; seq: number }>();

  constructor(call: Stream, hello: Hello) {
    this.call = call;
    this.hello = hello;
  }

  /** Whether nothing of the attempt has come on this stream before; from now on something has. */
  isFirstOf(key: AttemptKey): boolean {
    const name = keyText(key);
    if (this.#heardOf.has(name)) return false;
    this.#heardOf.add(name);
    return true;
  }

  /** Nothing more of the attempt is to come. */
  forget(key: AttemptKey): void {
    this.#heardOf.delete(keyText(key));
  }

  get agentId(): string {
    return this.hello.agentId;
  }

  acknowledge(key: AttemptKey, seq: number): void {
    if (this.#acks.size === 0) setImmediate(() => this.#sendAcks());
    this.#acks.set(keyText(key), { key, seq });
  }

  refuse(key: AttemptKey, refusal: Refusal): void {
    this.#write({ message: { $case: 'refused', refused: { key, ...refusal } } });
  }

  command(kind: NonNullable<Command['kind']>): void {
    this.#write({ message: { $case: 'command', command: { kind } } });
  }

  end(details: string): void {
    this.call.emit('error', { code: status.FAILED_PRECONDITION, details });
  }

  #sendAcks(): void {
    for (const ack of this.#acks.values()) this.#write({ message: { $case: 'ack', ack } });
    this.#acks.clear();
  }

  #write(response: ReportResponse): void {
    if (!this.call.writable) return;
    if (this.call.writableLength < MAX_UNREAD_ANSWERS) this.call.write(response);
    else {
      const { grpcCode, message } = new OverloadedError(`agent ${this.agentId} does not take its answers`);
      this.call.emit('error', { code: grpcCode, details: message });
    }
  }
}
