/** The completion of one run in a pack, and the failures that the trainer itself detects. */
import { TrainingError, type TrainingRun } from '../trainer.ts';

/** The completion of one run, which succeeds or fails exactly once. */
export class RunCompletion {
  readonly promise: Promise<void>;
  readonly #run: TrainingRun;
  #isComplete = false;
  #resolve: () => void = () => {};
  #reject: (reason: unknown) => void = () => {};

  constructor(run: TrainingRun) {
    this.#run = run;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Prevents an unhandled rejection if the caller awaits the promise only after it has rejected.
    this.promise.catch(() => {});
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  succeed(): void {
    this.#isComplete = true;
    this.#resolve();
  }

  /** Rejects with the error or, if the run was stopped, with the reason for the stop. */
  fail(error: unknown): void {
    this.#isComplete = true;
    this.#reject(this.#run.signal.aborted ? this.#run.signal.reason : error);
  }
}

/**
 * Matches the out-of-memory messages of V8, WebAssembly, CUDA and TensorFlow. TensorFlow reports `Dst tensor is not
 * initialized` if the memory for a copy to the GPU could not be allocated.
 */
const OUT_OF_MEMORY =
  /\bOOM\b|out of memory|RESOURCE_EXHAUSTED|allocation failed|failed to allocate|cannot enlarge memory|could not allocate memory|Dst tensor is not initialized/i;

export function isOutOfMemory(error: unknown): error is Error {
  return error instanceof Error && OUT_OF_MEMORY.test(error.message);
}

/**
 * @param where start of the message, such as `epoch 3`
 * @throws {TrainingError} `nan` when a value is NaN or infinite; the message lists each such value
 */
export function checkFinite(where: string, values: Readonly<Record<string, number>>): void {
  const invalid = Object.entries(values).filter(([, value]) => !Number.isFinite(value));
  if (invalid.length === 0) return;
  const list = invalid.map(([name, value]) => `${name} is ${value}`).join(', ');
  throw new TrainingError('nan', `${where}: ${list}`);
}
