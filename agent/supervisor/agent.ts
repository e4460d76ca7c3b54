/** Connects the parts of an agent, and carries out the effects that the functions in slots.ts return. */

import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { type AttemptKey, sameAttempt } from '../../lib/domain/attempt-key.ts';
import { withResolvers } from '../../lib/net/within.ts';
import { MAX_TIMER_MS } from '../../lib/text/duration.ts';
import { RejectedError } from '../../proto/errors.ts';
import type { Hello, Welcome } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { MachineFigures } from '../../proto/gen/trawl/v1/types.ts';
import type { DatasetUse } from '../data/cache.ts';
import type { CardFigures } from '../machine/gpus.ts';
import { PythonEnvironments } from '../machine/python-environments.ts';
import { STOP_GRACE_S } from '../trainers/command/program.ts';
import { startGranted } from './assignment.ts';
import { AttemptFolders } from './attempt-folders.ts';
import { Claims } from './claims.ts';
import type { CoordinatorClient } from './coordinator-client.ts';
import { CoordinatorSession } from './coordinator-session.ts';
import { Draining } from './draining.ts';
import { Gathering } from './gathering.ts';
import { Heartbeat } from './heartbeat.ts';
import { IdleTime } from './lifetime.ts';
import { OfferQueues } from './offer-queues.ts';
import { RecordWriter } from './record-writer.ts';
import type { Granted, SlotEffect } from './slot-effects.ts';
import {
  areSlotsBusy,
  areSlotsIdle,
  hasQueue,
  hasStoppedPrograms,
  heldAttempts,
  isHeld,
  MAX_QUEUED_MS,
  newSlots,
  onDismissed,
  onGraceExpired,
  onOffer,
  onPackages,
  onPreflightFailure,
  onReturnOrder,
  onShutdown,
  onStoppedByRule,
  onSuspended,
  onWaited,
  returnAllQueued,
  type Slot,
  STOPPED_BY_RULE,
  wantedOffers,
} from './slots.ts';
import type { Spool } from './spool.ts';
import { type Clocks, SuspensionWatch } from './suspension.ts';
import { STOP_GRACE_MS } from './worker-process.ts';
import { type StartWorker, Workers } from './workers.ts';

/** The maximum time that a shutdown waits for the acknowledgement of the last records. */
const SHUTDOWN_MS = 3_000;
const POLL_MS = 50;
/** While attempts are queued, the agent checks at this interval how long they have waited. */
const QUEUE_CHECK_MS = MAX_QUEUED_MS / 4;
const HAND_BACK_MS = STOP_GRACE_S * 1000 + STOP_GRACE_MS + SHUTDOWN_MS;

export interface AgentParts {
  /** The agent's folder. */
  readonly dir: string;
  /** The HOST:PORT of each coordinator, joined by commas. Shown only in messages. */
  readonly server: string;
  readonly connect: () => CoordinatorClient;
  /** The backend and the pack size are added when the first worker is ready. */
  readonly hello: Omit<Hello, 'backend' | 'pack' | 'leaderEpoch' | 'acceptsBatches'>;
  /** The current utilization, memory, temperature and power of the machine's GPUs. */
  readonly gpuFigures: () => readonly CardFigures[];
  /** The current CPU use, memory and disk space of the machine. If undefined, these measurements are not reported. */
  readonly machineFigures?: () => MachineFigures;
  readonly startWorker: StartWorker;
  readonly spool: Spool;
  readonly nats: NatsConnection;
  readonly log: Logger;
  /** A clock in milliseconds that continues while the machine sleeps. If undefined, a sleep is not detected. */
  readonly machineClock?: Clocks['machine'];
  /** Called for each invalid message in an offer queue. */
  readonly onUnreadableOffer: () => void;
  /** Called when a trial loads its data set. */
  readonly onDatasetUse: (use: DatasetUse) => void;
}

