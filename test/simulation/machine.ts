/**
 * An agent's machine: its disk, and the agent's process with the real supervisor, assembled as in agent/main.ts. The
 * workers are simulated.
 */

import { pino } from 'pino';
import { AgentRuntime } from '../../agent/supervisor/agent.ts';
import { Spool } from '../../agent/supervisor/spool.ts';
import { keyText } from '../../lib/domain/attempt-key.ts';
import type { AttemptKey, Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import type { TestRandom } from '../support/random.ts';
import { type MachineFiles, transferClient } from './artifact-transfers.ts';
import type { Bug } from './bug.ts';
import { Disk } from './disk.ts';
import type { Grpc } from './grpc.ts';
import { SimulatedNats } from './nats-connection.ts';
import type { SimulatedNatsServer } from './nats-server.ts';
import type { MachineResources } from './placement.ts';
import type { SimulatedProcess } from './process.ts';
import { SimulatedWorker, type WorkerWorld } from './worker.ts';

const log = pino({ level: 'silent' });

export interface MachineOptions extends MachineResources {
  readonly id: string;
  readonly slots: number;
  readonly pack: number;
  /** The maximum duration of an artifact transfer. */
  readonly transferMs: number;
}

export interface MachineWorld extends Pick<WorkerWorld, 'plannedEnd' | 'slowness' | 'violated'> {
  readonly grpc: Grpc;
  readonly random: TestRandom;
  readonly bug: Bug;
  nats(): SimulatedNatsServer;
}

export class SimulatedMachine {
  readonly options: MachineOptions;
  readonly #world: MachineWorld;
  disk = new Disk();
  readonly files: MachineFiles = new Map();
  /** For each attempt, the sequence number of the newest record that was written to the disk. */
  readonly #spooled = new Map<string, number>();
  /** The attempts that the agent has returned, including attempts that it returned before a loss of the disk. */
  readonly #returned = new Set<string>();
  /** The attempts that a worker of this machine has run. */
  readonly #run = new Set<string>();
  #starts = 0;
  incarnation = '';
  process: SimulatedProcess | undefined;
  startedAt = 0;
  spool: Spool | undefined;
  nats: SimulatedNats | undefined;
  #agent: AgentRuntime | undefined;
  /**
   * The workers of all slots. A new worker takes the position of the first dead worker, even if the dead worker
   * belonged to another slot.
   */
  #workers: SimulatedWorker[] = [];
  #left = false;

  constructor(world: MachineWorld, options: MachineOptions) {
    this.#world = world;
    this.options = options;
  }

  /** Starts the agent. Must be called in an event of `process` (clock.ts). */
  start(process: SimulatedProcess): void {
    const { bug, grpc, random, nats: server } = this.#world;
    const { id, slots, pack, transferMs, zone, gpuSlots } = this.options;
    this.process = process;
    this.#starts += 1;
    this.incarnation = `${id}#${this.#starts}`;
    this.#workers = [];
    if (bug.losesSpool && this.#starts > 1) this.disk = new Disk();
    this.startedAt = grpc.network.clock.now;
    const spool = new WatchedSpool(this.disk.view(process), (record) => this.#onSpooled(record), this.#spooled);
    this.spool = spool;
    const coordinators = grpc.connections();
    const files = transferClient(coordinators, process, this.files, () => random.between(1, transferMs));
    const client = grpc.client(process, coordinators, files);
    this.nats = new SimulatedNats(grpc.network, process, server);
    const hasReturned = (key: AttemptKey) => this.hasReturned(key);
    const onRun = (key: AttemptKey) => this.#run.add(keyText(key));
    const world = { ...this.#world, clock: grpc.network.clock, files: this.files, pack, onRun, hasReturned };
    this.#agent = new AgentRuntime({
      dir: `/simulated/${id}`,
      server: 'coordinator',
      hello: {
        agentId: id,
        incarnation: this.incarnation,
        instance: id,
        location: '',
        protocol: PROTOCOL,
        version: '0',
        host: id,
        slots,
        gpus: [],
        metrics: '',
        labels: { zone },
        slotFacts: Array.from({ length: slots }, (_, slot) => ({ gpus: slot < gpuSlots ? 1 : 0, vramBytes: 0 })),
        trainers: ['noop', 'command'],
      },
      gpuFigures: () => [],
      onUnreadableOffer: () => {},
      onDatasetUse: () => {},
      spool: bug.spool?.(spool) ?? spool,
      nats: this.nats.connection,
      log,
      connect: () => bug.client?.(client, spool) ?? client,
      startWorker: (_slot, events) => {
        const worker = new SimulatedWorker(world, process, events);
        const dead = this.#workers.findIndex(({ alive }) => !alive);
        if (dead === -1) this.#workers.push(worker);
        else this.#workers[dead] = worker;
        return worker;
      },
    });
    this.#agent.up().catch(() => {});
  }

  /** Shuts the agent down after a grace period for running attempts. Must be called in an event of the process. */
  stop(graceMs: number): void {
    const { process } = this;
    this.#agent?.leave(graceMs).then(
      () => process?.kill(),
      () => process?.kill(),
    );
  }

  killWorker(at: number): void {
    this.#workers[at % this.options.slots]?.kill();
  }

  /** Marks the machine as permanently gone. */
  leave(): void {
    this.#left = true;
  }

  get left(): boolean {
    return this.#left;
  }

  /**
   * Returns the highest sequence number of the records of the attempt that were written to this disk. Zero if no record
   * was written, or if the records of the attempt were discarded.
   */
  spooledUpTo(key: AttemptKey): number {
    return this.#spooled.get(keyText(key)) ?? 0;
  }

  #onSpooled({ key, seq, body }: RecordMessage): void {
    if (key === undefined) return;
    const name = keyText(key);
    this.#spooled.set(name, seq);
    if (body?.$case !== 'ended') return;
    const { outcome, failure } = body.ended;
    if (outcome === 'ATTEMPT_OUTCOME_RETURNED') this.#returned.add(name);
    if (failure?.class === 'FAILURE_CLASS_CRASH' && !this.#run.has(name)) {
      this.#world.violated(`attempt ${name} ended as a crash, but no worker has run it`);
    }
  }

  /** Whether the agent has recorded the return of the attempt on its disk. */
  hasReturned(key: AttemptKey): boolean {
    return this.#returned.has(keyText(key));
  }

  /** Whether a worker of this machine has run the attempt. */
  hasRun(key: AttemptKey): boolean {
    return this.#run.has(keyText(key));
  }

  /**
   * Whether the attempt belongs to the current incarnation of the agent, or the disk still has unsent records of the
   * attempt.
   */
  isResponsibleFor(incarnation: string, key: AttemptKey): boolean {
    return incarnation === this.incarnation || this.spool?.holds(key) === true;
  }

  /** Returns the number of unsent records on the disk. */
  spooled(): number {
    return (this.disk.db.prepare('select count(*) as n from records').get() as { n: number }).n;
  }

  /** Simulates a power failure that also loses the disk. */
  losePower(): void {
    this.disk.db.close();
    this.disk = new Disk();
    this.files.clear();
    this.#spooled.clear();
  }
}

class WatchedSpool extends Spool {
  readonly #onAdded: (record: RecordMessage) => void;
  readonly #written: Map<string, number>;

  constructor(
    db: ConstructorParameters<typeof Spool>[0],
    onAdded: (record: RecordMessage) => void,
    written: Map<string, number>,
  ) {
    super(db);
    this.#onAdded = onAdded;
    this.#written = written;
  }

  override add(records: readonly RecordMessage[]): void {
    super.add(records);
    for (const record of records) this.#onAdded(record);
  }

  override discard(key: AttemptKey): void {
    super.discard(key);
    this.#written.delete(keyText(key));
  }
}
