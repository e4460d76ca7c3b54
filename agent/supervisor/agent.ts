/** Carries out what the slots' decisions ask for: workers, leases, records, offers, heartbeats. */
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { fromWire } from '../../lib/domain/wire-parameters.ts';
import { RefusedError } from '../../proto/errors.ts';
import {
  type AttemptKey,
  type Claim,
  type Decision,
  Heartbeat,
  type Hello,
  type Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { heartbeatSubject } from '../../proto/subjects.ts';
import { attemptFolder, resumeFile } from '../attempt-folder.ts';
import type { DatasetUse } from '../data/use.ts';
import type { GpuFigures } from '../machine/gpu-figures.ts';
import { STOP_GRACE_S } from '../trainers/command/program.ts';
import type { Assignment } from '../worker/ipc.ts';
import { AttemptFolders } from './attempt-folders.ts';
import { Draining, MAX_TIMER_MS } from './draining.ts';
import type { Link } from './link.ts';
import { OfferQueues } from './offer-queues.ts';
import { DISK_RETRY_MS, GATHER_MS, RecordWriter } from './record-writer.ts';
import { Session } from './session.ts';
import {
  busySlots,
  claimedAttempts,
  type Effect,
  type Granted,
  heldAttempts,
  idleSlots,
  isHeld,
  isQuiet,
  newSlots,
  type OfferToken,
  onDecision,
  onDismissed,
  onGraceOver,
  onOffer,
  onShutdown,
  onWorkerExit,
  onWorkerLog,
  onWorkerMessage,
  type Slot,
  sameAttempt,
} from './slots.ts';
import type { Spool } from './spool.ts';
import { withResolvers } from './with-resolvers.ts';
import { STOP_GRACE_MS, type WorkerEvents, type WorkerProcess } from './worker-process.ts';

/** Before a claim is made again when the coordinator did not answer it. */
const CLAIM_RETRY_MS = 500;
/** A worker that dies younger than this is not started again at once. */
const YOUNG_WORKER_MS = 5_000;
const RESTART_DELAY_MS = 1_000;
/** How long a shutdown waits for the last records to be acknowledged. */
const SHUTDOWN_MS = 3_000;
/** How long what is handed back may take to stop, a program of the user's own among it. */
const HAND_BACK_MS = STOP_GRACE_S * 1000 + STOP_GRACE_MS + SHUTDOWN_MS;

export type Worker = Pick<WorkerProcess, 'pid' | 'send' | 'stop' | 'kill'>;

export interface AgentParts {
  /** The agent's folder. */
  readonly dir: string;
  /** HOST:PORT of the coordinator, for messages. */
  readonly server: string;
  readonly connect: () => Link;
  /** Without what the first worker says: which backend loads, and how large a pack it trains. */
  readonly hello: Omit<Hello, 'backend' | 'pack'>;
  /** What the machine's GPUs do at present. */
  readonly gpuFigures: () => readonly GpuFigures[];
  readonly startWorker: (slot: number, events: WorkerEvents) => Worker;
  readonly spool: Spool;
  readonly nats: NatsConnection;
  readonly log: Logger;
  /** Something came in the place of an offer that is none. */
  readonly onUnreadableOffer: () => void;
  /** A trial asked for its data set. */
  readonly onDatasetUse: (use: DatasetUse) => void;
}

export class Agent {
  readonly #parts: AgentParts;
  readonly #slots: Slot[];
  readonly #workers: (Worker | undefined)[];
  readonly #startedAt: number[];
  readonly #offers: OfferQueues;
  /** Trials that each slot trains as a pack, as its worker said. */
  readonly #packs: number[] = [];
  readonly #folders: AttemptFolders;
  #session: Session | undefined;
  readonly #draining: Draining;
  readonly #up: PromiseWithResolvers<string>;
  readonly #refused: PromiseWithResolvers<never>;
  readonly #records: RecordWriter;
  #claims: Claim[] = [];
  #welcome: Welcome | undefined;
  #beating: NodeJS.Timeout | undefined;
  #beats = 0;
  #closing = false;
  #onSpoolShrunk: (() => void) | undefined;
  #onQuiet: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    const { hello, log, nats, spool } = parts;
    this.#slots = newSlots(hello.slots);
    this.#workers = [];
    this.#startedAt = [];
    this.#draining = new Draining(() => this.#perform(onGraceOver(this.#slots)));
    const offered = (key: AttemptKey, token: OfferToken, pool: string) =>
      onOffer(this.#slots, key, token, (slot) => this.#taking && this.#isIn(pool, slot));
    const queueEvents = {
      onOffer: (...offer: Parameters<typeof offered>) => this.#perform(offered(...offer)),
      onUnreadable: parts.onUnreadableOffer,
    };
    this.#offers = new OfferQueues(nats, queueEvents, log);
    this.#folders = new AttemptFolders(parts.dir, spool);
    const events = { onSpooled: () => this.#session?.wake(), onRoom: () => this.#perform([]) };
    this.#records = new RecordWriter(spool, parts.dir, events, log);
    this.#up = withResolvers();
    this.#refused = withResolvers();
    this.#refused.promise.catch(() => {});
    for (let slot = 0; slot < hello.slots; slot++) this.#start(slot);
  }

  /**
   * Resolves with the backend's name when the first worker is ready and the coordinator is being called.
   * @throws {RefusedError} when the machine is not fit for any worker
   */
  up(): Promise<string> {
    return this.#up.promise;
  }

  /** Rejects when the coordinator will have nothing to do with this agent, however often it calls. */
  get refused(): Promise<never> {
    return this.#refused.promise;
  }

  /** Why nothing new can be run at present; undefined when it can. */
  unready(): string | undefined {
    if (this.#session === undefined) return 'no worker is up yet';
    if (!this.#session.welcome) return 'the coordinator is away';
    return this.#slots.every(({ state }) => state === 'starting') ? 'no worker is up' : undefined;
  }

  #join(backend: string, pack: number): void {
    const { connect, hello, log, server, spool } = this.#parts;
    this.#session ??= new Session(
      connect(),
      this.#parts.dir,
      { ...hello, backend, pack },
      spool,
      {
        onWelcome: (welcome) => this.#welcomed(welcome),
        onDismissed: ({ key, message }) => {
          const effects = key === undefined ? [] : onDismissed(this.#slots, key);
          if (effects.length > 0) log.info({ ...key, message }, 'an attempt was dismissed');
          this.#perform(effects);
        },
        onAcknowledged: () => {
          this.#folders.tidy();
          this.#onSpoolShrunk?.();
        },
        onDrain: (graceMs) => this.#ordered(graceMs),
        onRefused: (message) =>
          this.#refused.reject(new RefusedError(`the coordinator at ${server} refuses this agent: ${message}`)),
      },
      log,
    );
    this.#up.resolve(backend);
  }

  /** Takes nothing new, lets what runs finish within the grace, hands back what does not, and ends. */
  async leave(graceMs: number): Promise<void> {
    this.#draining.leave(graceMs);
    this.#beat();
    const quiet = new Promise<void>((resolve) => {
      this.#onQuiet = resolve;
    });
    const timer = setTimeout(() => this.#onQuiet?.(), Math.min(graceMs + HAND_BACK_MS, MAX_TIMER_MS));
    this.#perform([]);
    await quiet;
    clearTimeout(timer);
    await this.stop();
  }

  /** Hands back what runs, now, and ends. Programs of the user's own still have their grace. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#closing = true;
    this.#draining.close();
    clearInterval(this.#beating);
    await this.#offers.close();
    this.#perform(onShutdown(this.#slots));
    for (const worker of this.#workers) worker?.kill();
    this.#records.flush();
    await this.#spoolEmpty(SHUTDOWN_MS);
    this.#session?.close();
  }

  #spoolEmpty(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      const check = () => {
        if (this.#parts.spool.oldest() !== undefined) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onSpoolShrunk = check;
      check();
    });
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'claim':
          this.#claim({ key: effect.key, slot: effect.slot, pack: this.#packs[effect.slot] ?? 0 });
          break;
        case 'acknowledge':
          this.#offers.acknowledge(effect.offer);
          break;
        case 'return':
          this.#offers.giveBack(effect.offer);
          break;
        case 'run': {
          this.#run(effect.slot, effect.granted);
          break;
        }
        case 'stop':
          this.#workers[effect.slot]?.stop(effect.key);
          break;
        case 'start':
          this.#startLater(effect.slot);
          break;
        case 'over':
          this.#overLater(effect.key, 2 * GATHER_MS);
          break;
        case 'record':
          if (effect.body.kind === 'failed') {
            const { class: failure, message } = effect.body;
            this.#parts.log.info({ ...effect.key, class: failure, message }, 'an attempt failed');
          }
          this.#records.add(effect.key, effect.seq, effect.body);
          break;
      }
    }
    if (!this.#closing) {
      this.#offers.want((pool) => (this.#taking ? idleSlots(this.#slots, (slot) => this.#isIn(pool, slot)) : 0));
    }
    if (isQuiet(this.#slots)) this.#onQuiet?.();
  }

  #isIn(pool: string, slot: number): boolean {
    return this.#welcome?.pools[slot] === pool;
  }

  get #taking(): boolean {
    return this.#draining.taking && !this.#records.diskFull;
  }

  /** The folder of an attempt is looked after once its last record is in the spool, which knows what it needs. */
  #overLater(key: AttemptKey, afterMs: number): void {
    setTimeout(() => {
      if (this.#records.attempts().some((waiting) => sameAttempt(waiting, key))) this.#overLater(key, DISK_RETRY_MS);
      else this.#folders.over(key);
    }, afterMs).unref();
  }

  /** @param graceMs undefined: the agent is not drained */
  #ordered(graceMs: number | undefined): void {
    const before = this.#draining.taking;
    this.#draining.order(graceMs);
    const { taking } = this.#draining;
    if (taking !== before) {
      const what = taking ? 'the coordinator lets this agent take work again' : 'the coordinator drains this agent';
      this.#parts.log.info({ graceMs }, what);
    }
    this.#perform([]);
  }

  #run(slot: number, granted: readonly Granted[]): void {
    Promise.all(granted.map((one) => this.#assignment(slot, one))).then((assignments) => {
      // The coordinator may have taken attempts back meanwhile.
      const wanted = assignments.filter(({ key }) => isHeld(this.#slots[slot], key));
      for (const { key } of wanted) this.#parts.log.debug({ ...key, slot }, 'an attempt runs');
      if (wanted.length > 0) this.#workers[slot]?.send({ kind: 'run', assignments: wanted });
    });
  }

  async #assignment(slot: number, { key, grant }: Granted): Promise<Assignment> {
    const { trainer, parameters, seed, command, checkpointEvery, reconstructEvery, resume: checkpoint } = grant;
    const folder = attemptFolder(this.#parts.dir, key);
    const assignment = {
      ...{ trainer, parameters: fromWire(parameters), seed, key, command, checkpointEvery, reconstructEvery, folder },
      resume: undefined,
    };
    if (checkpoint === undefined) return assignment;
    const { epoch } = checkpoint;
    if (await this.#session?.fetchCheckpoint(key, checkpoint, () => isHeld(this.#slots[slot], key))) {
      return { ...assignment, resume: { epoch, path: resumeFile(folder) } };
    }
    this.#parts.log.warn({ ...key, epoch }, 'the attempt begins at the beginning: no whole checkpoint');
    return assignment;
  }

  #start(slot: number): void {
    if (this.#closing) return;
    const { startWorker, log } = this.#parts;
    this.#startedAt[slot] = performance.now();
    this.#workers[slot] = startWorker(slot, {
      onMessage: (message) => {
        if (message.kind === 'ready') {
          this.#packs[slot] = message.pack;
          this.#join(message.backend, message.pack);
        }
        if (message.kind === 'dataset') this.#parts.onDatasetUse(message.use);
        if (message.kind === 'unfit') this.#unfit(slot, message.message);
        this.#perform(onWorkerMessage(this.#slots, slot, message));
      },
      onLog: (text) => {
        log.debug({ slot, text }, 'a worker wrote');
        this.#perform(onWorkerLog(this.#slots, slot, text));
      },
      onExit: (how) => {
        if (this.#closing) return;
        log.warn({ slot, how }, "a slot's worker ended");
        this.#perform(onWorkerExit(this.#slots, slot, how));
      },
    });
    log.debug({ slot, pid: this.#workers[slot]?.pid }, 'a worker was started');
  }

  #unfit(slot: number, message: string): void {
    this.#parts.log.error({ slot }, message);
    this.#up.reject(new RefusedError(message));
  }

  #startLater(slot: number): void {
    const age = performance.now() - (this.#startedAt[slot] ?? 0);
    setTimeout(() => this.#start(slot), age < YOUNG_WORKER_MS ? RESTART_DELAY_MS : 0);
  }

  #claim(claim: Claim): void {
    if (this.#claims.length === 0) setTimeout(() => this.#openLeases(), GATHER_MS);
    this.#claims.push(claim);
  }

  async #openLeases(): Promise<void> {
    const claims = this.#claims;
    this.#claims = [];
    if (this.#session === undefined) return;
    try {
      const decisions = await this.#session.open(claims);
      for (const [at, claim] of claims.entries()) this.#decided(claim, decisions[at]);
    } catch (error) {
      this.#parts.log.debug({ err: error }, 'leases could not be opened');
      for (const claim of claims) this.#claimAgain(claim);
    }
  }

  #decided(claim: Claim, decision: Decision | undefined): void {
    const answer = decision?.answer;
    const mates = (decision?.mates ?? []).flatMap(({ key, grant }) => (key && grant ? [{ key, grant }] : []));
    const effects =
      answer === undefined || claim.key === undefined
        ? 'again'
        : onDecision(
            this.#slots,
            claim.slot,
            claim.key,
            answer.$case === 'grant' ? { grant: answer.grant, mates } : { refusal: answer.refusal },
          );
    if (effects === 'again') this.#claimAgain(claim);
    else this.#perform(effects);
    // A grant that was on its way when the grace ended.
    if (this.#draining.graceOver) this.#perform(onGraceOver(this.#slots));
  }

  /** The same claim gets the same lease, so asking again is safe. */
  #claimAgain(claim: Claim): void {
    setTimeout(() => {
      const slot = this.#slots[claim.slot];
      const key = claim.key;
      if (this.#closing || slot?.state !== 'claiming' || key === undefined || !sameAttempt(slot.key, key)) return;
      this.#offers.hold(slot.offer);
      this.#claim(claim);
    }, CLAIM_RETRY_MS);
  }

  #welcomed(welcome: Welcome): void {
    this.#welcome = welcome;
    this.#offers.join(welcome.cluster, new Set(welcome.pools));
    this.#ordered(welcome.drain?.graceMs);
    clearInterval(this.#beating);
    this.#beating = setInterval(() => this.#beat(), welcome.heartbeatMs);
    this.#beat();
    this.#parts.log.info({ cluster: welcome.cluster, server: this.#parts.server }, 'joined a coordinator');
  }

  /**
   * What has ended, or was cut off with an earlier incarnation, is held until the coordinator has its last record: it
   * must not be lost and run again because the way there is slow.
   */
  #beat(): void {
    const { hello, nats, spool } = this.#parts;
    if (this.#welcome === undefined) return;
    const running = heldAttempts(this.#slots);
    const waiting = [...spool.attempts(), ...this.#records.attempts()];
    const untold = waiting.filter((key) => !running.some((other) => sameAttempt(key, other)));
    const beat = Heartbeat.encode({
      agentId: hello.agentId,
      incarnation: hello.incarnation,
      seq: ++this.#beats,
      slots: hello.slots,
      busy: busySlots(this.#slots),
      held: [...running, ...untold],
      claimed: claimedAttempts(this.#slots),
      leaving: this.#draining.leaving,
      gpuFigures: [...this.#parts.gpuFigures()],
    });
    nats.publish(heartbeatSubject(this.#welcome.cluster, hello.agentId), beat.finish());
  }
}
