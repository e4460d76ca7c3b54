/** The interface between the worker and the trainers. */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ArtifactKindName, FailureClassName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import type { PythonInterpreter } from '../machine/python-environments.ts';

/** A checkpoint to resume from. */
export interface ResumePoint {
  readonly epoch: number;
  readonly path: string;
  /**
   * Whether the checkpoint is from the trial's parent. The seed and the parameters of the parent may differ from those
   * of the trial, except for the parameters that shape the network and the data. Default: false
   */
  readonly inherited?: boolean;
}

/** Writes the log of an attempt. */
export interface AttemptLog {
  /**
   * Adds text. If a large amount of text has not been sent yet, returns a promise. The caller must then await the promise
   * before it adds more text.
   */
  text(text: string): Promise<void> | undefined;
  /** Adds a line written by trawl. */
  note(line: string): void;
}

/** One attempt, from the point of view of the trainer. */
export interface TrainingRun {
  /** All parameters, including defaults. The coordinator validated the parameters when the sweep was submitted. */
  readonly parameters: Parameters;
  /** A safe integer that determines all randomness of the attempt. */
  readonly seed: number;
  /** The folder of the data set cache. */
  readonly dataDir: string;
  /**
   * The signal is aborted when the attempt must stop. The trainer must then throw `signal.reason` within a short time.
   */
  readonly signal: AbortSignal;
  /** The attempt's own folder. The trainer creates the folder if needed; the folder is removed after the attempt. */
  readonly dir: string;
  /** Identifies the attempt. */
  readonly key: AttemptKey;
  /**
   * For the trainer `command`: the command line of the user's program, with unexpanded macros (see proto/command.ts).
   */
  readonly command: readonly string[];
  /** The settings for running the user's program and reading its reports. If undefined, the default settings apply. */
  readonly program: ProgramSpec | undefined;
  /** The absolute path of the folder in which users' programs run, unless the sweep sends their code. */
  readonly workdir: string;
  /** For the trainer `command`: the environment variables that the user's program inherits. */
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /** The prefix of the marker that identifies the processes of the program (see command/processes.ts). */
  readonly marker: string;
  /** The path of the archive with the code of the program. Undefined if the program runs in `workdir`. */
  readonly code: string | undefined;
  /** The number of epochs between checkpoints. A value of zero means no checkpoints. */
  readonly checkpointEvery: number;
  /**
   * The number of epochs between reconstructions. With a number n, reconstructions are kept at epochs 1, 1 + n, 1 + 2n,
   * ..., and at the last epoch. A value of zero means no reconstructions.
   */
  readonly reconstructEvery: number;
  /**
   * The intact checkpoint of an earlier attempt, or of the trial's parent. The trainer resumes after the epoch of the
   * checkpoint.
   */
  readonly resume: ResumePoint | undefined;
  readonly log: AttemptLog;
  /**
   * Reports the metrics of a step. The built-in trainers count epochs from 1. The steps of a user's program can be any
   * non-negative numbers, in any order.
   */
  report(epoch: number, metrics: Readonly<Record<string, number>>): void;
  /**
   * Keeps an artifact of the trial: bytes, or a file below `dir`. The file is moved. Earlier reports are sent before
   * the artifact.
   * @throws {BadInputError} for an invalid name, or when a limit on artifacts is exceeded (see proto/limits.ts)
   */
  keep(artifact: KeptArtifact, content: Uint8Array | { readonly path: string }): Promise<void>;
  /** Sends a warning about the attempt. A later warning of the same kind replaces an earlier warning. */
  notice(kind: NoticeKind, message: string, count: number): void;
  /**
   * Records how the user's program is started, so that the attempt can be reproduced.
   * @param interpreter the interpreter of a Python program. Undefined for other programs
   */
  started(command: readonly string[], interpreter: PythonInterpreter | undefined): void;
}

/** A warning that a trainer sends about its attempt. */
export type NoticeKind = 'unreadable_reports' | 'hook_not_loaded';

export interface KeptArtifact {
  /**
   * The name of the artifact, which is a relative path with slashes. An attempt can use each artifact name only once.
   */
  readonly name: string;
  readonly kind: ArtifactKindName;
  /** The epoch of the artifact; zero if the artifact belongs to no epoch. */
  readonly epoch: number;
}

export interface Trainer {
  /** Whether a TensorFlow.js backend must be loaded before an attempt runs. Default: false. */
  readonly needsBackend?: true;
  /**
   * Runs one attempt. Resolves when the attempt has succeeded, and rejects when it has failed. The error is a {@link
   * TrainingError} if the cause is known.
   */
  run(run: TrainingRun): Promise<void>;
  /**
   * Runs several attempts together, as a pack. The attempts must be packable (see `packsBy` in proto/trainers.ts). Each
   * attempt ends independently. Except for rounding, an attempt does not affect the results of other attempts.
   */
  pack?(runs: readonly TrainingRun[]): readonly Promise<void>[];
}

/**
 * The abort reason of `TrainingRun.signal` if a rule of the sweep stopped the trial. In this case, the files that the
 * program wrote are kept.
 */
export class StoppedByRule extends Error {
  override readonly name = 'StoppedByRule';

  constructor() {
    super('a rule of the sweep stopped the trial');
  }
}

/** The error of a failed attempt, with the class of the failure. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError';
  readonly failureClass: FailureClassName;

  constructor(failureClass: FailureClassName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failureClass = failureClass;
  }
}
