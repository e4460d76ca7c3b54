/**
 * The coordinator's process: its real runtime, store, services, offers and rounds, assembled as in coordinator/main.ts,
 * on a simulated network and disk.
 */

import { pino } from 'pino';
import { Counter } from 'prom-client';
import { type AgentControl, agentControl } from '../../coordinator/app/agent-control.ts';
import { startRounds } from '../../coordinator/app/rounds.ts';
import { Runtime, type RuntimeOptions } from '../../coordinator/app/runtime.ts';
import { sweepControl } from '../../coordinator/app/sweep-control.ts';
import { InheritedCheckpoints, inheritedBy } from '../../coordinator/artifacts/inherited-checkpoints.ts';
import { Guard } from '../../coordinator/auth/guard.ts';
import type { Output } from '../../coordinator/core/step.ts';
import { Leader, untilElected } from '../../coordinator/leader/leader.ts';
import type { StartProcess } from '../../coordinator/search/optuna/process.ts';
import type { Commit } from '../../coordinator/store/journal.ts';
import { ensureSchema } from '../../coordinator/store/schema.ts';
import { SqliteStore } from '../../coordinator/store/sqlite-store.ts';
import type { TransactionResult } from '../../coordinator/store/write-events.ts';
import { AttemptService } from '../../coordinator/transport/attempt-service.ts';
import { Offers } from '../../coordinator/transport/offers.ts';
import type { Retried, SweepControl } from '../../coordinator/transport/sweep-service.ts';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { UnreachableError } from '../../proto/errors.ts';
import { ArtifactTransfers } from './artifact-transfers.ts';
import type { Bug } from './bug.ts';
import { SIMULATED_WINDOW } from './creation-window.ts';
import { Disk } from './disk.ts';
import type { Grpc } from './grpc.ts';
import { SimulatedNats } from './nats-connection.ts';
import type { SimulatedNatsServer } from './nats-server.ts';
import { DeadError, DiskFullError, type SimulatedProcess } from './process.ts';
import { type SharedDatabase, SharedElection, SharedStore } from './shared-database.ts';
import { StoredFiles } from './stored-files.ts';

/** The place of the coordinator, or of the first coordinator if there are several. */
export const COORDINATOR_PLACE = 'coordinator';
export const CLUSTER = 'simulated';
/** The number of heartbeats per lease, as in coordinator/main.ts. */
const HEARTBEATS_PER_LEASE = 5;
const EPOCH = Date.UTC(2026, 0, 1);

const log = pino({ level: 'silent' });
const counter = (name: string) => new Counter({ name, help: name, registers: [] });
/** Identities are not simulated, so a rejection because of an identity is an error. */
const rejections = {
  record(reason: string) {
    throw new Error(`rejected: ${reason}`);
  },
};
const guard = new Guard(undefined, rejections.record);
const metrics = {
  supersededReports: counter('superseded'),
  unreadable: new Counter({ name: 'unreadable', help: 'unreadable', registers: [], labelNames: ['via'] }),
  natsReconnects: new Counter({ name: 'reconnects', help: 'reconnects', registers: [], labelNames: ['component'] }),
};

export interface CoordinatorWorld {
  readonly grpc: Grpc;
  readonly leaseMs: number;
  readonly prefetchMs: number | undefined;
  readonly bug: Bug;
  nats(): SimulatedNatsServer;
  /** Called at each start, once the store is loaded. */
  onLoaded(runtime: Runtime): void;
  /** Called at each start, once the planted bug has changed the runtime. */
  onStarted(runtime: Runtime): void;
  /** Called before each message is sent. */
  onSend(output: Output, runtime: Runtime): void;
  onSubmitted(runtime: Runtime): void;
  /** Starts the process of a sampler. */
  readonly startSampler: StartProcess;
  /** Called for each retry request, including repeated requests. */
  onRetryAsked(requestId: string, answer: Promise<Retried>): void;
  /** Called for each durable commit, before its messages are sent. */
  onCommit(commit: Commit, runtime: Runtime): void;
  /** Called when the run reaches an event or a state that the simulation should cover. */
  onReached(what: string): void;
  /** Called when the process cannot continue. */
  onCrash(process: SimulatedProcess, error: unknown): void;
}

