/** The agents' side: leases are opened, and one stream an agent carries records up, acknowledgements and orders down. */

import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { parseAddress } from '../../lib/net/address.ts';
import { BadInputError } from '../../proto/errors.ts';
import type {
  AttemptServiceServer,
  Decision,
  Drain,
  Grant,
  Hello,
  OpenRequest,
  OpenResponse,
  Record as RecordMessage,
  ReportRequest,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { labelProblem, MAX_PACK } from '../../proto/limits.ts';
import { artifactKind } from '../../proto/names.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import { AGENT_ID } from '../../proto/subjects.ts';
import type { Runtime } from '../app/runtime.ts';
import type { ArtifactFiles } from '../artifacts/files.ts';
import type { Guard } from '../auth/guard.ts';
import { onHello } from '../core/agents.ts';
import {
  type AttemptRecord,
  isLeasedToAnother,
  onOpen,
  onRecord,
  onRecordsMissing,
  type RecordAnswer,
  rejectionOf,
} from '../core/attempts.ts';
import { remainingGraceMs } from '../core/drain.ts';
import type { Checkpoint, SweepPolicy } from '../core/model.ts';
import { type Answered, combine, type Refusal } from '../core/step.ts';
import type { CoordinatorMetrics } from '../metrics/families.ts';
import { Session, Sessions, type Stream } from './agent-sessions.ts';
import { statusOf, unary } from './handlers.ts';
import { MAX_GPUS, MAX_LABEL, MAX_TRAINERS, MAX_UNSETTLED_RECORDS } from './limits.ts';
import { keyOf, recordOf } from './records.ts';

/** Claims that one Open may carry. */
export const MAX_CLAIMS = 1_000;
/** Slots that one agent may have. */
const MAX_SLOTS = 4_096;

type OpenCall = ServerUnaryCall<OpenRequest, OpenResponse>;

export interface AttemptServiceOptions {
  readonly runtime: Runtime;
  readonly files: Pick<ArtifactFiles, 'has'>;
  readonly cluster: string;
  readonly heartbeatMs: number;
  readonly metrics: Pick<CoordinatorMetrics, 'supersededReports'>;
  readonly guard: Guard;
  readonly log: Logger;
}

export class AttemptService {
  readonly #options: AttemptServiceOptions;
  readonly #sessions = new Sessions();

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
  revoke(agentId: string, key: AttemptKey, refusal: Refusal): void {
    this.#sessions.of(agentId)?.refuse(key, refusal);
  }

  /** Tells an agent that it is drained, or is not any more. Without a session it learns it by its next hello. */
  tellOfDrain(agentId: string): void {
    const drain = this.#drainOf(agentId);
    this.#sessions.of(agentId)?.command(drain ? { $case: 'drain', drain } : { $case: 'undrain', undrain: {} });
  }

  #drainOf(agentId: string): Drain | undefined {
    const graceMs = remainingGraceMs(this.#options.runtime.core, agentId, this.#options.runtime.now());
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
    const claims = request.claims.map(({ key, slot, pack }) => {
      return { key: keyOf(key), agentId, incarnation, slot, ...(pack > 0 ? { pack: Math.min(pack, MAX_PACK) } : {}) };
    });
    const opened = claims.map((claim) => ({ key: claim.key, ...onOpen(runtime.core, claim, runtime.now()) }));
    await runtime.settle(combine(opened.map(({ step }) => step)));
    runtime.reschedule();
    const decisions = opened.map(({ key, answer }): Decision => {
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
    const { log } = this.#options;
    let session: Session | undefined;
    let unsettled = 0;
    let over = false;
    const take = async (session: Session, record: RecordMessage) => {
      if (++unsettled >= MAX_UNSETTLED_RECORDS) call.pause();
      await this.#record(session, record);
      if (--unsettled < MAX_UNSETTLED_RECORDS / 2 && call.isPaused()) call.resume();
    };
    const fail = (error: unknown) => call.emit('error', statusOf(error, log));
    call.on('data', (request: ReportRequest) => {
      // What is behind something that was refused comes again, or is not wanted.
      if (over) return;
      try {
        const message = request.message;
        if (message?.$case === 'hello') session = this.#hello(call, message.hello, session);
        else if (session === undefined) throw new BadInputError('the first message of a Report must be a hello');
        else if (message?.$case === 'record') take(session, message.record).catch(fail);
        else throw new BadInputError('a Report carries hellos and records only');
      } catch (error) {
        fail(error);
      }
    });
    call.on('error', () => {
      over = true;
    });
    call.on('end', () => call.end());
    call.on('close', () => {
      if (session !== undefined) this.#ended(session);
    });
  }

  #ended(session: Session): void {
    const { runtime, log } = this.#options;
    const { agentId, hello } = session;
    if (this.#sessions.remove(session)) {
      log.info({ agentId }, "an agent's stream ended");
      const successor = this.#sessions.of(agentId);
      if (successor !== undefined && successor.hello.incarnation !== hello.incarnation) {
        this.#meet(successor.hello);
        this.tellOfDrain(agentId);
      }
    }
    runtime.reschedule();
  }

  #meet(hello: Hello): void {
    const { runtime } = this.#options;
    onHello(runtime.core, { ...hello, id: hello.agentId, pack: Math.max(1, hello.pack) }, runtime.now());
  }

  /** @param before what the stream said before */
  #hello(call: Stream, hello: Hello, before: Session | undefined): Session {
    const { runtime, cluster, guard, heartbeatMs, log } = this.#options;
    check(hello);
    guard.agentOf(call, hello.agentId);
    const session = new Session(call, hello);
    if (before !== undefined) this.#sessions.remove(before);
    this.#sessions.add(session);
    this.#meet(hello);
    const { agentId, host, slots, backend, incarnation } = hello;
    log.info({ agentId, host, slots, backend, incarnation }, 'an agent said hello');
    const pools = [...(runtime.core.agents.get(agentId)?.pools ?? [])];
    call.write({
      message: {
        $case: 'welcome',
        welcome: { cluster, heartbeatMs, drain: this.#drainOf(agentId), pools },
      },
    });
    runtime.reschedule();
    return session;
  }

  /** Takes a record, or says why not; of an attempt whose earlier records nobody has any more, that ends it. */
  #take(session: Session, record: AttemptRecord): Answered<RecordAnswer> {
    const { runtime, log } = this.#options;
    const first = session.isFirstOf(record.key);
    const received = onRecord(runtime.core, { agentId: session.agentId, record }, runtime.now());
    const { answer } = received;
    if (record.kind === 'ended' || answer.result === 'rejected') session.forget(record.key);
    // A stream begins with the oldest record that its agent has.
    if (answer.result !== 'gap' || !first) return received;
    log.warn({ ...record.key, expected: answer.expected, got: record.seq }, 'records of an attempt are gone');
    return onRecordsMissing(runtime.core, { firstAvailable: record, expected: answer.expected }, runtime.now());
  }

  async #record(session: Session, message: RecordMessage): Promise<void> {
    const { runtime, metrics, guard } = this.#options;
    const record = recordOf(message);
    if (record.kind === 'artifact' && !this.#options.files.has(record.key, record.artifact.name)) {
      // Its attempt may have been superseded, and its files removed: then that is said below.
      if (rejectionOf(runtime.core, session.agentId, record.key) === undefined) {
        return session.end(`the file of artifact ${record.artifact.name} has not been brought`);
      }
    }
    const { step, answer } = this.#take(session, record);
    // Every answer waits for the disk: a refusal too may rest on a change that is not durable yet.
    await runtime.settle(step);
    switch (answer.result) {
      case 'accepted':
      case 'duplicate':
        session.acknowledge(record.key, record.seq);
        break;
      case 'rejected':
        metrics.supersededReports.inc();
        if (isLeasedToAnother(runtime.core, session.agentId, record.key)) {
          guard.reject('other_attempt', session.call, answer.refusal.message);
        }
        session.refuse(record.key, answer.refusal);
        break;
      case 'gap':
        session.end(`records of ${keyText(record.key)} are missing: expected ${answer.expected}, got ${record.seq}`);
        break;
    }
    if (record.kind === 'ended' || answer.result === 'rejected') runtime.reschedule();
  }
}

/** @throws {BadInputError} */
function check(hello: Hello): void {
  const { agentId, incarnation, protocol, slots, slotFacts, pack, metrics, labels, trainers } = hello;
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
  if (slotFacts.length !== slots) {
    throw new BadInputError(`agent ${agentId} says it has ${slots} slots, and tells of ${slotFacts.length}`);
  }
  if (trainers.length > MAX_TRAINERS || trainers.some((name) => name.length > MAX_LABEL)) {
    throw new BadInputError(
      `agent ${agentId} names ${trainers.length} trainers: expected at most ${MAX_TRAINERS}, of ${MAX_LABEL} characters each`,
    );
  }
  const problem = labelProblem(labels);
  if (problem !== undefined) throw new BadInputError(`agent ${agentId}: ${problem}`);
  if (pack > MAX_PACK) {
    throw new BadInputError(`agent ${agentId} says a slot holds a pack of ${pack}: expected at most ${MAX_PACK}`);
  }
}
