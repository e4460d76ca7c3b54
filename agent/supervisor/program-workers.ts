/**
 * Lets the slots of an agent share the worker processes that run users' programs. An agent can have more slots than its
 * machine has cores, and a worker mostly waits for its program. One process for the programs of several slots then needs
 * less memory and less processor time than one process per slot. A slot that trains with a built-in trainer uses a
 * process of its own, which is started for its first such trial.
 *
 * A program can kill the process that started it. A shared process can also hang, for example because a network file
 * system does not respond, and is then killed. Once a shared process has died while it ran programs, the agent shares no
 * more processes, so that such a program affects the trials of other slots at most once.
 */

import type { Logger } from 'pino';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import type { Assignment, FromWorker } from '../worker/ipc.ts';
import type { WorkerEvents, WorkerProcess } from './worker-process.ts';
import type { StartWorker, Worker } from './workers.ts';

/** The time between two pings of a shared process, in milliseconds. */
const PING_MS = 5_000;

/**
 * A shared process that leaves this number of successive pings unanswered is killed. Pings are counted, and not the time,
 * because a process cannot answer while the whole machine is suspended.
 */
const MAX_UNANSWERED_PINGS = 6;

type Process = Pick<WorkerProcess, 'pid' | 'run' | 'stop' | 'ping' | 'kill'>;

type StartProcess = (slot: number, events: WorkerEvents) => Process;

/**
 * Returns a function that starts the worker of a slot, where slots share the processes that run programs.
 * @param start starts a worker process
 * @param processes the number of shared processes
 */
export function sharePrograms(start: StartProcess, processes: number, log: Logger): StartWorker {
  const workers = new ProgramWorkers(start, processes, log);
  return (slot, events) => new SharedSlot(slot, events, start, workers);
}

/**
 * The processes that run programs. The slot with index n uses the process with index n modulo the number of processes, or
 * a process of its own if processes are no longer shared.
 */
class ProgramWorkers {
  readonly #start: StartProcess;
  #processes: number;
  readonly #log: Logger;
  readonly #current = new Map<number, ProgramWorker>();

  constructor(start: StartProcess, processes: number, log: Logger) {
    this.#start = start;
    this.#processes = processes;
    this.#log = log;
  }

  /**
   * Returns the process that runs the programs of a slot. Starts it if necessary.
   * @throws {Error} if the process cannot be started
   */
  of(slot: number): ProgramWorker {
    const at = slot % this.#processes;
    const known = this.#current.get(at);
    if (known !== undefined) return known;
    const started = new ProgramWorker((events) => this.#start(at, events), {
      onGone: () => {
        if (this.#current.get(at) === started) this.#current.delete(at);
      },
      onDied: () => this.#endSharing(),
      onHang: () => this.#log.warn({ pid: started.pid }, 'a shared worker process does not respond and is killed'),
    });
    this.#current.set(at, started);
    return started;
  }

  #endSharing(): void {
    if (this.#processes === Number.POSITIVE_INFINITY) return;
    this.#processes = Number.POSITIVE_INFINITY;
    this.#log.warn(
      'a shared worker process died; from now on, each slot runs its programs in a worker process of its own',
    );
    for (const program of [...this.#current.values()]) program.replace();
  }
}

interface ProgramWorkerEvents {
  /** Called when the process takes no further attempts, because it has exited or was replaced. */
  onGone(): void;
  /** Called when the process has exited while it ran programs. */
  onDied(): void;
  /** Called before the process is killed because it does not respond. */
  onHang(): void;
}

interface ProgramAttempt {
  readonly slot: SharedSlot;
  isStarted: boolean;
  /** Whether the process must still confirm the stop of the attempt. The attempt can end in another way before that. */
  isStopping: boolean;
}

/** A process that runs the programs of several slots. */
class ProgramWorker {
  readonly #worker: Process;
  readonly #events: ProgramWorkerEvents;
  readonly #pings: NodeJS.Timeout;
  #unansweredPings = 0;
  /** The slots that wait for the process to be ready, or that will run their next program in it. */
  readonly #slots = new Set<SharedSlot>();
  /** The attempts that were handed to the process, or that it was told to stop, and that have not ended. */
  readonly #attempts = new Map<string, ProgramAttempt>();
  #ready: FromWorker | undefined;
  #isReplaced = false;
  /** The attempts that the process did not stop in time, and whose programs it may still run. */
  readonly #overdue = new Set<string>();
  /** Whether the process was killed on purpose, and not because it does not respond. */
  #isKilled = false;
  #isHung = false;

