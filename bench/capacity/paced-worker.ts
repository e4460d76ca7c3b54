/** Replaces a worker process. The worker waits instead of training, so that thousands of slots fit on one machine. */
import type { WorkerEvents } from '../../agent/supervisor/worker-process.ts';
import type { Worker } from '../../agent/supervisor/workers.ts';
import type { Assignment } from '../../agent/worker/ipc.ts';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';

/** The names of the metrics in each report. */
export const METRICS = [
  'train_loss',
  'train_total_loss',
  'last_batch_loss',
  'test_loss',
  'psnr',
  'psnr_peak1',
  'psnr_input',
];

export class PacedWorker implements Worker {
  readonly pid = undefined;
  readonly #events: WorkerEvents;
  #timer: NodeJS.Timeout | undefined;

  constructor(events: WorkerEvents) {
    this.#events = events;
    setImmediate(() => events.onMessage({ kind: 'ready', backend: 'wasm', pack: 1 }));
  }

  run([assignment]: readonly Assignment[]): void {
    if (assignment !== undefined) this.#run(assignment);
  }

  stop(key: AttemptKey): void {
    clearInterval(this.#timer);
    this.#events.onMessage({ kind: 'stopped', key });
  }

  kill(): void {
    clearInterval(this.#timer);
  }

  /**
   * Sends one report per epoch. The first report has a random delay, so that the slots do not report at the same time.
   */
  #run({ key, parameters }: Assignment): void {
    const epochs = Number(parameters.epochs);
    const everyMs = Number(parameters.duration_ms);
    let epoch = 0;
    this.#timer = setTimeout(() => {
      this.#timer = setInterval(() => {
        epoch += 1;
        const metrics = Object.fromEntries(METRICS.map((name, at) => [name, 1 / (epoch + at)]));
        this.#events.onMessage({ kind: 'report', key, epoch, metrics });
        if (epoch < epochs) return;
        clearInterval(this.#timer);
        this.#events.onMessage({ kind: 'done', key });
      }, everyMs);
    }, Math.random() * everyMs);
  }
}
