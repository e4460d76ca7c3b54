/** What a trainer is given and what it may throw: the contract between agent/worker and agent/trainers. */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { ArtifactKindName, FailureClassName } from '../../proto/names.ts';
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
  /** A folder of the attempt's own: not there until the trainer makes it, removed when the attempt is over. */
  readonly dir: string;
  /** Names the attempt to a program of the user's own. */
  readonly key: AttemptKey;
  /** The user's program, for trainer `command`: with macros as in proto/command.ts. */
  readonly command: readonly string[];
  /** The folder in which the user's programs run: absolute. */
  readonly workdir: string;
  /** Epochs from one checkpoint to the next; 0: none are wanted. */
  readonly checkpointEvery: number;
  /** Epochs from one look at the reconstructions to the next (1, 1 + n, ..., and the last); 0: none are wanted. */
  readonly reconstructEvery: number;
  /** The checkpoint of an earlier attempt at the same trial, whole and verified: the trainer goes on after its epoch. */
  readonly resume: { readonly epoch: number; readonly path: string } | undefined;
  /**
   * Metrics at the end of an epoch. Epochs are counted from 1 and rise; only a program of the user's own leaves some out.
   */
  report(epoch: number, metrics: Readonly<Record<string, number>>): void;
  /**
   * Keeps a file with the trial: bytes, or a file below `dir`, which is moved away. What was reported before is on its
   * way before it. A checkpoint of an epoch comes after the epoch's report.
   * @throws {BadInputError} for a name that proto/limits.ts refuses, or too many or too large artifacts
   */
  keep(artifact: KeptArtifact, content: Uint8Array | { readonly path: string }): Promise<void>;
}

export interface KeptArtifact {
  /** Relative, folders separated by slashes; an attempt uses a name once. */
  readonly name: string;
  readonly kind: ArtifactKindName;
  /** Of which epoch it is; 0: of none. */
  readonly epoch: number;
}

export interface Trainer {
  /** Runs one attempt to its end. Resolves when it succeeded; throws otherwise, a {@link TrainingError} where the cause is known. */
  run(run: TrainingRun): Promise<void>;
  /**
   * Runs several that fit together (`packsBy` in proto/trainers.ts) as one program. Each has an end of its own: what
   * stops or fails one leaves the others as they are, as does its being there at all, but for rounding.
   */
  pack?(runs: readonly TrainingRun[]): readonly Promise<void>[];
}

/** An attempt failed, and the trainer knows how. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError';
  readonly failureClass: FailureClassName;

  constructor(failureClass: FailureClassName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failureClass = failureClass;
  }
}