  constructor(start: (events: WorkerEvents) => Process, events: ProgramWorkerEvents) {
    this.#events = events;
    this.#worker = start({
      onMessage: (message) => this.#onMessage(message),
      onLog: (text) => this.#onLog(text),
      onExit: (how) => this.#onExit(how),
      onStopOverdue: (key) => this.#onStopOverdue(key),
    });
    this.#pings = setInterval(() => this.#ping(), PING_MS).unref();
  }

  get pid(): number | undefined {
    return this.#worker.pid;
  }

  /** Adds a slot. From then on, the slot is notified when the process is ready and when it exits. */
  join(slot: SharedSlot): void {
    this.#slots.add(slot);
    const ready = this.#ready;
    if (ready !== undefined) setImmediate(() => slot.onMessage(ready));
  }

  leave(slot: SharedSlot): void {
    this.#slots.delete(slot);
  }

  runs(key: AttemptKey): boolean {
    return this.#attempts.has(keyText(key));
  }

  run(slot: SharedSlot, assignments: readonly Assignment[]): void {
    for (const { key } of assignments) {
      this.#attempts.set(keyText(key), { slot, isStarted: false, isStopping: false });
    }
    this.#worker.run(assignments);
  }

  stop(slot: SharedSlot, key: AttemptKey, keepFiles: boolean): void {
    // The process also confirms the stop of an attempt that it does not run.
    const isStarted = this.#attempts.get(keyText(key))?.isStarted ?? false;
    this.#attempts.set(keyText(key), { slot, isStarted, isStopping: true });
    this.#worker.stop(key, keepFiles);
  }

  /** Kills the process because the agent stops, or because the process was replaced and has no attempts. */
  kill(): void {
    this.#isKilled = true;
    this.#worker.kill();
  }

  #onMessage(message: FromWorker): void {
    // Any message shows that the process responds. A `pong` can wait behind many reports.
    this.#unansweredPings = 0;
    switch (message.kind) {
      case 'ready':
        this.#ready = message;
        for (const slot of this.#slots) slot.onMessage(message);
        break;
      case 'unfit':
        for (const slot of this.#slots) slot.onMessage(message);
        break;
      case 'started':
        for (const key of message.keys) {
          const attempt = this.#attempts.get(keyText(key));
          if (attempt === undefined) continue;
          attempt.isStarted = true;
          attempt.slot.onMessage({ kind: 'started', keys: [key] });
        }
        break;
      case 'pong':
        break;
      case 'dataset':
        // Programs load no data sets of trawl.
        break;
      default: {
        const attempt = this.#attempts.get(keyText(message.key));
        if (isLast(message, attempt)) {
          this.#attempts.delete(keyText(message.key));
          this.#overdue.delete(keyText(message.key));
          this.#killIfDone();
        }
        attempt?.slot.onMessage(message);
      }
    }
  }

  /** The output of the process itself does not identify an attempt, so it is added to the logs of all of its attempts. */
  #onLog(text: string): void {
    for (const slot of this.#slotsOf(this.#attempts.values())) slot.onLog(text);
  }

  #slotsOf(attempts: Iterable<ProgramAttempt>): Set<SharedSlot> {
    return new Set(Array.from(attempts, ({ slot }) => slot));
  }

  /** Kills the process if it hangs while it has attempts besides the one that may be the cause. */
  #ping(): void {
    if (this.#ready === undefined || this.#attempts.size + this.#overdue.size < 2) {
      this.#unansweredPings = 0;
    } else if (this.#unansweredPings < MAX_UNANSWERED_PINGS) {
      this.#unansweredPings += 1;
      this.#worker.ping();
    } else {
      clearInterval(this.#pings);
      this.#isHung = true;
      this.#events.onHang();
      // A process that hangs in the kernel can also survive the kill for a while.
      this.replace();
      this.#worker.kill();
    }
  }

  #onExit(how: string): void {
    clearInterval(this.#pings);
    this.#events.onGone();
    const attempts = [...this.#attempts.values()];
    // An attempt that has not started cannot be the cause, and is not affected.
    const running = attempts.filter(({ isStarted }) => isStarted).length + this.#overdue.size;
    if (running > 0 && !this.#isKilled) this.#events.onDied();
    const reason = this.#isHung ? 'did not respond and was killed' : how;
    for (const slot of new Set([...this.#slots, ...this.#slotsOf(attempts)])) slot.onProgramsExit(reason, running > 1);
  }

  /** Takes no further attempts. The process ends when its attempts have ended. */
  replace(): void {
    this.#isReplaced = true;
    this.#events.onGone();
    // A slot that has already handed an attempt to this process stays with it.
    const busy = this.#slotsOf(this.#attempts.values());
    const waiting = this.#ready === undefined ? [...this.#slots].filter((slot) => !busy.has(slot)) : [];
    this.#slots.clear();
    this.#killIfDone();
    for (const slot of waiting) slot.waitForNext();
  }

  /**
   * Replaces the process if an attempt cannot be stopped, for example because its program hangs in the kernel. The other
   * attempts continue in this process, which ends after them.
   */
  #onStopOverdue(key: AttemptKey): void {
    const attempt = this.#attempts.get(keyText(key));
    this.#attempts.delete(keyText(key));
    this.#overdue.add(keyText(key));
    this.replace();
    attempt?.slot.onProgramsExit('did not stop an attempt in time', false);
  }

  #killIfDone(): void {
    if (this.#isReplaced && this.#attempts.size === 0) this.kill();
  }
}

/** The worker of a slot. It consists of a shared process for programs, and of a process of its own for training. */
class SharedSlot implements Worker {
  readonly #slot: number;
  readonly #events: WorkerEvents;
  readonly #start: StartProcess;
  readonly #programs: ProgramWorkers;
  /** The process that runs the slot's programs. */
  #program: ProgramWorker;
  #trainer: Worker | undefined;
  /** The attempts of `#trainer`. An attempt that is being stopped can end before the stop is confirmed. */
  readonly #training = new Map<string, { isStopping: boolean }>();
  #hasExited = false;

  /** @throws {Error} if the process for programs cannot be started */
  constructor(slot: number, events: WorkerEvents, start: StartProcess, programs: ProgramWorkers) {
    this.#slot = slot;
    this.#events = events;
    this.#start = start;
    this.#programs = programs;
    this.#program = this.#join();
  }

  get pid(): number | undefined {
    return this.#program.pid;
  }

  run(assignments: readonly Assignment[]): void {
    this.#orExit(() => {
      if (assignments.every(({ trainer }) => trainer === 'command')) this.#join().run(this, assignments);
      else this.#train(assignments);
    });
  }

  stop(key: AttemptKey, keepFiles: boolean): void {
    this.#orExit(() => {
      const training = this.#training.get(keyText(key));
      if (training !== undefined) {
        training.isStopping = true;
        this.#trainer?.stop(key, keepFiles);
      } else (this.#program.runs(key) ? this.#program : this.#join()).stop(this, key, keepFiles);
    });
  }

  kill(): void {
    this.#trainer?.kill();
    this.#program.kill();
  }

  onMessage(message: FromWorker): void {
    if (!this.#hasExited) this.#events.onMessage(message);
  }

  onLog(text: string): void {
    if (!this.#hasExited) this.#events.onLog(text);
  }

  /**
   * Called when the process for programs has exited, or cannot stop an attempt. A training that the slot runs continues.
   * @param isShared whether a program of another slot may have caused the exit
   */
  onProgramsExit(how: string, isShared: boolean): void {
    if (this.#training.size === 0) this.#exit(how, isShared);
  }

  /** Called when the process for programs was replaced before it was ready. */
  waitForNext(): void {
    if (this.#training.size === 0) this.#orExit(() => this.#join());
  }

  /** Runs an action that may start a process. If the process cannot be started, the worker of the slot exits. */
  #orExit(action: () => void): void {
    try {
      action();
    } catch (error) {
      setImmediate(() => this.#exit(`could not be started: ${errorMessage(error)}`));
    }
  }

  #join(): ProgramWorker {
    const program = this.#programs.of(this.#slot);
    if (program !== this.#program) program.join(this);
    this.#program = program;
    return program;
  }

  #train(assignments: readonly Assignment[]): void {
    this.#trainer ??= this.#start(this.#slot, {
      onMessage: (answer) => {
        // The slot is ready, or not, because of its process for programs.
        if (answer.kind === 'ready' || answer.kind === 'unfit') return;
        if ('key' in answer && isLast(answer, this.#training.get(keyText(answer.key)))) {
          this.#training.delete(keyText(answer.key));
        }
        this.onMessage(answer);
      },
      onLog: (text) => this.onLog(text),
      onExit: (how) => {
        this.#trainer = undefined;
        if (this.#training.size > 0) this.#exit(how);
      },
    });
    for (const { key } of assignments) this.#training.set(keyText(key), { isStopping: false });
    this.#trainer.run(assignments);
  }

  #exit(how: string, isShared = false): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    this.#program.leave(this);
    this.#trainer?.kill();
    this.#events.onExit(how, isShared);
  }
}

/** Whether the message is the last one about its attempt. A process always confirms a stop, also after another end. */
function isLast({ kind }: FromWorker, attempt: { readonly isStopping: boolean } | undefined): boolean {
  return kind === 'stopped' || ((kind === 'done' || kind === 'failed') && attempt?.isStopping !== true);
}