/** A running process of the coordinator. */
export interface CoordinatorProcess {
  readonly process: SimulatedProcess;
  readonly runtime: Runtime;
  readonly control: SweepControl;
  readonly agents: AgentControl;
  readonly nats: SimulatedNats;
  /** The epoch in which this coordinator leads; 0 if there is only one coordinator. */
  readonly epoch: number;
  readonly leader: Leader | undefined;
}

/** The coordinator's machine. The disk outlives each process of the coordinator. */
export class SimulatedCoordinator {
  readonly disk: Disk;
  readonly files: StoredFiles;
  readonly #world: CoordinatorWorld;
  readonly #place: string;
  readonly #shared: SharedDatabase | undefined;
  #starts = 0;
  /** How far the machine's clock is off, in milliseconds. A new value takes effect at the next start of the process. */
  clockOffMs = 0;
  life: CoordinatorProcess | undefined;
  #diedAt = 0;

  /** @param shared the store and the files that several coordinators share. By default, the coordinator has its own */
  constructor(
    world: CoordinatorWorld,
    place = COORDINATOR_PLACE,
    shared?: { readonly database: SharedDatabase; readonly files: StoredFiles },
  ) {
    this.#world = world;
    this.#place = place;
    this.#shared = shared?.database;
    this.disk = shared?.database.disk ?? new Disk();
    this.files = shared?.files ?? new StoredFiles();
    if (shared === undefined) ensureSchema(this.disk.db, CLUSTER, () => {});
    this.disk.torn = world.bug.tornCommits ?? false;
  }

  get process(): SimulatedProcess | undefined {
    return this.life?.process;
  }

