/**
 * Implements the AttemptService. The service grants leases, and exchanges records, acknowledgements and commands with
 * each agent on one stream.
 */
import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { toWire } from '../../lib/domain/parameters.ts';
import { parseAddress } from '../../lib/net/address.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { BadInputError, InUseError, OverloadedError, RejectedError, UnreachableError } from '../../proto/errors.ts';
import type {
  AttemptServiceServer,
  Claim,
  ClaimRequest,
  Decision,
  Drain,
  Grant,
  Heartbeat,
  Hello,
  OpenRequest,
  OpenResponse,
  Record as RecordMessage,
  ReportRequest,
  RequestBatch,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { labelProblem, MAX_CLAIMS, MAX_PACK, MAX_SLOTS } from '../../proto/limits.ts';
import { artifactKind } from '../../proto/names.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import { agentIdProblem } from '../../proto/subjects.ts';
import type { Runtime } from '../app/runtime.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import { certificateExpiry, type Guard } from '../auth/guard.ts';
import { type AgentHello, onHeartbeat, onHello } from '../core/agents.ts';
import {
  type AttemptRecord,
  isLeasedToAnother,
  onRecord,
  type RecordAnswer,
  rejectionOf,
} from '../core/attempt-records.ts';
import { type GrantedAttempt, onOpen } from '../core/attempts.ts';
import { remainingGraceMs } from '../core/drain.ts';
import { idConflict } from '../core/id-conflict.ts';
import { onDisconnect } from '../core/past-agents.ts';
import type { SweepPolicy } from '../core/policy.ts';
import { PoolBudget } from '../core/pool-budget.ts';
import { poolsOf } from '../core/pools.ts';
import { combine, type Refusal, type Step } from '../core/step.ts';
import type { CoordinatorMetrics } from '../metrics/families.ts';
import { AgentSession, AgentSessions, type AgentStream } from './agent-sessions.ts';
import { statusOf, unaryHandler } from './handlers.ts';
import { MAX_GPUS, MAX_LABEL, MAX_TRAINERS, MAX_UNSETTLED_RECORDS } from './limits.ts';
import { attemptKeyOf, heartbeatOf, recordOf } from './records.ts';

type OpenCall = ServerUnaryCall<OpenRequest, OpenResponse>;

export interface AttemptServiceOptions {
  readonly runtime: Runtime;
  readonly files: Pick<ArtifactStore, 'has' | 'isMissing'>;
  readonly cluster: string;
  readonly heartbeatMs: number;
  readonly metrics: Pick<CoordinatorMetrics, 'supersededReports'>;
  readonly guard: Guard;
  readonly log: Logger;
  /**
   * This coordinator's leader epoch. Each new leader has a higher epoch. Default: 0, for a store that only one
   * coordinator can use.
   */
  readonly leaderEpoch?: number;
  /** Called when an agent knows of a leader with a higher epoch. */
  readonly onNewerLeader?: () => void;
}

export class AttemptService {
  readonly #options: AttemptServiceOptions;
  readonly #sessions = new AgentSessions();
  readonly #pools = new PoolBudget();

  constructor(options: AttemptServiceOptions) {
    this.#options = options;
  }

  get #leaderEpoch(): number {
    return this.#options.leaderEpoch ?? 0;
  }

  get implementation(): AttemptServiceServer {
    const { log } = this.#options;
    return {
      open: unaryHandler(log, (request, call) => this.#open(request, call)),
      report: (call) => this.#report(call),
    };
  }

  /** Notifies an agent that it lost an attempt. An agent without a session is notified when it sends a record. */
  revoke(agentId: string, key: AttemptKey, refusal: Refusal): void {
    this.#sessions.of(agentId)?.refuse(key, refusal);
  }

  /**
   * Asks an agent to return attempts that it has not started. The request is repeated if the agent does not answer.
   */
  sendReturn(agentId: string, keys: readonly AttemptKey[]): void {
    const returnAttempts = { keys: [...keys] };
    this.#sessions.of(agentId)?.command({ $case: 'returnAttempts', returnAttempts });
  }

  /** Notifies an agent that it is drained or undrained. An agent without a session is notified when it connects. */
  sendDrain(agentId: string): void {
    const drain = this.#drainOf(agentId);
    this.#sessions.of(agentId)?.command(drain ? { $case: 'drain', drain } : { $case: 'undrain', undrain: {} });
  }

  /** Notifies an agent that its slots moved to other pools. An agent without a session is notified when it connects. */
  sendPools(agentId: string): void {
    const pools = [...(this.#options.runtime.core.agents.get(agentId)?.pools ?? [])];
    this.#sessions.of(agentId)?.command({ $case: 'pools', pools: { pools } });
  }

  #drainOf(agentId: string): Drain | undefined {
    const graceMs = remainingGraceMs(this.#options.runtime.core, agentId, this.#options.runtime.now());
    return graceMs === undefined ? undefined : { graceMs };
  }

  async #open(request: OpenRequest, call: OpenCall): Promise<OpenResponse> {
    this.#options.guard.agentOf(call, request.agentId);
    const decisions = await this.#decide(request);
    return { decisions, leaderEpoch: this.#leaderEpoch };
  }

  /**
   * Decides claims. Resolves once the granted leases are durable.
   * @throws {BadInputError} if there are too many claims, or a claim is invalid
   */
  async #decide({ agentId, incarnation, claims: requested }: OpenRequest): Promise<Decision[]> {
    const { runtime } = this.#options;
    checkClaims(requested);
    // All claims are validated before the first decision. Otherwise, an invalid claim could end the call before the
    // changes of earlier decisions are stored.
    const claims = requested.map(({ key, slot, pack }) => {
      return {
        key: attemptKeyOf(key),
        agentId,
        incarnation,
        slot,
        ...(pack > 0 ? { pack: Math.min(pack, MAX_PACK) } : {}),
      };
    });
    const opened = claims.map((claim) => ({ ...onOpen(runtime.core, claim, runtime.now()), key: claim.key }));
    // The next offers are decided before the granted leases are durable, so that one transaction stores both.
    runtime.reschedule();
    await runtime.settle(combine(opened.map(({ step }) => step)));
    return opened.map(({ key, answer }): Decision => {
      if (!answer.granted) return { key, answer: { $case: 'refusal', refusal: answer.refusal }, mates: [] };
      const { policy, prefetch } = answer;
      const mates = answer.mates.map((mate) => ({ key: mate.key, grant: this.#grant(policy, prefetch, mate) }));
      return { key, answer: { $case: 'grant', grant: this.#grant(policy, prefetch, { key, ...answer }) }, mates };
    });
  }

  /** Answers a request for leases that came on a Report stream. */
  async #claims(session: AgentSession, { id, claims }: ClaimRequest): Promise<void> {
    const { agentId, incarnation } = session.hello;
    session.answerClaims({ id, decisions: await this.#decide({ agentId, incarnation, claims }) });
  }

  #grant(policy: SweepPolicy, prefetch: number, { key, trial, checkpoint }: GrantedAttempt): Grant {
    const { files, log } = this.#options;
    const { trainer, checkpointEvery, reconstructEvery, command, program } = policy;
    const whole =
      checkpoint !== undefined && !files.isMissing({ ...key, attempt: checkpoint.attempt }, checkpoint.name)
        ? checkpoint
        : undefined;
    const parent = trial.parent ?? '';
    if (checkpoint !== undefined && whole === undefined) {
      const effect = parent === '' ? 'starts from the beginning' : 'fails, because a child must have a checkpoint';
      log.warn({ ...key, name: checkpoint.name }, `the file of a checkpoint is missing: the attempt ${effect}`);
    }
    return {
      trainer,
      parameters: toWire(trial.parameters),
      seed: trial.seed,
      checkpointEvery,
      reconstructEvery,
      command: [...command],
      program,
      parent,
      prefetch,
      resume: whole && { ...whole, kind: artifactKind.to(whole.kind), atMs: 0 },
    };
  }

  #report(call: AgentStream): void {
    const { log } = this.#options;
    let session: AgentSession | undefined;
    let unsettled = 0;
    let failed = false;
    const counted = async (count: number, handle: () => Promise<void>) => {
      unsettled += count;
      if (unsettled >= MAX_UNSETTLED_RECORDS) call.pause();
      await handle();
      unsettled -= count;
      if (unsettled < MAX_UNSETTLED_RECORDS / 2 && call.isPaused()) call.resume();
    };
    const fail = (error: unknown) => void call.emit('error', statusOf(error, log));
    const take = (session: AgentSession, records: readonly RecordMessage[]) => {
      counted(records.length, () => this.#records(session, records, fail)).catch(fail);
    };
    call.on('data', (request: ReportRequest) => {
      if (failed) return;
      try {
        const message = request.message;
        if (session === undefined) {
          if (message?.$case !== 'hello') {
            throw new BadInputError('the first message of a Report stream must be a hello');
          }
          session = this.#hello(call, message.hello);
        } else if (message?.$case === 'batch') {
          const { records, claimRequests } = message.batch;
          checkBatch(message.batch);
          const current = session;
          if (records.length > 0) take(current, records);
          // A record can end the stream, for example because earlier records are missing.
          if (failed) return;
          for (const request of claimRequests) {
            counted(Math.max(1, request.claims.length), () => this.#claims(current, request)).catch(fail);
          }
        } else if (message?.$case === 'record') take(session, [message.record]);
        else if (message?.$case === 'heartbeat') this.#heartbeat(call, session, message.heartbeat);
        else {
          throw new BadInputError(
            'the hello of a Report stream must be followed only by records, batches and heartbeats',
          );
        }
      } catch (error) {
        fail(error);
      }
    });
    call.on('error', () => {
      failed = true;
    });
    call.on('end', () => call.end());
    call.on('close', () => {
      if (session !== undefined) this.#ended(session);
    });
  }

  #ended(session: AgentSession): void {
    const { runtime, log } = this.#options;
    const { agentId, hello } = session;
    if (this.#sessions.remove(session)) {
      log.info({ agentId }, 'the stream of an agent ended');
      const successor = this.#sessions.of(agentId);
      if (successor !== undefined && successor.hello.incarnation !== hello.incarnation) {
        this.#meet(successor);
        this.sendDrain(agentId);
        this.sendPools(agentId);
      } else if (successor === undefined) {
        runtime.settle(onDisconnect(runtime.core, { agentId, incarnation: hello.incarnation })).catch(() => {});
      }
    }
    runtime.reschedule();
  }

  #meet({ hello, call }: AgentSession): void {
    const { runtime } = this.#options;
    const agent = { ...agentHello(hello), certificateExpires: certificateExpiry(call) };
    // `settle` has already reported the error.
    runtime.settle(onHello(runtime.core, agent, runtime.now())).catch(() => {});
  }

  #hello(call: AgentStream, hello: Hello): AgentSession {
    const { runtime, cluster, guard, heartbeatMs, log } = this.#options;
    check(hello);
    guard.agentOf(call, hello.agentId);
    this.#requireCurrentLeader(hello);
    this.#requireFreeId(hello);
    this.#requirePoolBudget(call, hello);
    const session = new AgentSession(call, hello, this.#sessions);
    this.#sessions.add(session);
    this.#meet(session);
    const { agentId, host, slots, backend, incarnation } = hello;
    log.info({ agentId, host, slots, backend, incarnation }, 'an agent connected');
    const pools = [...(runtime.core.agents.get(agentId)?.pools ?? [])];
    call.write({
      message: {
        $case: 'welcome',
        welcome: {
          cluster,
          heartbeatMs,
          leaseDurationMs: runtime.core.leaseMs,
          drain: this.#drainOf(agentId),
          pools,
          leaderEpoch: this.#leaderEpoch,
          acceptsBatches: true,
          acceptsReturns: true,
          gatherMs: this.#sessions.gatherMs,
        },
      },
    });
    runtime.reschedule();
    return session;
  }

  /** @throws {UnreachableError} if the agent knows of a leader with a higher epoch */
  #requireCurrentLeader({ agentId, leaderEpoch }: Hello): void {
    const { onNewerLeader, log } = this.#options;
    if (this.#leaderEpoch === 0 || leaderEpoch <= this.#leaderEpoch) return;
    log.warn({ agentId, leaderEpoch }, 'an agent knows a newer leader');
    onNewerLeader?.();
    throw new UnreachableError('another coordinator leads');
  }

  /** @throws {RejectedError | InUseError} if another agent has the same id */
  #requireFreeId(hello: Hello): void {
    const { runtime, log } = this.#options;
    const { agentId, host } = hello;
    const conflict = idConflict(runtime.core, { ...hello, id: agentId }, runtime.now());
    if (conflict === undefined) {
      // The streams of a lost agent with this id are ended, because the id now belongs to the agent that sent `hello`.
      // If the lost agent still runs, its next hello is rejected.
      for (const session of this.#sessions.all(agentId)) {
        if (session.hello.instance !== hello.instance) session.end(`agent id ${agentId} now belongs to another agent`);
      }
      return;
    }
    const { kind, host: holder, freeInMs } = conflict;
    log.warn({ agentId, host, holder, freeInMs }, 'rejected an agent, because another agent has its id');
    if (kind === 'in use') {
      throw new RejectedError(
        `agent id ${agentId} is in use by the agent on host ${holder}: give each agent its own --id ` +
          '(and its own --dir, which stores the id)',
      );
    }
    throw new InUseError(
      `agent id ${agentId} belongs to the agent on host ${holder}, which is silent: the id becomes free in ${formatSpan(freeInMs)} unless that agent returns`,
    );
  }

  #heartbeat(call: AgentStream, { agentId }: AgentSession, heartbeat: Heartbeat): void {
    const { runtime, guard } = this.#options;
    if (heartbeat.agentId !== agentId) {
      throw guard.reject('other_agent', call, `agent ${agentId} cannot send heartbeats of agent ${heartbeat.agentId}`);
    }
    // `settle` has already reported the error.
    runtime.settle(onHeartbeat(runtime.core, heartbeatOf(heartbeat), runtime.now()), '', true).catch(() => {});
  }

  #requirePoolBudget(call: AgentStream, hello: Hello): void {
    const { runtime, guard } = this.#options;
    const pools = new Set(poolsOf({ ...agentHello(hello), isolated: false }));
    const excess = this.#pools.announce(hello.agentId, pools, runtime.now());
    if (excess === undefined) return;
    guard.reject('limit', call, excess);
    throw new OverloadedError(excess);
  }

  /** Handles the records of a message, whose changes are stored together. */
  async #records(
    session: AgentSession,
    messages: readonly RecordMessage[],
    onError: (error: unknown) => void,
  ): Promise<void> {
    const { runtime } = this.#options;
    const taken: TakenRecord[] = [];
    const canWait = () => taken.every(({ answer: { result } }) => result === 'accepted' || result === 'duplicate');
    // The answers are sent only when all changes so far are durable, because even a rejection can depend on an earlier
    // change.
    await runtime.settleAll(this.#take(session, messages, taken, onError), '', canWait);
    for (const record of taken) this.#answer(session, record);
  }

  /**
   * Decides about records, and adds them to `taken`. A record that ends the stream, for example because it is invalid, is
   * not taken, and neither are the records after it.
   */
  *#take(
    session: AgentSession,
    messages: readonly RecordMessage[],
    taken: TakenRecord[],
    onError: (error: unknown) => void,
  ): Generator<Step, void, undefined> {
    const { runtime, files } = this.#options;
    try {
      for (const message of messages) {
        const record = recordOf(message);
        const { key } = record;
        if (record.kind === 'artifact' && !files.has(key, record.artifact.name)) {
          if (rejectionOf(runtime.core, session.agentId, key) === undefined) {
            return session.end(`the file of artifact ${record.artifact.name} has not been uploaded`);
          }
        }
        const received = { agentId: session.agentId, record, isFirst: session.isFirstRecordOf(key) };
        const { step, answer } = onRecord(runtime.core, received, runtime.now());
        if (answer.result === 'gap') {
          return session.end(`records of ${keyText(key)} are missing: expected ${answer.expected}, got ${record.seq}`);
        }
        if (record.kind === 'ended' || 'refusal' in answer) {
          session.forget(key);
          runtime.reschedule();
        }
        taken.push({ record, answer });
        yield step;
      }
    } catch (error) {
      // The records before this one are still stored and answered.
      onError(error);
    }
  }

  #answer(session: AgentSession, { record, answer }: TakenRecord): void {
    const { runtime, metrics, guard, log } = this.#options;
    const { key, seq, kind } = record;
    switch (answer.result) {
      case 'accepted':
      case 'duplicate':
        session.acknowledge(key, seq, kind !== 'artifact' && kind !== 'ended');
        break;
      case 'lost':
        log.warn({ ...key, message: answer.refusal.message }, 'records of an attempt are lost');
        metrics.supersededReports.inc();
        session.refuse(key, answer.refusal);
        break;
      case 'exceeded':
        guard.reject('limit', session.call, answer.refusal.message);
        session.refuse(key, answer.refusal);
        break;
      case 'rejected':
        metrics.supersededReports.inc();
        if (isLeasedToAnother(runtime.core, session.agentId, key)) {
          guard.reject('other_attempt', session.call, answer.refusal.message);
        }
        session.refuse(key, answer.refusal);
        break;
    }
  }
}

/** A record that did not end its stream, and the decision about it. */
interface TakenRecord {
  readonly record: AttemptRecord;
  readonly answer: Exclude<RecordAnswer, { readonly result: 'gap' }>;
}

/** @throws {BadInputError} if a message has too many claims */
function checkClaims({ length }: readonly Claim[]): void {
  if (length > MAX_CLAIMS) throw new BadInputError(`too many claims: ${length} (max ${MAX_CLAIMS})`);
}

/**
 * Checks the size of a batch. The coordinator can pause reading only between messages, so the number of records and
 * requests in a single batch must not exceed MAX_UNSETTLED_RECORDS.
 * @throws {BadInputError} if a batch has too many records, requests or claims
 */
function checkBatch({ records, claimRequests }: RequestBatch): void {
  const count = records.length + claimRequests.length;
  if (count > MAX_UNSETTLED_RECORDS) {
    throw new BadInputError(`too many records and claim requests: ${count} (max ${MAX_UNSETTLED_RECORDS})`);
  }
  checkClaims(claimRequests.flatMap(({ claims }) => claims));
}

function agentHello(hello: Hello): AgentHello {
  return { ...hello, id: hello.agentId, pack: Math.max(1, hello.pack) };
}

function check(hello: Hello): void {
  const { agentId, incarnation, instance, location, protocol, slots, slotFacts, pack, metrics, labels, trainers } =
    hello;
  if (protocol !== PROTOCOL) {
    const older = protocol < PROTOCOL ? 'agent' : 'coordinator';
    throw new BadInputError(
      `agent ${agentId} (trawl ${hello.version}) uses protocol ${protocol}, but this coordinator uses ${PROTOCOL}: ` +
        `upgrade the ${older}`,
    );
  }
  const idProblem = agentIdProblem(agentId);
  if (idProblem !== undefined) throw new BadInputError(idProblem);
  const texts = [incarnation, instance, location, hello.version, hello.host, hello.backend, metrics, ...hello.gpus];
  if (hello.gpus.length > MAX_GPUS || texts.some((text) => text.length > MAX_LABEL)) {
    throw new BadInputError(
      `hello message of agent ${agentId} too large: expected at most ${MAX_GPUS} GPUs, and ${MAX_LABEL} characters per text`,
    );
  }
  if (metrics !== '') parseAddress(metrics, `the metrics address of agent ${agentId}`);
  if (incarnation === '') throw new BadInputError(`the hello of agent ${agentId} has no incarnation`);
  if (instance === '') throw new BadInputError(`the hello of agent ${agentId} has no instance`);
  if (slots < 1 || slots > MAX_SLOTS) {
    throw new BadInputError(`agent ${agentId} has ${slots} slots: expected 1 to ${MAX_SLOTS}`);
  }
  if (slotFacts.length !== slots) {
    throw new BadInputError(`agent ${agentId} has ${slots} slots, but describes ${slotFacts.length}`);
  }
  if (trainers.length > MAX_TRAINERS || trainers.some((name) => name.length > MAX_LABEL)) {
    throw new BadInputError(
      `agent ${agentId} lists ${trainers.length} trainers: expected at most ${MAX_TRAINERS}, of ${MAX_LABEL} characters each`,
    );
  }
  const problem = labelProblem(labels);
  if (problem !== undefined) throw new BadInputError(`agent ${agentId}: ${problem}`);
  if (pack > MAX_PACK) {
    throw new BadInputError(`agent ${agentId} has a pack size of ${pack}: expected at most ${MAX_PACK}`);
  }
}