export class AgentRuntime {
  readonly #parts: AgentParts;
  readonly #slots: Slot[];
  readonly #workers: Workers;
  readonly #offers: OfferQueues;
  readonly #claims: Claims;
  readonly #heartbeat: Heartbeat;
  readonly #folders: AttemptFolders;
  readonly #draining: Draining;
  readonly #records: RecordWriter;
  readonly #environments = new PythonEnvironments();
  readonly #up = withResolvers<string>();
  readonly #rejected = withResolvers<never>();
  readonly #idle = new IdleTime(performance.now());
  readonly #suspension: SuspensionWatch;
  #session: CoordinatorSession | undefined;
  #welcome: Welcome | undefined;
  #closing = false;
  #queueTimer: NodeJS.Timeout | undefined;
  #onSpoolShrunk: (() => void) | undefined;
  #onQuiet: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    const { dir, hello, log, nats, spool } = parts;
    this.#slots = newSlots(hello.slots);
    this.#suspension = new SuspensionWatch(
      { process: () => performance.now(), machine: parts.machineClock },
      (elapsedMs) => this.#onSuspended(elapsedMs),
    );
    this.#draining = new Draining(() => this.#perform(onGraceExpired(this.#slots)));
    this.#offers = new OfferQueues(
      nats,
      {
        onOffer: (key, token, pool) =>
          this.#perform(onOffer(this.#slots, key, token, (slot) => this.#isTaking && this.#isInPool(slot, pool))),
        onUnreadable: parts.onUnreadableOffer,
      },
      log,
    );
    this.#folders = new AttemptFolders(dir, spool);
    // Records and claims are sent together, so that the coordinator can store their changes in one transaction.
    const gathering = new Gathering(() => {
      if (!this.#records.isDiskFull) this.#records.flush();
      this.#claims.send();
    });
    this.#records = new RecordWriter(
      spool,
      dir,
      gathering,
      { onSpooled: () => this.#session?.wake(), onDiskFullChanged: () => this.#perform([]) },
      log,
    );
    this.#claims = new Claims(
      this.#slots,
      { session: () => this.#session, isTaking: () => this.#isTaking, gathering },
      {
        onEffects: (effects) => this.#perform(effects),
        onDelayed: (offer) => this.#offers.extend(offer),
      },
      log,
    );
    this.#heartbeat = new Heartbeat(
      nats,
      hello,
      () => {
        this.#suspension.check();
        return {
          slots: this.#slots,
          unacknowledged: [...spool.attempts(), ...this.#records.leasedAttempts()],
          leaving: this.#draining.isLeaving,
          gpuFigures: parts.gpuFigures(),
          machineFigures: parts.machineFigures?.(),
        };
      },
      () => this.#session,
      log,
    );
    this.#workers = new Workers(
      this.#slots,
      parts.startWorker,
      {
        onReady: (backend, pack) => this.#join(backend, pack),
        onUnfit: (message) => this.#up.reject(new RejectedError(message)),
        onDatasetUse: parts.onDatasetUse,
        onEffects: (effects) => this.#perform(effects),
      },
      log,
    );
    this.#rejected.promise.catch(() => {});
    this.#workers.startAll();
  }

  /**
   * Resolves with the backend's name when the first worker is ready and the agent begins to connect to the coordinator.
   * @throws {RejectedError} if, before any worker is ready, a worker reports that it cannot run on this machine
   */
  up(): Promise<string> {
    return this.#up.promise;
  }

  /** Rejects with a RejectedError if the coordinator permanently rejects this agent. */
  get rejected(): Promise<never> {
    return this.#rejected.promise;
  }

  /**
   * Returns the reason why the agent is not ready: no worker, no coordinator, or a problem with NATS. Undefined if the
   * agent is ready. An agent that is drained, or whose disk is full, can also be ready.
   */
  unreadyReason(): string | undefined {
    if (this.#session === undefined) return 'no worker is up yet';
    if (!this.#session.isWelcome) return 'the coordinator is unreachable';
    if (!this.#slots.some(({ isReady }) => isReady)) return 'no worker is up';
    return this.#heartbeat.problem ?? this.#offers.problem;
  }

  #join(backend: string, pack: number): void {
    const { connect, dir, hello, log, server, spool } = this.#parts;
    this.#session ??= new CoordinatorSession(
      connect(),
      dir,
      { ...hello, backend, pack },
      spool,
      {
        onWelcome: (welcome) => this.#onWelcome(welcome),
        onDismissed: ({ key, message }) => {
          const effects = key === undefined ? [] : onDismissed(this.#slots, key);
          if (effects.length > 0) log.info({ ...key, message }, 'the coordinator dismissed an attempt');
          this.#perform(effects);
        },
        onStopped: ({ key, message }) => {
          const effects = key === undefined ? [] : onStoppedByRule(this.#slots, key);
          if (effects.length > 0) log.info({ ...key, message }, 'a rule of the sweep stopped a trial');
          this.#perform(effects);
        },
        onSpoolShrunk: () => {
          this.#folders.removeReleased();
          this.#onSpoolShrunk?.();
        },
        onDrain: (graceMs) => this.#setDrain(graceMs),
        onPools: (pools) => this.#setPools(pools),
        onReturnOrder: (keys) => this.#perform(onReturnOrder(this.#slots, keys)),
        onRejected: (message) =>
          this.#rejected.reject(new RejectedError(`the coordinator at ${server} rejected this agent: ${message}`)),
      },
      log,
    );
    this.#up.resolve(backend);
  }

  /** Returns the time in milliseconds since a slot last ran or claimed an attempt, or since the agent started. */
  idleMs(): number {
    return this.#idle.elapsed(performance.now());
  }

  /**
   * Takes no new trials, lets running attempts finish within the grace period, hands back the remaining attempts, and
   * stops the agent.
   */
  async leave(graceMs: number): Promise<void> {
    this.#draining.leave(graceMs);
    this.#heartbeat.send();
    const quiet = new Promise<void>((resolve) => {
      this.#onQuiet = resolve;
    });
    const timer = setTimeout(() => this.#onQuiet?.(), Math.min(graceMs + HAND_BACK_MS, MAX_TIMER_MS));
    this.#perform([]);
    await quiet;
    clearTimeout(timer);
    await this.stop();
  }

  /** Reconnects to the coordinator with the renewed certificate. */
  renewIdentity(): void {
    this.#session?.renew();
  }

  /**
   * Hands back running attempts and stops the agent, without the grace period of a drain. Users' programs still have
   * their own grace period to exit.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#queueTimer);
    // Returns the queued attempts, so that none of them starts during the shutdown.
    this.#perform([]);
    this.#draining.close();
    this.#heartbeat.stop();
    this.#workers.close();
    this.#claims.close();
    await this.#offers.close();
    await this.#untilStoppedProgramsExit();
    this.#perform(onShutdown(this.#slots));
    this.#workers.killAll();
    this.#records.flush();
    this.#session?.flush();
    await this.#waitForEmptySpool(SHUTDOWN_MS);
    this.#session?.close();
  }

  /**
   * Waits for the exit of the programs whose trials a rule has stopped, because the files of a program are stored after
   * its exit.
   */
  async #untilStoppedProgramsExit(): Promise<void> {
    const until = performance.now() + STOP_GRACE_S * 1000 + STOP_GRACE_MS;
    while (hasStoppedPrograms(this.#slots) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #waitForEmptySpool(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      const check = () => {
        if (!this.#parts.spool.isEmpty()) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onSpoolShrunk = check;
      check();
    });
  }

  /** Stops all running attempts before anything is reported, because another agent may already run the same trials. */
  #onSuspended(elapsedMs: number): void {
    const effects = onSuspended(this.#slots);
    const stopped = effects.filter(({ kind }) => kind === 'stop').length;
    this.#parts.log.warn(
      { seconds: Math.round(elapsedMs / 1000), stopped },
      'the agent was suspended for longer than its lease; stopping its running attempts',
    );
    this.#perform(effects);
  }

  #perform(effects: readonly SlotEffect[]): void {
    this.#suspension.check();
    this.#idle.set(!areSlotsIdle(this.#slots), performance.now());
    for (const effect of effects) this.#performOne(effect);
    if (!this.#isTaking) for (const effect of returnAllQueued(this.#slots)) this.#performOne(effect);
    if (!this.#closing) {
      this.#offers.want((pool) =>
        this.#isTaking ? wantedOffers(this.#slots, (slot) => this.#isInPool(slot, pool)) : 0,
      );
    }
    this.#claims.onQueuesChanged();
    this.#watchQueues();
    if (areSlotsIdle(this.#slots)) this.#onQuiet?.();
  }

  /** Schedules the return of attempts that wait too long in the queue of a slot. */
  #watchQueues(): void {
    if (this.#queueTimer !== undefined || this.#closing || !hasQueue(this.#slots)) return;
    this.#queueTimer = setTimeout(() => {
      this.#queueTimer = undefined;
      this.#perform(onWaited(this.#slots, performance.now()));
    }, QUEUE_CHECK_MS);
  }

  #performOne(effect: SlotEffect): void {
    switch (effect.kind) {
      case 'claim': {
        const { key, slot } = effect;
        this.#claims.add({ key, slot, pack: this.#workers.packSize(slot) });
        break;
      }
      case 'acknowledge':
        this.#offers.acknowledge(effect.offer);
        break;
      case 'return':
        this.#offers.giveBack(effect.offer);
        break;
      case 'run':
        void this.#start(effect.slot, effect.start, effect.granted);
        break;
      case 'stop':
        this.#workers.stop(effect.slot, effect.key, effect.keepFiles ?? false);
        break;
      case 'list packages': {
        const { key, program, interpreter } = effect;
        void this.#environments.packagesOf(interpreter).then((packages) => {
          if (packages !== undefined) this.#perform(onPackages(this.#slots, key, { ...program, ...packages }));
        });
        break;
      }
      case 'restart':
        this.#workers.restart(effect.slot);
        break;
      case 'finished':
        this.#folders.releaseWhenSpooled(effect.key, this.#records);
        break;
      case 'record':
        if (effect.body.kind === 'failed' && effect.body.message !== STOPPED_BY_RULE) {
          const { class: failure, message } = effect.body;
          this.#parts.log.info({ ...effect.key, class: failure, message }, 'an attempt failed');
        }
        this.#records.add(effect.key, effect.seq, effect.body, areSlotsBusy(this.#slots));
        break;
    }
  }

  #start(slot: number, start: number, granted: readonly Granted[]): Promise<void> {
    const { dir, log } = this.#parts;
    const isWanted = (key: AttemptKey) => isHeld(this.#slots[slot], start, key);
    return startGranted(slot, granted, {
      dir,
      log,
      isWanted,
      workers: this.#workers,
      downloads: ({ key }) => ({
        checkpoint: async (file) => (await this.#session?.fetchCheckpoint(key, file, () => isWanted(key))) ?? false,
        code: async (archive, path) => this.#session?.fetchCode(archive, path, () => isWanted(key)),
      }),
      // Removes the folder a second time, because a download may have created the folder again after the attempt ended.
      // An attempt that waits for the next worker still needs its folder.
      onDropped: (key) => {
        const isWaiting = heldAttempts(this.#slots).some((held) => sameAttempt(held, key));
        if (!isWaiting) this.#folders.releaseWhenSpooled(key, this.#records);
      },
      onFailed: (key, message) => this.#perform(onPreflightFailure(this.#slots, slot, start, key, message)),
    });
  }

  #isInPool(slot: number, pool: string): boolean {
    return this.#welcome?.pools[slot] === pool;
  }

  get #isTaking(): boolean {
    return !this.#closing && this.#draining.isTaking && !this.#records.isDiskFull;
  }

  #onWelcome(welcome: Welcome): void {
    this.#suspension.setLimit(welcome.leaseDurationMs);
    this.#welcome = welcome;
    this.#offers.join(welcome.cluster, new Set(welcome.pools));
    this.#setDrain(welcome.drain?.graceMs);
    this.#heartbeat.start(welcome.cluster, welcome.heartbeatMs);
    this.#parts.log.info({ cluster: welcome.cluster, server: this.#parts.server }, 'joined a coordinator');
  }

  #setPools(pools: readonly string[]): void {
    if (this.#welcome === undefined) return;
    this.#welcome = { ...this.#welcome, pools: [...pools] };
    this.#offers.join(this.#welcome.cluster, new Set(pools));
    this.#perform([]);
  }

  /** @param graceMs the grace period; undefined if the agent is not drained */
  #setDrain(graceMs: number | undefined): void {
    const before = this.#draining.isTaking;
    this.#draining.setDrain(graceMs);
    const { isTaking } = this.#draining;
    if (isTaking !== before) {
      const message = isTaking ? 'the drain ended; this agent takes trials again' : 'the coordinator drains this agent';
      this.#parts.log.info({ graceMs }, message);
    }
    this.#perform([]);
  }
}
