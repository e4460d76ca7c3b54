/** Runs one seed: starts a cluster, injects the faults, and waits in a calm phase until everything has ended. */

import type { Assignment } from '../../agent/worker/ipc.ts';
import { ensureSchema } from '../../coordinator/store/schema.ts';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { NotLeaderError } from '../../proto/errors.ts';
import { offerStream } from '../../proto/subjects.ts';
import { TestRandom } from '../support/random.ts';
import type { Bug } from './bug.ts';
import { NO_BUG } from './bugs.ts';
import { Clock } from './clock.ts';
import {
  CLUSTER,
  COORDINATOR_PLACE,
  type CoordinatorProcess,
  type CoordinatorWorld,
  isSimulatedFault,
  SimulatedCoordinator,
} from './coordinator.ts';
import { Disk } from './disk.ts';
import { injectFault } from './faults.ts';
import { Grpc, type MessageObserver } from './grpc.ts';
import { Invariants } from './invariants.ts';
import { SimulatedMachine } from './machine.ts';
import { SimulatedNatsServer } from './nats-server.ts';
import { FAULTLESS, SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';
import { simulatedSamplers } from './sampler.ts';
import type { Scenario } from './scenario.ts';
import { scenarioOf } from './scenarios.ts';
import { SharedDatabase } from './shared-database.ts';
import { SimulatedUser } from './simulated-user.ts';
import { artifactProblems, storeProblems } from './store-problems.ts';
import { StoredFiles } from './stored-files.ts';
import { installVirtualTime } from './timers.ts';
import { Trace } from './trace.ts';
import type { PlannedEnd } from './training.ts';

/** The maximum duration of a run after the last fault. It is long enough for all retries, even one after another. */
const PATIENCE_MS = 30 * 60_000;
/**
 * The maximum number of events in a run. The busiest seed has only a fraction of this number, so a run with more events
 * is in an endless loop.
 */
const MAX_EVENTS = 80_000;
const RECOVERY_MS = 10_000;
const LOOK_EVERY_MS = 500;

/** The factor by which training takes longer on a slow machine. */
const SLOWNESS = 10;

export interface SimulationOutcome {
  readonly seed: number;
  /** The violated invariant. Undefined if every invariant held. */
  readonly violation: string | undefined;
  /** The duration in virtual milliseconds. */
  readonly lasted: number;
  /** The events and states that occurred. */
  readonly reached: ReadonlySet<string>;
  /** All events, if tracing is on. */
  readonly trace: readonly string[];
}

class Simulation {
  readonly scenario: Scenario;
  readonly clock = new Clock();
  readonly trace: Trace;
  readonly network: SimulatedNetwork;
  readonly grpc: Grpc;
  readonly invariants: Invariants;
  readonly coordinators = new Map<string, SimulatedCoordinator>();
  readonly database: SharedDatabase | undefined;
  readonly machines = new Map<string, SimulatedMachine>();
  readonly user: SimulatedUser;
  readonly #random: TestRandom;
  readonly #processes = new Map<string, SimulatedProcess>();
  /** How long the process of each place stays down after its next death. */
  readonly downMs = new Map<string, number>();
  #nats: SimulatedNatsServer;
  #settled = false;

  constructor(seed: number, bug: Bug, traced: boolean) {
    this.scenario = scenarioOf(seed);
    this.#random = new TestRandom(seed ^ 0x5eed);
    this.trace = new Trace(this.clock, traced);
    this.network = new SimulatedNetwork(this.clock, new TestRandom(seed ^ 0xbabe));
    this.network.conditions = this.scenario.conditions;
    this.invariants = new Invariants(
      {
        machine: (agentId) => this.machines.get(agentId)?.options,
        now: () => this.clock.now,
        calmSince: () => (this.isCalm ? this.scenario.calmAt : undefined),
        isPresent: (agentId) => this.#isPresent(agentId),
        isThere: (agentId, incarnation, key) => this.#isThere(agentId, incarnation, key),
        spooledUpTo: (agentId, key) => this.machines.get(agentId)?.spooledUpTo(key) ?? 0,
        hasReturned: (agentId, key) => this.machines.get(agentId)?.hasReturned(key) === true,
        hasRun: (agentId, key) => this.machines.get(agentId)?.hasRun(key) === true,
        isMemoryAhead: this.scenario.coordinators.length > 1,
      },
      this.scenario.machines,
    );
    const observer: MessageObserver = {
      received: (agent, response) => {
        this.trace.note(() => `${agent.name} receives ${JSON.stringify(response.message)}`);
        this.invariants.received(response);
      },
      decided: (agent, request, response) => {
        this.trace.note(() => `${agent.name} receives decisions ${JSON.stringify(response.decisions)}`);
        this.invariants.decided(request, response);
      },
    };
    this.grpc = new Grpc(this.network, observer, this.scenario.coordinators);
    this.#nats = new SimulatedNatsServer(new SimulatedProcess('nats'), this.network);
    const world: CoordinatorWorld = {
      grpc: this.grpc,
      leaseMs: this.scenario.leaseMs,
      prefetchMs: this.scenario.prefetchMs,
      bug,
      nats: () => this.#nats,
      startSampler: simulatedSamplers(new TestRandom(seed ^ 0x0b7a), (what) => this.invariants.reached.add(what)),
      onLoaded: (runtime) => {
        this.invariants.loaded(runtime);
        for (const problem of artifactProblems(this.coordinator.disk.db, this.coordinator.files))
          this.invariants.violated(problem);
      },
      onStarted: (runtime) => this.invariants.started(runtime),
      onSend: (output, runtime) => this.invariants.sending(output, runtime),
      onSubmitted: (runtime) => this.invariants.submitted(runtime),
      onRetryAsked: (requestId, answer) => this.invariants.retryAsked(requestId, answer),
      onCommit: (commit, runtime) => {
        this.trace.note(() => `durable: ${commit.changes.map((change) => JSON.stringify(change)).join(' ')}`);
        this.invariants.committed(commit, runtime);
      },
      onReached: (what) => this.invariants.reached.add(what),
      onCrash: (process, error) => {
        if (error instanceof NotLeaderError) this.invariants.reached.add('a rejected write of an earlier leader');
        this.crash(process, error);
      },
    };
    if (this.scenario.coordinators.length === 1) {
      this.coordinators.set(COORDINATOR_PLACE, new SimulatedCoordinator(world));
    } else {
      const disk = new Disk();
      ensureSchema(disk.db, CLUSTER, () => {});
      this.database = new SharedDatabase(disk, this.network);
      const shared = { database: this.database, files: new StoredFiles() };
      for (const place of this.scenario.coordinators) {
        this.coordinators.set(place, new SimulatedCoordinator(world, place, shared));
      }
    }
    for (const options of this.scenario.machines) {
      const world = {
        grpc: this.grpc,
        random: new TestRandom(seed ^ (0xa9e27 + this.machines.size)),
        bug,
        nats: () => this.#nats,
        plannedEnd: (assignment: Assignment) => this.#plannedEnd(assignment, options.id),
        slowness: ({ parameters }: Assignment) =>
          options.id === this.scenario.slowMachine && parameters.contest === undefined ? SLOWNESS : 1,
        violated: (invariant: string) => this.invariants.violated(invariant),
      };
      this.machines.set(options.id, new SimulatedMachine(world, options));
    }
    this.user = new SimulatedUser(this.network, this, (requestId, trials) => {
      this.trace.note(() => `${requestId} is acknowledged for ${trials} trials`);
      this.invariants.retried(requestId, trials);
    });
  }

  get isCalm(): boolean {
    return this.clock.now >= this.scenario.calmAt;
  }

  async run(): Promise<string | undefined> {
    const { calmAt, faults } = this.scenario;
    for (const [place, coordinator] of this.coordinators) {
      this.#keep(place, (process) => {
        coordinator.start(process).catch((error) => this.crash(process, error));
      });
    }
    for (const [id, machine] of this.machines) this.#keep(id, (process) => machine.start(process));
    this.#keepNats();
    this.user.carryOut(this.scenario);
    for (const fault of faults) {
      this.clock.after(fault.at, undefined, () => {
        this.trace.note(() => `fault: ${JSON.stringify(fault)}`);
        this.invariants.reached.add(fault.kind);
        injectFault(fault, this);
      });
    }
    this.clock.after(calmAt, undefined, () => this.#calm());
    await this.clock.run(
      () => this.invariants.violation !== undefined || this.#settled || this.#takesTooLong,
      (error, process) => this.crash(process, error),
    );
    if (this.invariants.violation === undefined && !this.#settled)
      this.invariants.violated(`unfinished: ${this.#left()}`);
    if (this.invariants.violation === undefined) this.#checkStore();
    return this.invariants.violation;
  }

  get #takesTooLong(): boolean {
    return this.clock.now > this.scenario.calmAt + PATIENCE_MS || this.clock.made > MAX_EVENTS;
  }

  /** The live coordinator with the highest leader epoch, or the first coordinator of the scenario if none is alive. */
  get coordinator(): SimulatedCoordinator {
    const all = [...this.coordinators.values()];
    const epochOf = ({ life }: SimulatedCoordinator) => (life?.process.alive === true ? life.epoch : -1);
    const [leader] = all.toSorted((a, b) => epochOf(b) - epochOf(a));
    if (leader === undefined) throw new Error('the scenario has no coordinator');
    return leader;
  }

  get disk(): Disk {
    return this.coordinator.disk;
  }

  get life(): CoordinatorProcess | undefined {
    return this.coordinator.life;
  }

  process(place: string): SimulatedProcess | undefined {
    return this.#processes.get(place);
  }

  get nats(): SimulatedNatsServer {
    return this.#nats;
  }

  /** Kills a process because of an error. An error that is not a simulated fault violates an invariant. */
  crash(process: SimulatedProcess | undefined, error: unknown): void {
    if (process?.alive === false) return;
    const details = error instanceof Error ? (error.stack ?? error.message) : `${error}`;
    if (process === undefined || !isSimulatedFault(error))
      this.invariants.violated(`${process?.name ?? 'the simulation'} died: ${details}`);
    process?.kill();
  }

  /** Starts the process of a place, and restarts it after each death. */
  #keep(place: string, start: (process: SimulatedProcess) => void): void {
    const process = new SimulatedProcess(place);
    this.#processes.set(place, process);
    process.onDeath(() => {
      this.trace.note(() => `${place} dies`);
      const down = this.downMs.get(place) ?? this.#random.between(100, 2_000);
      this.downMs.delete(place);
      if (Number.isFinite(down)) this.clock.after(down, undefined, () => this.#keep(place, start));
    });
    this.clock.after(this.#random.between(50, 500), process, () => {
      this.trace.note(() => `${place} starts`);
      const server = this.#nats.process;
      if (!server.alive || this.network.isCut(place, server.name)) return process.kill();
      start(process);
    });
  }

  #keepNats(): void {
    const process = new SimulatedProcess('nats');
    this.#processes.set('nats', process);
    this.#nats = new SimulatedNatsServer(process, this.network);
    for (const { nats } of this.machines.values()) nats?.reconnected();
    for (const { life } of this.coordinators.values()) life?.nats.reconnected();
    process.onDeath(() => {
      this.trace.note(() => 'nats dies');
      const down = this.downMs.get('nats') ?? 500;
      this.downMs.delete('nats');
      this.clock.after(down, undefined, () => this.#keepNats());
    });
  }

  /** Ends the faults: repairs the network and the disks. */
  #calm(): void {
    this.trace.note(() => 'the faults are over');
    this.network.conditions = FAULTLESS;
    this.network.repairAll();
    for (const process of this.#processes.values()) process.deathPoint = undefined;
    for (const disk of [this.coordinator.disk, ...[...this.machines.values()].map(({ disk }) => disk)])
      disk.full = false;
    const look = () => {
      this.#settled = this.#left() === '';
      this.clock.after(LOOK_EVERY_MS, undefined, look);
    };
    look();
  }

  /** Describes the unfinished work. Returns an empty string if no work is unfinished. */
  #left(): string {
    const missing = this.scenario.sweeps.length - this.user.submitted.size;
    const left = [
      missing > 0 && `${missing} sweeps are not submitted`,
      ...this.invariants.unfinished().map((id) => `sweep ${id} is unfinished`),
      ...[...this.machines.values()].map((machine) => {
        if (machine.left) return false;
        const { id } = machine.options;
        const pools = this.coordinator.life?.runtime.core.agents.get(id)?.pools ?? [];
        for (const pool of new Set(pools)) {
          const slots = pools.filter((one) => one === pool).length;
          const free = this.#nats.waiting(id, offerStream(CLUSTER, pool));
          if (free < slots) return `${free} of ${slots} slots of ${id} wait for an offer of pool ${pool}`;
        }
        if (pools.length === 0) return `${id} is unknown`;
        const records = machine.spooled();
        return records > 0 && `${records} records are unsent on ${id}`;
      }),
    ];
    return left.filter((what) => typeof what === 'string').join(', ');
  }

  #isThere(agentId: string, incarnation: string, key: AttemptKey): boolean {
    const machine = this.machines.get(agentId);
    return machine?.isResponsibleFor(incarnation, key) === true && this.#isPresent(agentId);
  }

  #isPresent(agentId: string): boolean {
    const machine = this.machines.get(agentId);
    if (machine?.process?.alive !== true) return false;
    const since = Math.max(this.scenario.calmAt, machine.startedAt);
    return this.clock.now - since > this.scenario.leaseMs + RECOVERY_MS;
  }

  close(): void {
    this.coordinator.disk.db.close();
    for (const { disk } of this.machines.values()) disk.db.close();
  }

  #checkStore(): void {
    const { db } = this.coordinator.disk;
    for (const problem of storeProblems(db, this.coordinator.files)) this.invariants.violated(problem);
    const stored = db.prepare('select cast(id as text) as id, state from sweeps').all() as {
      id: string;
      state: string;
    }[];
    if (stored.length !== this.scenario.sweeps.length) this.invariants.violated(`${stored.length} sweeps are stored`);
    for (const id of this.user.submitted.values()) {
      if (!stored.some((sweep) => sweep.id === id))
        this.invariants.violated(`sweep ${id} was acknowledged, but is not stored`);
    }
    const rows = db.prepare('select request_id as id, count(*) as n from retries group by request_id').all();
    const durable = new Map((rows as { id: string; n: number }[]).map(({ id, n }) => [id, n]));
    for (const [requestId, trials = 0] of this.user.retried) {
      if (trials > 0 && durable.get(requestId) !== trials)
        this.invariants.violated(
          `${requestId} was acknowledged for ${trials} trials; ${durable.get(requestId)} are stored`,
        );
    }
    for (const { sweepId, trialId } of this.user.killed) {
      this.invariants.reached.add('a killed trial');
      const { state } = db.prepare('select state from trials where sweep_id = ? and id = ?').get(sweepId, trialId) as {
        state: string;
      };
      if (state !== 'cancelled' && !this.invariants.revivedTrials.has(`${sweepId}/${trialId}`))
        this.invariants.violated(`trial ${sweepId}/${trialId} was killed and is ${state}`);
    }
    for (const { sweepId, verb } of this.user.acknowledged) {
      const state = stored.find((sweep) => sweep.id === sweepId)?.state;
      if (verb === 'KILL' && state !== 'killed' && !this.invariants.revived.has(sweepId))
        this.invariants.violated(`sweep ${sweepId} was killed and is ${state}`);
    }
  }

  #plannedEnd({ parameters }: Assignment, agentId: string): PlannedEnd {
    if (parameters.contest !== undefined) return { kind: 'well' };
    if (agentId === this.scenario.faultyMachine) return { kind: 'crash', atEpoch: 1 };
    const atEpoch = Math.floor(this.#random.between(1, 4));
    let chance = this.#random.next();
    for (const [kind, share] of Object.entries(this.scenario.endProbabilities) as [
      Exclude<PlannedEnd['kind'], 'well'>,
      number,
    ][]) {
      chance -= share;
      if (chance < 0) return { kind, atEpoch };
    }
    return { kind: 'well' };
  }
}

/**
 * Runs a seed and returns its outcome.
 * @param traced whether to record all events
 */
export async function simulate(seed: number, bug: Bug = NO_BUG, traced = false): Promise<SimulationOutcome> {
  const simulation = new Simulation(seed, bug, traced);
  const restoreTime = installVirtualTime(simulation.clock);
  const rejected = (error: unknown) => simulation.crash(simulation.clock.running, error);
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', rejected);
  try {
    const violation = await simulation.run();
    const { clock, invariants, trace } = simulation;
    return { seed, violation, lasted: clock.now, reached: invariants.reached, trace: trace.lines };
  } finally {
    restoreTime();
    process.off('unhandledRejection', rejected);
    for (const other of others) process.on('unhandledRejection', other);
    simulation.close();
  }
}
