/** Manages one worker process. */

import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { threadEnvironment } from '../machine/slots.ts';
import { STOP_GRACE_S } from '../trainers/command/program.ts';
import type { Assignment, FromWorker, ToWorker, WorkerSetup } from '../worker/ipc.ts';

/**
 * The time limit for a worker to stop an attempt, in milliseconds. A worker that takes longer is killed. For a user's
 * program, STOP_GRACE_S is added.
 */
export const STOP_GRACE_MS = 2_000;

/**
 * Additional milliseconds for a worker that keeps the files of a stopped program. The worker moves the files and
 * computes their checksums.
 */
const KEEP_FILES_MS = 60_000;

/**
 * When a worker reports the end of an attempt, the message is handled after the worker's earlier output has been read,
 * and at the latest after this number of turns of the event loop. The pipes contain at most a few hundred kilobytes,
 * and each turn reads at least 64 KiB.
 */
const MAX_OUTPUT_TURNS = 64;

/** The maximum time between the exit of a worker and the end of its output, in milliseconds. */
const CLOSE_MS = 2_000;

export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  onLog(text: string): void;
  /**
   * Called when the worker has exited.
   * @param isShared whether a program of another slot may have caused the exit. Default: false
   */
  onExit(how: string, isShared?: boolean): void;
  /**
   * Called if the worker does not confirm the stop of an attempt in time. If undefined, the worker is killed in this case.
   */
  onStopOverdue?(key: AttemptKey): void;
}

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  /** For each attempt that is being stopped, the timer that ends the wait for its stop. */
  readonly #killTimers = new Map<string, NodeJS.Timeout>();
  /**
   * The messages that report the end of an attempt and have not been handled yet (see MAX_OUTPUT_TURNS).
   */
  readonly #ends = new Set<FromWorker>();
  #hasOutput = false;
  #stopGraceMs = STOP_GRACE_MS;

  /** @param gpuEnvironment the variables that restrict the worker to its GPUs */
  constructor(setup: WorkerSetup, gpuEnvironment: Readonly<Record<string, string>>, events: WorkerEvents) {
    const entry = fileURLToPath(new URL('../worker/main.js', import.meta.url));
    if (!existsSync(entry))
      throw new Error(`the worker program ${entry} is missing; build trawl first (npm run build)`);
    const { TRAWL_TOKEN: _, TRAWL_NATS: __, ...environment } = process.env;
    this.#events = events;
    this.#child = fork(entry, [JSON.stringify(setup)], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...environment,
        ...threadEnvironment(setup.cores, setup.slots, process.env),
        TF_FORCE_GPU_ALLOW_GROWTH: 'true',
        ...gpuEnvironment,
      },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8');
      stream?.on('data', (text: string) => {
        this.#hasOutput = true;
        events.onLog(text);
      });
    }
    this.#child.on('message', (message: FromWorker) => {
      if (message.kind === 'stopped') this.#cancelKill(message.key);
      if (message.kind === 'done' || message.kind === 'failed' || message.kind === 'stopped') {
        this.#ends.add(message);
        this.#afterOutput(MAX_OUTPUT_TURNS, () => this.#sendEnd(message, events));
      } else setImmediate(() => events.onMessage(message));
    });
    this.#child.on('error', (error) => events.onLog(`${error.message}\n`));
    afterClose(this.#child, (code, signal) => {
      for (const timer of this.#killTimers.values()) clearTimeout(timer);
      setImmediate(() => {
        for (const end of this.#ends) this.#sendEnd(end, events);
        events.onExit(signal === null ? `exited with code ${code}` : `was killed by ${signal}`);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Runs an attempt or, if there are several assignments, a pack. */
  run(assignments: readonly Assignment[]): void {
    const programGraceMs = assignments[0]?.trainer === 'command' ? STOP_GRACE_S * 1000 : 0;
    this.#stopGraceMs = STOP_GRACE_MS + programGraceMs;
    this.#send({ kind: 'run', assignments });
  }

  /**
   * Stops one attempt. If the worker does not confirm the stop in time, kills the worker (but see `onStopOverdue`).
   * @param keepFiles whether the files that the attempt's program wrote are kept
   */
  stop(key: AttemptKey, keepFiles: boolean): void {
    this.#send({ kind: 'stop', key, keepFiles });
    this.#killTimers.set(
      keyText(key),
      setTimeout(() => this.#onStopOverdue(key), this.#stopGraceMs + (keepFiles ? KEEP_FILES_MS : 0)),
    );
  }

  /** Asks the worker for a `pong`. */
  ping(): void {
    this.#send({ kind: 'ping' });
  }

  #send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message);
  }

  /**
   * Calls `callback` after the first turn of the event loop without output from the worker, or after `turns` turns. The
   * worker flushes its output before it reports the end of an attempt, so this output is read first.
   */
  #afterOutput(turns: number, callback: () => void): void {
    this.#hasOutput = false;
    setImmediate(() => {
      if (this.#hasOutput && turns > 1) this.#afterOutput(turns - 1, callback);
      else callback();
    });
  }

  #sendEnd(end: FromWorker, events: WorkerEvents): void {
    if (this.#ends.delete(end)) events.onMessage(end);
  }

  #onStopOverdue(key: AttemptKey): void {
    if (this.#events.onStopOverdue === undefined) this.kill();
    else this.#events.onStopOverdue(key);
  }

  #cancelKill(key: AttemptKey): void {
    clearTimeout(this.#killTimers.get(keyText(key)));
    this.#killTimers.delete(keyText(key));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/**
 * Calls `callback` once when a process has exited and its output has been read. The `exit` event can precede the last
 * output. The `close` event always follows the last output, but never occurs while another process keeps the output
 * open, such as a child process that hangs in the kernel before it executes its program. The output is therefore closed
 * at the latest CLOSE_MS after the exit.
 */
export function afterClose(
  child: ChildProcess,
  callback: (code: number | null, signal: NodeJS.Signals | null) => void,
): void {
  let timer: NodeJS.Timeout | undefined;
  const handle = (code: number | null, signal: NodeJS.Signals | null) => {
    clearTimeout(timer);
    child.off('close', handle);
    callback(code, signal);
  };
  // If the process cannot be started, `close` occurs without `exit`.
  child.once('close', handle);
  child.once('exit', (code, signal) => {
    timer = setTimeout(() => {
      handle(code, signal);
      child.stdout?.destroy();
      child.stderr?.destroy();
      if (child.connected) child.disconnect();
    }, CLOSE_MS);
  });
}
