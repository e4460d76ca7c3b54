/** Manages the Report streams of agents that have sent a hello. */
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { OverloadedError } from '../../proto/errors.ts';
import type {
  Ack,
  AttemptKey,
  ClaimAnswer,
  Command,
  Hello,
  ReportRequest,
  ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Refusal } from '../core/step.ts';
import { MAX_UNREAD_ANSWERS } from './limits.ts';

export type AgentStream = ServerDuplexStream<ReportRequest, ReportResponse>;

/**
 * All sessions by agent. The current session of an agent is the session with the newest hello. Other sessions of the
 * agent are usually about to close. If the hello of a dead process arrives after the hello of its successor, the
 * session of the successor becomes current again when the session of the dead process ends.
 */
export class AgentSessions {
  /** The open sessions of each agent, by agent id. The newest session of an agent is last. */
  readonly #open = new Map<string, AgentSession[]>();

  of(agentId: string): AgentSession | undefined {
    return this.#open.get(agentId)?.at(-1);
  }

  /** Returns all open sessions of an agent. */
  all(agentId: string): readonly AgentSession[] {
    return this.#open.get(agentId) ?? [];
  }

  add(session: AgentSession): void {
    const open = this.#open.get(session.agentId);
    if (open === undefined) this.#open.set(session.agentId, [session]);
    else open.push(session);
  }

  /**
   * Removes a session.
   * @returns whether the session was the current session of its agent
   */
  remove(session: AgentSession): boolean {
    const open = this.#open.get(session.agentId) ?? [];
    const wasCurrent = open.at(-1) === session;
    const left = open.filter((other) => other !== session);
    if (left.length === 0) this.#open.delete(session.agentId);
    else this.#open.set(session.agentId, left);
    return wasCurrent;
  }
}

/**
 * Represents the Report stream of one agent. Gathers acknowledgements and answers to claims, and sends them once per
 * turn of the event loop.
 */
export class AgentSession {
  readonly hello: Hello;
  readonly call: AgentStream;
  /** The attempts that have sent records on this stream. */
  readonly #seen = new Set<string>();
  readonly #acks = new Map<string, Ack>();
  #claimAnswers: ClaimAnswer[] = [];

  constructor(call: AgentStream, hello: Hello) {
    this.call = call;
    this.hello = hello;
  }

  /** Marks that the attempt has sent a record on this stream, and returns whether this record was the first. */
  isFirstRecordOf(key: AttemptKey): boolean {
    const name = keyText(key);
    if (this.#seen.has(name)) return false;
    this.#seen.add(name);
    return true;
  }

  /** Removes the mark of an attempt that sends no more records. */
  forget(key: AttemptKey): void {
    this.#seen.delete(keyText(key));
  }

  get agentId(): string {
    return this.hello.agentId;
  }

  acknowledge(key: AttemptKey, seq: number): void {
    this.#scheduleAnswers();
    this.#acks.set(keyText(key), { key, seq });
  }

  /** Answers a request for leases. Only for an agent that accepts batches. */
  answerClaims(answer: ClaimAnswer): void {
    this.#scheduleAnswers();
    this.#claimAnswers.push(answer);
  }

  #scheduleAnswers(): void {
    if (this.#acks.size + this.#claimAnswers.length === 0) setImmediate(() => this.#sendAnswers());
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

  #sendAnswers(): void {
    const acks = [...this.#acks.values()];
    const claimAnswers = this.#claimAnswers;
    this.#acks.clear();
    this.#claimAnswers = [];
    if (this.hello.acceptsBatches) this.#write({ message: { $case: 'batch', batch: { acks, claimAnswers } } });
    else for (const ack of acks) this.#write({ message: { $case: 'ack', ack } });
  }

  #write(response: ReportResponse): void {
    if (!this.call.writable) return;
    if (this.call.writableLength < MAX_UNREAD_ANSWERS) this.call.write(response);
    else {
      const { grpcCode, message } = new OverloadedError(`agent ${this.agentId} is not reading its answers`);
      this.call.emit('error', { code: grpcCode, details: message });
    }
  }
}