  /** Starts the coordinator. Must be called in an event of `process` (clock.ts). */
  async start(process: SimulatedProcess): Promise<void> {
    if (this.#shared === undefined) {
      await this.#serve(process, new SqliteStore(this.disk.view(process), ''), undefined);
      return;
    }
    const { bug, grpc, onCommit, onReached } = this.#world;
    const database = this.#shared;
    const time = () => grpc.network.clock.now;
    const election = new SharedElection(database, process, grpc.network);
    this.#starts += 1;
    const holder = `${this.#place}#${this.#starts}`;
    let leaderPlace = '';
    let acts = false;
    grpc.listen(this.#place, { process, leader: () => leaderPlace });
    const elected = await untilElected({
      election,
      holder,
      address: this.#place,
      signal: new AbortController().signal,
      clock: time,
      onStandby: (leadership) => {
        leaderPlace = leadership.holder === '' ? '' : leadership.address;
        if (bug.standbyActs !== true || acts) return;
        acts = true;
        void this.#serve(process, new ForgetfulStore(this.disk.db, ''), undefined);
      },
      onProblem: () => {},
    });
    if (elected === undefined) return;
    if (elected.term.epoch > 1) onReached('a takeover');
    const onLost = () => {
      onReached('a leader that notices the end of its term');
      process.kill();
    };
    const leader = new Leader({ election, elected, address: this.#place, clock: time, onLost, log });
    leader.whenPaused(() => grpc.breakStreams((stream) => stream.coordinator === process));
    const store = await SharedStore.openFor(leader.term, database, process, {
      bug,
      onDurable: (changes) => {
        const commit = { changes: changes.map(({ change }) => change), events: [], dropped: [], seconds: 0 };
        if (runtime !== undefined) onCommit(commit, runtime);
      },
    });
    let runtime: Runtime | undefined;
    await this.#serve(process, store, leader, (opened) => {
      runtime = opened;
    });
  }

  /**
   * Stops the coordinator and gives up its leadership, so that another coordinator can lead immediately. Must be called
   * in an event of the process.
   */
  async stop(): Promise<void> {
    const { life } = this;
    await life?.runtime.stop();
    await life?.leader?.release();
    life?.process.kill();
  }

  /** @param onOpened called before the first transaction */
  async #serve(
    process: SimulatedProcess,
    store: SqliteStore,
    leader: Leader | undefined,
    onOpened: (runtime: Runtime) => void = () => {},
  ): Promise<void> {
    const {
      bug,
      grpc,
      leaseMs,
      nats: server,
      onLoaded,
      onStarted,
      onSend,
      onSubmitted,
      onRetryAsked,
      onCommit,
      onCrash,
      prefetchMs,
      startSampler,
    } = this.#world;
    const { clock } = grpc.network;
    const offMs = this.clockOffMs;
    const now = () => EPOCH + clock.now + offMs;
    process.onDeath(() => {
      this.#diedAt = clock.now;
    });
    const nats = new SimulatedNats(grpc.network, process, server);
    const options: RuntimeOptions = {
      store,
      leaseMs,
      now,
      creationWindow: SIMULATED_WINDOW,
      prefetchMs,
      samplers: {
        start: bug.sampler?.(startSampler) ?? startSampler,
        python: 'python3',
        allowsOwnCode: false,
        answerTimeoutMs: 10_000,
      },
      onBroken: (error) => onCrash(process, error),
      send: (output) => {
        onSend(output, runtime);
        if (output.kind === 'offer') void offers.publish(output);
        else if (output.kind === 'revoke') attempts.revoke(output.agentId, output.key, output.refusal);
        else if (output.kind === 'drain') attempts.sendDrain(output.agentId);
        else if (output.kind === 'return') attempts.sendReturn(output.agentId, output.keys);
        else if (output.kind === 'pools') attempts.sendPools(output.agentId);
      },
    };
    const runtime = await (bug.runtime?.(options) ?? Runtime.open(options));
    onOpened(runtime);
    onLoaded(runtime);
    if (bug.takeoverLosesLease && leader !== undefined && leader.term.epoch > 1) loseLease(runtime);
    await bug.onLoaded?.(runtime);
    onStarted(runtime);
    const offers = bug.offers?.(nats.connection, CLUSTER, log) ?? new Offers(nats.connection, CLUSTER, log, () => {});
    const counts = async (key: AttemptKey, name: string) =>
      runtime.core.leases.has(keyText(key)) || (await runtime.queries.artifacts.has(key, name));
    if (this.life !== undefined && bug.losesFilesOfMs !== undefined) {
      this.files.loseSince(this.#diedAt - bug.losesFilesOfMs);
    }
    const inherited = new InheritedCheckpoints(this.files, log);
    void inherited.add(await runtime.queries.artifacts.inherited());
    await this.files.removeOrphans(counts);
    runtime.onCommit((commit) => {
      if (leader === undefined) onCommit(commit, runtime);
      void inherited.add(inheritedBy(commit.changes));
      for (const { key, name } of commit.dropped) this.files.remove(key, name);
    });
    const heartbeatMs = Math.max(100, Math.floor(leaseMs / HEARTBEATS_PER_LEASE));
    const attempts = new AttemptService({
      runtime,
      files: this.files,
      cluster: CLUSTER,
      heartbeatMs,
      metrics,
      guard,
      log,
      leaderEpoch: leader?.term.epoch ?? 0,
      onNewerLeader: () => leader?.check(),
    });
    const service = attempts.implementation;
    grpc.listen(this.#place, {
      process,
      isCertain: () => {
        if (leader?.isCertain !== false) return true;
        this.#world.onReached('a leader that pauses');
        return false;
      },
      service: bug.service?.(service, runtime) ?? service,
      artifacts: new ArtifactTransfers(runtime, this.files, () => clock.now),
    });
    const { submit, act, killTrial, retry, apply } = sweepControl(runtime);
    const control: SweepControl = {
      act,
      apply,
      killTrial,
      retry(request, by) {
        const answer = retry(request, by);
        onRetryAsked(request.requestId, answer);
        return answer;
      },
      async submit(request) {
        try {
          return await submit(bug.request?.(request) ?? request);
        } finally {
          onSubmitted(runtime);
        }
      },
    };
    this.life = {
      ...{ process, runtime, control, agents: agentControl(runtime), nats, leader },
      epoch: leader?.term.epoch ?? 0,
    };
    const connection = bug.nats?.(nats.connection, runtime) ?? nats.connection;
    const onProblem = () => {};
    startRounds({
      runtime,
      nats: connection,
      offers,
      cluster: CLUSTER,
      metrics,
      rejections,
      isKnownAgent: () => true,
      onProblem,
      log,
    }).catch((error) => onCrash(process, error));
  }
}

export function isSimulatedFault(error: unknown): boolean {
  // An UnreachableError means that another coordinator leads or that the store does not answer.
  return error instanceof DiskFullError || error instanceof DeadError || error instanceof UnreachableError;
}

/** A planted bug: acknowledges changes that it does not store. */
class ForgetfulStore extends SqliteStore {
  override async write(): Promise<TransactionResult> {
    return { events: [], dropped: [] };
  }
}

function loseLease({ core }: Runtime): void {
  const [name] = core.leases.keys();
  if (name !== undefined) core.leases.delete(name);
}
