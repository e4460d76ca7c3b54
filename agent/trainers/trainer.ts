/** What a trainer is given and what it may throw: the contract between agent/worker and agent/trainers. */
import type { FailureClassName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';

/** One attempt, as its trainer sees it. */
export interface TrainingRun {
  /** Complete: defaults are filled in, and the coordinator has checked them at submit. */
  readonly parameters: Parameters;
  /** All randomness of the attempt comes from this number: a safe integer. */
  readonly seed: number;
  /** Folder of the data set cache. */
  readonly dataDir: string;
  /** Aborted when the attempt must stop: the trainer soon throws `signal.reason`. */
  readonly signal: AbortSignal;
  /** Metrics at the end of an epoch, counted from 1, in order and without gaps. */
  report(epoch: number, metrics: Readonly<Record<string, number>>): void;
}

/** Runs one attempt to its end. Resolves when it succeeded; throws otherwise, a {@link TrainingError} where the cause is known. */
export type Trainer = (run: TrainingRun) => Promise<void>;

/** An attempt failed, and the trainer knows how. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError';
  readonly failureClass: FailureClassName;

  constructor(failureClass: FailureClassName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failureClass = failureClass;
  }
}
