/**
 * The agent's session with its coordinator. One stream carries the records and the claims of the agent, and the answers
 * and the commands of the coordinator. A broken stream is reopened. If the coordinator does not accept batches, leases
 * are claimed by separate calls.
 */

import { setMaxListeners } from 'node:events';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { Backoff } from '../../lib/net/backoff.ts';
import { untilDrained } from '../../lib/net/within.ts';
import { isDiskFull, UnreachableError } from '../../proto/errors.ts';
import type {
  Ack,
  AttemptKey,
  Claim,
  Command,
  Decision,
  Heartbeat,
  Hello,
  OpenResponse,
  Record as RecordMessage,
  RecordRefused,
  ReportResponse,
  Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact, CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass } from '../../proto/names.ts';
import { CodeCache } from './code-cache.ts';
import { type CoordinatorClient, callErrorCode, RECONNECT_MAX_MS, RECONNECT_MIN_MS } from './coordinator-client.ts';
import { Gathering, PATIENT_GATHER_MS } from './gathering.ts';
import { Outbox } from './outbox.ts';
import { DISK_RETRY_MS, isReturn } from './record-writer.ts';
import { RetryingTransfers } from './retrying-transfers.ts';
import type { Spool } from './spool.ts';
import { type ReportStream, StreamMessages } from './stream-messages.ts';

const OPEN_TIMEOUT_MS = 10_000;
const BATCH = 256;

export interface SessionEvents {
  onWelcome(welcome: Welcome): void;
  /** Called when the coordinator no longer accepts records of an attempt. */
  onDismissed(refused: RecordRefused): void;
  /** Called when a rule has stopped the trial of an attempt. The attempt can still send its log and its artifacts. */
  onStopped(refused: RecordRefused): void;
  onSpoolShrunk(): void;
  /**
   * Called when a drain of the agent starts or ends. Running attempts may finish within the grace period.
   * @param graceMs the grace period; undefined when the drain has ended
   */
  onDrain(graceMs: number | undefined): void;
  /** Called when the coordinator has moved the agent's slots to other pools. */
  onPools(pools: readonly string[]): void;
  /** Called when the coordinator asks the agent to return attempts that it has not started. */
  onReturnOrder(keys: readonly AttemptKey[]): void;
  /** Called when the coordinator permanently rejects this agent. */
  onRejected(message: string): void;
}

export class CoordinatorSession {
  readonly #client: CoordinatorClient;
  readonly #hello: Omit<Hello, 'leaderEpoch' | 'acceptsBatches'>;
  readonly #spool: Spool;
  readonly #events: SessionEvents;
  readonly #log: Logger;
  readonly #transfers: RetryingTransfers;
  readonly #code: CodeCache;
  #stream: ReportStream | undefined;
  #messages: StreamMessages | undefined;
  /** Is aborted when the stream is lost. */
  #lost: AbortSignal | undefined;
  /**
   * The id, in the spool, of the newest record that was sent on this stream. Undefined until the coordinator has sent
   * its welcome.
   */
  #sentUpTo: number | undefined;
  #outbox: Outbox | undefined;
  /** Whether the coordinator of this stream accepts the outcome RETURNED. */
  #acceptsReturns = false;
  #sending = false;
  /** The acknowledged records that are still in the spool: the highest acknowledged number of each attempt, by key. */
  #acks = new Map<string, { readonly key: AttemptKey; readonly seq: number }>();
  readonly #deletions = new Gathering(() => this.#deleteAcknowledged());
  /** The cluster and the leader epoch of the newest accepted welcome. */
  #leader = { cluster: '', epoch: 0 };
  readonly #backoff: Backoff;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param dir the agent's folder */
  constructor(
    client: CoordinatorClient,
    dir: string,
    hello: Omit<Hello, 'leaderEpoch' | 'acceptsBatches'>,
    spool: Spool,
    events: SessionEvents,
    log: Logger,
  ) {
    this.#client = client;
    this.#backoff = new Backoff(RECONNECT_MIN_MS, client.reconnectMaxMs ?? RECONNECT_MAX_MS);
    this.#hello = hello;
    this.#spool = spool;
    this.#events = events;
    this.#log = log;
    this.#transfers = new RetryingTransfers(client, dir, hello.agentId, log);
    this.#code = new CodeCache({ client, dir, log });
    this.#connect();
  }

  /** Whether the stream is open and the coordinator has accepted the agent. */
  get isWelcome(): boolean {
    return this.#stream !== undefined && this.#sentUpTo !== undefined;
  }

