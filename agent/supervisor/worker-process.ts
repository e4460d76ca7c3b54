/** One slot's worker process: started, spoken to, stopped, its output captured. */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { threadEnvironment } from '../machine/slot-threads.ts';
import { STOP_GRACE_S } from '../trainers/command/program.ts';
import type { AttemptName } from '../trainers/trainer.ts';
import type { FromWorker, ToWorker, WorkerSetup } from '../worker/ipc.ts';

/** How long a worker may take to stop an attempt before it is killed. */
export const STOP_GRACE_MS = 2_000;

export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  onLog(text: string): void;
  onExit(how: string): void;
}

export class WorkerProcess {
  readonly #child: ChildProcess;
  /** Kills the process unless the attempt has stopped by then: by the attempt. */
  readonly #killers = new Map<string, NodeJS.Timeout>();
  #stopGraceMs = STOP_GRACE_MS;

  /** @param gpus indexes of the GPUs that the worker sees; empty: none is hidden from it */
  constructor(setup: WorkerSetup, gpus: readonly number[], events: WorkerEvents) {
    const entry = fileURLToPath(new URL('../worker/main.js', import.meta.url));
    if (!existsSync(entry)) throw new Error(`the worker's program ${entry} is missing: was trawl built?`);
    this.#child = fork(entry, [JSON.stringify(setup)], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...process.env,
        ...threadEnvironment(setup.cores, setup.slots, process.env),
        TF_FORCE_GPU_ALLOW_GROWTH: 'true',
        ...(gpus.length === 0 ? {} : { CUDA_VISIBLE_DEVICES: gpus.join(',') }),
      },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8');
      stream?.on('data', (text: string) => events.onLog(text));
    }
    this.#child.on('message', (message: FromWorker) => {
      if (message.kind === 'stopped') this.#hasStopped(message.key);
      // What the worker printed before it said this lies in the pipes already: it is read first.
      setImmediate(() => events.onMessage(message));
    });
    this.#child.on('error', (error) => events.onLog(`${error.message}\n`));
    // Close, not exit: the last words on stderr come before it.
    this.#child.on('close', (code, signal) => {
      for (const killer of this.#killers.values()) clearTimeout(killer);
      setImmediate(() => events.onExit(signal === null ? `exited with code ${code}` : `was killed by ${signal}`));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToWorker): void {
    // A program of the user's own has a grace of its own before its worker's.
    if (message.kind === 'run') {
      const program = message.assignments[0]?.trainer === 'command' ? STOP_GRACE_S * 1000 : 0;
      this.#stopGraceMs = STOP_GRACE_MS + program;
    }
    if (this.#child.connected) this.#child.send(message);
  }

  /** Asks for the attempt's end, and kills the process, with what else runs in it, when it does not listen. */
  stop(key: AttemptName): void {
    this.send({ kind: 'stop', key });
    this.#killers.set(
      nameOf(key),
      setTimeout(() => this.kill(), this.#stopGraceMs),
    );
  }

  #hasStopped(key: AttemptName): void {
    clearTimeout(this.#killers.get(nameOf(key)));
    this.#killers.delete(nameOf(key));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function nameOf({ sweepId, trialId, attempt }: AttemptName): string {
  return `${sweepId}/${trialId}/${attempt}`;
}
