/** The agents' side: leases are opened, and one stream an agent carries records up, acknowledgements and orders down. */
import { type ServerDuplexStream, type ServerUnaryCall, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { parseAddress } from '../../proto/address.ts';
import { BadInputError, OverloadedError } from '../../proto/errors.ts';
import type {
  AttemptServiceServer,
  Command,
  Decision,
  Drain,
  Grant,
  Hello,
  OpenRequest,
  OpenResponse,
  Record as RecordMessage,
  ReportRequest,
  ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { artifactKind } from '../../proto/names.ts';
import { MAX_PACK } from '../../proto/packs.ts';
import { AGENT_ID } from '../../proto/subjects.ts';
import type { ArtifactFiles } from '../artifacts/files.ts';
import type { Guard } from '../auth/guard.ts';
import { now } from '../clock.ts';
import { onHello } from '../core/agents.ts';
import { isAnothers, onOpen, onRecord, refusalFor } from '../core/attempts.ts';
import { graceLeft } from '../core/drain.ts';
import { type AttemptKey, type Checkpoint, keyText, type SweepPolicy } from '../core/model.ts';
import { type Refusal, Step } from '../core/step.ts';
import type { CoordinatorMetrics } from '../metrics/families.ts';
import type { Runtime } from '../runtime.ts';
import { statusOf, unary } from './handlers.ts';
import { MAX_GPUS, MAX_LABEL, MAX_UNREAD_ANSWERS, MAX_UNSETTLED_RECORDS } from './limits.ts';
import { keyOf, recordOf } from './records.ts';

/** The protocol that this coordinator speaks; an agent of another is refused by name. */
export const PROTOCOL = 1;
/** Claims that one Open may carry. */
export const MAX_CLAIMS = 1_000;
/** Slots that one agent may have. */
export const MAX_SLOTS = 4_096;

type Stream = ServerDuplexStream<ReportRequest, ReportResponse>;
type OpenCall = ServerUnaryCall<OpenRequest, OpenResponse>;

export interface AttemptServiceOptions {
  readonly runtime: Runtime;
  readonly files: ArtifactFiles;
  readonly cluster: string;
  readonly heartbeatMs: number;
  readonly metrics: CoordinatorMetrics;
  readonly guard: Guard;
  readonly log: Logger;
}

export class AttemptService {
  readonly #options: AttemptServiceOptions;
  /** The newest stream of each agent. */
  readonly #sessions = new Map<string, Session>();

  constructor(options: AttemptServiceOptions) {
    this.#options = options;
  }

  get implementation(): AttemptServiceServer {
    const { log } = this.#options;
    return {
      open: unary(log, (request, call) => this.#open(request, call)),
      report: (call) => this.#report(call),
    };
  }

  /** Tells an agent that an attempt is none of its business any more. Without a session it learns it by its records. */
  dismiss(agentId: string, key: AttemptKey, refusal: Refusal): void {
    this.#sessions.get(agentId)?.refuse(key, refusal);
  }

  /** Tells an agent that it is drained, or is not any more. Without a session it learns it by its next hello. */
  tellOfDrain(agentId: string): void {
    const drain = this.#drainOf(agentId);
    this.#sessions.get(agentId)?.command(drain ? { $case: 'drain', drain } : { $case: 'undrain', undrain: {} });
  }

  #drainOf(agentId: string): Drain | undefined {
    const graceMs = graceLeft(this.#options.runtime.core, agentId, now());
    return graceMs === undefined ? undefined : { graceMs };
  }

  async #open(request: OpenRequest, call: OpenCall): Promise<OpenResponse> {
    const { runtime, guard } = this.#options;
    guard.agentOf(call, request.agentId);
    if (request.claims.length > MAX_CLAIMS) {
      throw new BadInputError(`an Open may carry ${MAX_CLAIMS} claims, this one has ${request.claims.length}`);
    }
    const { agentId, incarnation } = request;
    // All are checked before the first is granted: what a decision changes must be settled.
    const claims = request.claims.map(({ key, slot }) => ({ key: keyOf(key), agentId, incarnation, slot }));
    const step = new Step();
    const answers = claims.map((claim) => ({ key: claim.key, answer: onOpen(runtime.core, claim, now(), step) }));
    await runtime.settle(step);
    runtime.reschedule();
    const decisions = answers.map(({ key, answer }): Decision => {
      if (!answer.granted) return { key, answer: { $case: 'refusal', refusal: answer.refusal }, mates: [] };
      const { policy } = answer;
      const mates = answer.mates.map(({ key, checkpoint }) => ({ key, grant: this.#grant(key, policy, checkpoint) }));
      return { key, answer: { $case: 'grant', grant: this.#grant(key, policy, answer.checkpoint) }, mates };
    });
    return { decisions };
  }

  #grant(key: AttemptKey, policy: SweepPolicy, checkpoint: Checkpoint | undefined): Grant {
    const { runtime, files, log } = this.#options;
    const { checkpointEvery, reconstructEvery, command } = policy;
    const whole =
      checkpoint !== undefined && files.has({ ...key, attempt: checkpoint.attempt }, checkpoint.name)
        ? checkpoint
        : undefined;
    if (checkpoint !== undefined && whole === undefined) {
      log.warn({ ...key, name: checkpoint.name }, "a checkpoint's file is gone: the attempt begins at the beginning");
    }
    return {
      ...runtime.queries.assignment(key.sweepId, key.trialId),
      checkpointEvery,
      reconstructEvery,
      command: [...command],
      resume: whole && { ...whole, kind: artifactKind.to(whole.kind), atMs: 0 },
    };
  }

  #report(call: Stream): void {
    const { runtime, log } = this.#options;
    let session: Session | undefined;
    let unsettled = 0;
    const take = async (session: Session, record: RecordMessage) => {
      if (++unsettled >= MAX_UNSETTLED_RECORDS) call.pause();
      await this.#record(session, record);
      if (--unsettled < MAX_UNSETTLED_RECORDS / 2 && call.isPaused()) call.resume();
    };
    const fail = (error: unknown) => call.emit('error', statusOf(error, log));
    call.on('data', (request: ReportRequest) => {
      try {
        const message = request.message;
        if (message?.$case === 'hello') session = this.#hello(call, message.hello);
        else if (session === undefined) throw new BadInputError('the first message of a Report must be a hello');
        else if (message?.$case === 'record') take(session, message.record).catch(fail);
        else throw new BadInputError('a Report carries hellos and records only');
      } catch (error) {
        fail(error);
      }
    });
    call.on('error', () => {});
    call.on('end', () => call.end());
    call.on('close', () => {
      if (session !== undefined && this.#sessions.get(session.agentId) === session) {
        this.#sessions.delete(session.agentId);
        log.info({ agentId: session.agentId }, "an agent's stream ended");
      }
      runtime.reschedule();
    });
  }

  #hello(call: Stream, hello: Hello): Session {
    const { runtime, cluster, guard, heartbeatMs, log } = this.#options;
    check(hello);
    guard.agentOf(call, hello.agentId);
    const session = new Session(call, hello.agentId);
    this.#sessions.set(hello.agentId, session);
    onHello(runtime.core, { ...hello, id: hello.agentId, pack: Math.max(1, hello.pack) }, now());
    const { agentId, host, slots, backend, incarnation } = hello;
    log.info({ agentId, host, slots, backend, incarnation }, 'an agent said hello');
    call.write({
      message: {
        $case: 'welcome',
        welcome: { cluster, leaseMs: runtime.core.leaseMs, heartbeatMs, drain: this.#drainOf(agentId) },
      },
    });
    runtime.reschedule();
    return session;
  }

  async #record(session: Session, message: RecordMessage): Promise<void> {
    const { runtime, metrics, guard } = this.#options;
    const record = recordOf(message);
    if (record.kind === 'artifact' && !this.#options.files.has(record.key, record.artifact.name)) {
      // Its attempt may have been superseded, and its files removed: then that is said below.
      if (refusalFor(runtime.core, session.agentId, record.key) === undefined) {
        return session.end(`the file of artifact ${record.artifact.name} has not been brought`);
      }
    }
    const step = new Step();
    const answer = onRecord(runtime.core, session.agentId, record, now(), step);
    // Every answer waits for the disk: a refusal too may rest on a change that is not durable yet.
    await runtime.settle(step);
    switch (answer.taken) {
      case 'new':
      case 'again':
        session.acknowledge(record.key, record.seq);
        break;
      case 'refused':
        metrics.supersededReports.inc();
        if (isAnothers(runtime.core, session.agentId, record.key)) {
          guard.refuse('other_attempt', session.call, answer.refusal.message);
        }
        session.refuse(record.key, answer.refusal);
        break;
      case 'gap':
        session.end(`records of ${keyText(record.key)} are missing: expected ${answer.expected}, got ${record.seq}`);
        break;
    }
    if (record.kind === 'ended') runtime.reschedule();
  }
}

/** @throws {BadInputError} */
function check(hello: Hello): void {
  const { agentId, incarnation, protocol, slots, pack, metrics } = hello;
  if (protocol !== PROTOCOL) {
    const older = protocol < PROTOCOL ? 'agent' : 'coordinator';
    throw new BadInputError(
      `agent ${agentId} (trawl ${hello.version}) speaks protocol ${protocol}, this coordinator ${PROTOCOL}: ` +
        `upgrade the ${older}`,
    );
  }
  if (!AGENT_ID.test(agentId)) {
    throw new BadInputError(`${JSON.stringify(agentId)} cannot name an agent: expected ${AGENT_ID}`);
  }
  const said = [incarnation, hello.version, hello.host, hello.backend, metrics, ...hello.gpus];
  if (hello.gpus.length > MAX_GPUS || said.some((text) => text.length > MAX_LABEL)) {
    throw new BadInputError(
      `agent ${agentId} says too much of itself: expected at most ${MAX_GPUS} GPUs, and ${MAX_LABEL} characters each`,
    );
  }
  if (metrics !== '') parseAddress(metrics, `the metrics address of agent ${agentId}`);
  if (incarnation === '') throw new BadInputError(`agent ${agentId} must name its incarnation`);
  if (slots < 1 || slots > MAX_SLOTS) {
    throw new BadInputError(`agent ${agentId} says it has ${slots} slots: expected 1 to ${MAX_SLOTS}`);
  }
  if (pack > MAX_PACK) {
    throw new BadInputError(`agent ${agentId} says a slot holds a pack of ${pack}: expected at most ${MAX_PACK}`);
  }
}

/** One agent's stream. Acknowledgements that fall due together leave together. */
class Session {
  readonly agentId: string;
  readonly call: Stream;
  readonly #acks = new Map<string, { key: AttemptKey; seq: number }>();

  constructor(call: Stream, agentId: string) {
    this.call = call;
    this.agentId = agentId;
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