  /**
   * Sends the spooled records that have not been sent on this stream. If the stream is not open, sends the
   * records when the stream opens.
   */
  wake(): void {
    if (this.#sending) return;
    this.#send().catch((error) => this.#log.error({ err: error }, 'could not read the spool'));
  }

  /** Sends the gathered records of the stream now. */
  flush(): void {
    this.#messages?.flush();
  }

  /** Sends a heartbeat if the coordinator has accepted the agent on this stream; otherwise does nothing. */
  sendHeartbeat(heartbeat: Heartbeat): void {
    if (this.isWelcome) this.#stream?.write({ message: { $case: 'heartbeat', heartbeat } });
  }

  /**
   * Claims leases, and returns the coordinator's decisions. Repeating the same claims is safe.
   * @throws {ServiceError | UnreachableError} if the coordinator cannot be reached, or no longer leads
   */
  open(claims: Claim[]): Promise<Decision[]> {
    const { agentId, incarnation } = this.#hello;
    return new Promise((resolve, reject) => {
      const onAnswer = (error: Error | null, response: OpenResponse) => {
        if (error !== null) reject(error);
        else if (this.#isOutdated(response.leaderEpoch))
          reject(new UnreachableError('the coordinator no longer leads'));
        else resolve(response.decisions);
      };
      const stream = this.#messages?.batches === true ? this.#messages : undefined;
      this.#client.open({ agentId, incarnation, claims }, OPEN_TIMEOUT_MS, onAnswer, stream);
    });
  }

  /** Downloads the checkpoint that an attempt resumes from. See RetryingTransfers.downloadCheckpoint. */
  fetchCheckpoint(key: AttemptKey, checkpoint: Artifact, isWanted: () => boolean): Promise<boolean> {
    return this.#transfers.downloadCheckpoint(key, checkpoint, () => isWanted() && !this.#closed);
  }

  /** Stores the code of an attempt at `path`. See CodeCache.provide. */
  fetchCode(archive: CodeArchive, path: string, isWanted: () => boolean): Promise<void> {
    return this.#code.provide(archive, path, () => isWanted() && !this.#closed);
  }

  /**
   * Reconnects with the agent's renewed certificate. The new stream continues with the first record that has not been
   * acknowledged.
   */
  renew(): void {
    this.#client.renew();
    this.#stream?.cancel();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#stream?.cancel();
    this.#client.close();
  }

  #connect(): void {
    const stream = this.#client.report();
    this.#stream = stream;
    this.#sentUpTo = undefined;
    const lost = new AbortController();
    // Each running upload adds a listener, so the number of listeners has no fixed limit.
    setMaxListeners(0, lost.signal);
    this.#lost = lost.signal;
    const messages = new StreamMessages(stream);
    this.#messages = messages;
    const outbox = new Outbox(messages, {
      upload: (record) => this.#upload(record, lost.signal),
      onError: (error) => {
        this.#log.error({ err: error }, 'could not send an artifact; reconnecting to the coordinator');
        stream.cancel();
      },
    });
    this.#outbox = outbox;
    const ended = () => {
      if (lost.signal.aborted) return;
      outbox.close();
      messages.close();
      lost.abort();
      this.#onStreamLost(stream);
    };
    stream.on('data', (response: ReportResponse) => this.#onResponse(response));
    stream.on('error', (error) => {
      this.#onStreamError(error);
      ended();
    });
    stream.on('end', ended);
    // grpc-js usually emits no `close`, because it does not finish the sending side of a stream that ended.
    stream.on('close', ended);
    const hello = { ...this.#hello, leaderEpoch: this.#leader.epoch, acceptsBatches: true };
    stream.write({ message: { $case: 'hello', hello } });
  }

  /** Whether a leader with a higher epoch is known. The epoch is 0 if no other coordinator can use the store. */
  #isOutdated(leaderEpoch: number): boolean {
    return leaderEpoch > 0 && leaderEpoch < this.#leader.epoch;
  }

  #onWelcome(welcome: Welcome): void {
    const { cluster, leaderEpoch } = welcome;
    if (cluster === this.#leader.cluster && this.#isOutdated(leaderEpoch)) {
      this.#log.warn({ leaderEpoch, newest: this.#leader.epoch }, 'ignored a coordinator that no longer leads');
      this.#client.leave();
      this.#stream?.cancel();
      return;
    }
    this.#leader = { cluster, epoch: leaderEpoch };
    this.#backoff.reset();
    if (this.#messages !== undefined) {
      this.#messages.batches = welcome.acceptsBatches;
      this.#messages.gatherMs = welcome.gatherMs;
    }
    this.#acceptsReturns = welcome.acceptsReturns;
    this.#events.onWelcome(welcome);
    this.#sentUpTo = 0;
    this.wake();
  }

  #onResponse({ message }: ReportResponse): void {
    // Until a welcome is accepted, other messages are ignored. They come from a coordinator that no longer leads.
    if (message?.$case !== 'welcome' && this.#sentUpTo === undefined) return;
    switch (message?.$case) {
      case 'welcome':
        this.#onWelcome(message.welcome);
        break;
      case 'ack':
        this.#onAcknowledged(message.ack);
        break;
      case 'batch':
        if (this.#messages !== undefined) this.#messages.gatherMs = message.batch.gatherMs;
        for (const ack of message.batch.acks) this.#onAcknowledged(ack);
        for (const answer of message.batch.claimAnswers) this.#messages?.answered(answer);
        break;
      case 'refused':
        if (message.refused.code === RefusalCode.STOPPED) this.#events.onStopped(message.refused);
        else this.#onDismissed(message.refused);
        break;
      case 'command':
        this.#onCommand(message.command);
        break;
    }
  }

  #onStreamError(error: Error): void {
    if (this.#closed) return;
    const code = callErrorCode(error);
    if (code === status.ABORTED && 'details' in error) {
      this.#log.warn({ reason: error.details }, 'the coordinator does not accept this agent yet; retrying');
      return;
    }
    this.#log.warn({ err: error }, 'lost the stream to the coordinator');
    const isFinal = code === status.INVALID_ARGUMENT || code === status.PERMISSION_DENIED;
    // UNAUTHENTICATED is final even on an open stream: the coordinator closes the stream when the agent's identity is
    // revoked.
    const isRejected = code === status.UNAUTHENTICATED || (isFinal && this.#sentUpTo === undefined);
    if (isRejected && 'details' in error) this.#events.onRejected(`${error.details}`);
  }

  #onStreamLost(stream: ReportStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    if (this.#closed) return;
    this.#retryTimer = setTimeout(() => this.#connect(), this.#backoff.next());
  }

  /**
   * Uploads the file of an artifact's record. Returns the record to send: the given record, or a log record if the file
   * cannot be stored. Returns undefined if no records of the attempt may be sent on this stream.
   */
  async #upload(record: RecordMessage, signal: AbortSignal): Promise<RecordMessage | undefined> {
    const outcome = await this.#transfers.upload(record, signal);
    if (outcome.kind === 'refused') this.#onDismissed({ key: record.key, ...outcome.refusal });
    if (outcome.kind === 'skipped') return skippedArtifact(record, outcome.reason);
    return outcome.kind === 'stored' ? record : undefined;
  }

  #onCommand({ kind }: Command): void {
    if (kind?.$case === 'drain') this.#events.onDrain(kind.drain.graceMs);
    if (kind?.$case === 'undrain') this.#events.onDrain(undefined);
    if (kind?.$case === 'returnAttempts') this.#events.onReturnOrder(kind.returnAttempts.keys);
    if (kind?.$case === 'pools') this.#events.onPools(kind.pools.pools);
  }

