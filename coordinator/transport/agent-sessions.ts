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

/**
 * Acknowledgements of records that can wait are delayed by this many milliseconds per connected agent, so that one
 * message contains several acknowledgements. With 20 to 1,000 agents, the coordinator thus sends at most about 1,000 such
 * messages per second. The cost of a message hardly depends on its size. Agents do not wait for these acknowledgements.
 * They keep the records on their disks in the meantime.
 */
const ACK_DELAY_MS_PER_AGENT = 1;
/**
 * If the computed delay is shorter than this, acknowledgements are not delayed, because such a short delay would save
 * hardly any messages.
 */
const MIN_ACK_DELAY_MS = 20;
export const MAX_ACK_DELAY_MS = 1_000;

/**
 * Agents gather records that can wait for this many times the delay of acknowledgements. With 20 to 1,000 agents, the
 * coordinator thus receives at most about 500 messages with such records per second.
 */
const GATHER_PER_ACK_DELAY = 2;

export type AgentStream = ServerDuplexStream<ReportRequest, ReportResponse>;

/** How long messages between the coordinator and an agent wait for further content. */
export type AgentPace = Pick<AgentSessions, 'ackDelayMs' | 'gatherMs'>;

/**
 * Holds the open sessions of all agents. The current session of an agent is the session with the newest hello. Other
 * sessions of the agent are usually about to close. For example, the hello of a dead agent process can arrive after the
 * hello of the process that replaced it. The session of the dead process is then current until it ends. Afterward, the
 * session of the new process is current again.
 */
export class AgentSessions {
  /** The open sessions of each agent, by agent id. The newest session of an agent is last. */
  readonly #open = new Map<string, AgentSession[]>();

  /** The delay in milliseconds of acknowledgements of records that can wait; 0 if they are not delayed. */
  get ackDelayMs(): number {
    const delayMs = Math.min(MAX_ACK_DELAY_MS, ACK_DELAY_MS_PER_AGENT * this.#open.size);
    return delayMs < MIN_ACK_DELAY_MS ? 0 : delayMs;
  }

  /** The time in milliseconds for which agents gather records that can wait (see AnswerBatch in attempt_service.proto). */
  get gatherMs(): number {
    return GATHER_PER_ACK_DELAY * this.ackDelayMs;
  }

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
 * Represents the Report stream of one agent. Gathers acknowledgements and answers to claims. Acknowledgements of records
 * that can wait are delayed by `ackDelayMs`. All other answers are sent in the next turn of the event loop, and the
 * delayed acknowledgements are sent with them.
 */
export class AgentSession {
  readonly hello: Hello;
  readonly call: AgentStream;
  /** The attempts that have sent records on this stream. */
  readonly #seen = new Set<string>();
  readonly #acks = new Map<string, Ack>();
  #claimAnswers: ClaimAnswer[] = [];
  readonly #pace: AgentPace;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the answers are already scheduled for the next turn of the event loop. */
  #isDue = false;

  constructor(call: AgentStream, hello: Hello, pace: AgentPace) {
    this.call = call;
    this.hello = hello;
    this.#pace = pace;
  }

  /**
   * Notes that an attempt has sent a record on this stream. Returns whether it is the first record of this attempt on
   * the stream.
   */
  isFirstRecordOf(key: AttemptKey): boolean {
    const name = keyText(key);
    if (this.#seen.has(name)) return false;
    this.#seen.add(name);
    return true;
  }

  /** Forgets an attempt that sends no more records. */
  forget(key: AttemptKey): void {
    this.#seen.delete(keyText(key));
  }

  get agentId(): string {
    return this.hello.agentId;
  }

  /**
   * @param canWait whether the acknowledgement can be delayed and sent together with others. True for
   * all records except artifacts and ends of attempts.
   */
  acknowledge(key: AttemptKey, seq: number, canWait: boolean): void {
    this.#acks.set(keyText(key), { key, seq });
    const delayMs = canWait ? this.#pace.ackDelayMs : 0;
    if (delayMs === 0) this.#sendSoon();
    else this.#timer ??= setTimeout(() => this.#sendAnswers(), delayMs).unref();
  }

  /** Answers a request for leases. Only for an agent that accepts batches. */
  answerClaims(answer: ClaimAnswer): void {
    this.#claimAnswers.push(answer);
    this.#sendSoon();
  }

  #sendSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#sendAnswers();
    });
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
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#acks.size + this.#claimAnswers.length === 0) return;
    const acks = [...this.#acks.values()];
    const claimAnswers = this.#claimAnswers;
    this.#acks.clear();
    this.#claimAnswers = [];
    if (this.hello.acceptsBatches) {
      const { gatherMs } = this.#pace;
      this.#write({ message: { $case: 'batch', batch: { acks, claimAnswers, gatherMs } } });
    } else for (const ack of acks) this.#write({ message: { $case: 'ack', ack } });
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
