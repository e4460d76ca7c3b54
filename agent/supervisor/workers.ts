/** Starts the worker processes of an agent's slots, restarts them after they die, and assigns attempts to them. */

import type { Logger } from 'pino';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { DatasetUse } from '../data/cache.ts';
import type { Assignment, FromWorker } from '../worker/ipc.ts';
import type { SlotEffect } from './slot-effects.ts';
import { onWorkerExit, onWorkerLog, onWorkerMessage, type Slot } from './slots.ts';
import type { WorkerEvents, WorkerProcess } from './worker-process.ts';

const YOUNG_WORKER_MS = 5_000;
const RESTART_DELAY_MS = 1_000;

export type Worker = Pick<WorkerProcess, 'pid' | 'run' | 'stop' | 'kill'>;

export type StartWorker = (slot: number, events: WorkerEvents) => Worker;

export interface WorkersEvents {
  /** Called when a worker can run attempts, with its backend. The worker trains up to `pack` trials together. */
  onReady(backend: string, pack: number): void;
  /** Called when a worker cannot run on this machine. */
  onUnfit(message: string): void;
  onDatasetUse(use: DatasetUse): void;
  /** Called with the resulting effects after a worker has sent a message, printed output or exited. */
  onEffects(effects: readonly SlotEffect[]): void;
}

export class Workers {
  readonly #slots: Slot[];
  readonly #startWorker: StartWorker;
  readonly #events: WorkersEvents;
  readonly #log: Logger;
  readonly #workers: Worker[] = [];
  readonly #startedAt: number[] = [];
  /** For each slot, the maximum number of trials that its worker trains together. */
  readonly #packSizes: number[] = [];
  #closed = false;

  constructor(slots: Slot[], startWorker: StartWorker, events: WorkersEvents, log: Logger) {
    this.#slots = slots;
    this.#startWorker = startWorker;
    this.#events = events;
    this.#log = log;
  }

  startAll(): void {
    for (const slot of this.#slots.keys()) this.#start(slot);
  }

  /**
   * Returns the maximum number of trials that the slot's worker trains together; 0 until the worker has reported it.
   */
  packSize(slot: number): number {
    return this.#packSizes[slot] ?? 0;
  }

  run(slot: number, assignments: readonly Assignment[]): void {
    this.#workers[slot]?.run(assignments);
  }

  stop(slot: number, key: AttemptKey, keepFiles: boolean): void {
    this.#workers[slot]?.stop(key, keepFiles);
  }

  /**
   * Starts a new worker for a slot whose worker has exited. If that worker ran only for a short time, the start is
   * delayed. A start that fails, for example while an upgrade replaces trawl's files, is repeated.
   */
  restart(slot: number): void {
    const ageMs = performance.now() - (this.#startedAt[slot] ?? 0);
    const start = () => {
      try {
        this.#start(slot);
      } catch (error) {
        this.#log.error({ err: error, slot }, 'a worker cannot be started; the start is repeated');
        setTimeout(start, RESTART_DELAY_MS);
      }
    };
    setTimeout(start, ageMs < YOUNG_WORKER_MS ? RESTART_DELAY_MS : 0);
  }

  /** Starts no more workers, and treats every further exit of a worker as expected. */
  close(): void {
    this.#closed = true;
  }

  killAll(): void {
    for (const worker of this.#workers) worker?.kill();
  }

  #start(slot: number): void {
    if (this.#closed) return;
    this.#startedAt[slot] = performance.now();
    this.#workers[slot] = this.#startWorker(slot, {
      onMessage: (message) => this.#onMessage(slot, message),
      onLog: (text) => {
        this.#log.debug({ slot, text }, 'worker output');
        this.#events.onEffects(onWorkerLog(this.#slots, slot, text));
      },
      onExit: (how, isShared) => {
        if (this.#closed) return;
        this.#log.warn({ slot, how }, 'a worker exited');
        this.#events.onEffects(onWorkerExit(this.#slots, slot, how, isShared));
      },
    });
    this.#log.debug({ slot, pid: this.#workers[slot]?.pid }, 'started a worker');
  }

  #onMessage(slot: number, message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        this.#packSizes[slot] = message.pack;
        for (const warning of message.warnings ?? []) this.#log.warn({ slot }, warning);
        this.#events.onReady(message.backend, message.pack);
        break;
      case 'dataset':
        this.#events.onDatasetUse(message.use);
        break;
      case 'unfit':
        this.#log.error({ slot }, message.message);
        this.#events.onUnfit(message.message);
        break;
    }
    this.#events.onEffects(onWorkerMessage(this.#slots, slot, message));
  }
}