  #onDismissed(refused: RecordRefused): void {
    try {
      if (refused.key !== undefined) this.#spool.discard(refused.key);
    } catch (error) {
      // While the disk is full, the records stay in the spool, and the coordinator rejects them again after a
      // reconnect.
      if (!isDiskFull(error)) throw error;
    }
    this.#events.onDismissed(refused);
    this.#events.onSpoolShrunk();
  }

  /** Sends all spooled records that have not been sent on this stream, as fast as the stream accepts them. */
  async #send(): Promise<void> {
    this.#sending = true;
    try {
      for (;;) {
        const stream = this.#stream;
        if (stream === undefined || this.#sentUpTo === undefined) return;
        const batch = this.#spool.after(this.#sentUpTo, BATCH);
        if (batch.length === 0) return;
        for (const { id, record } of batch) {
          this.#sentUpTo = id;
          this.#outbox?.add(this.#acceptsReturns ? record : withoutReturn(record));
        }
        if (stream.writableNeedDrain) await untilDrained(stream, this.#lost);
      }
    } finally {
      this.#sending = false;
    }
  }

  #onAcknowledged({ key, seq }: Ack): void {
    if (key === undefined) return;
    // While the disk is full, the deletion is repeated at intervals, and the map is not empty.
    if (this.#acks.size === 0) this.#deletions.schedule(PATIENT_GATHER_MS);
    const name = keyText(key);
    this.#acks.set(name, { key, seq: Math.max(seq, this.#acks.get(name)?.seq ?? 0) });
  }

  /**
   * Deletes the acknowledged records from the spool, and retries while the disk is full. A record that could not be
   * deleted is sent again after a restart, which is harmless.
   */
  #deleteAcknowledged(): void {
    if (this.#closed) return;
    try {
      this.#spool.acknowledge([...this.#acks.values()]);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      setTimeout(() => this.#deleteAcknowledged(), DISK_RETRY_MS).unref();
      return;
    }
    this.#acks.clear();
    this.#events.onSpoolShrunk();
  }
}

/**
 * Converts a record for a coordinator that does not accept the outcome RETURNED. A record with this outcome is replaced
 * by a record that ends the attempt as drained. Both outcomes make the trial pending, and do not use its retry budget.
 * All other records are returned unchanged.
 */
function withoutReturn(record: RecordMessage): RecordMessage {
  if (!isReturn(record)) return record;
  const failure = { class: failureClass.to('drained'), message: 'the agent did not start the attempt' };
  return { ...record, body: { $case: 'ended', ended: { outcome: 'ATTEMPT_OUTCOME_FAILED', failure } } };
}

/**
 * Returns a log record that replaces the record of a skipped artifact. Both records have the same number, because the
 * coordinator expects numbers without gaps.
 */
function skippedArtifact(record: RecordMessage, reason: string): RecordMessage {
  const name = record.body?.$case === 'artifact' ? record.body.artifact.name : '';
  return { ...record, body: { $case: 'log', log: { text: `[trawl] artifact ${name} was not stored: ${reason}\n` } } };
}
