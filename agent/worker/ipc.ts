/** The messages between the supervisor and a worker process. */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import type { Json } from '../../proto/values.ts';
import type { DatasetUse } from '../data/cache.ts';
import type { PythonInterpreter } from '../machine/python-environments.ts';
import type { KeptArtifact, NoticeKind, ResumePoint } from '../trainers/trainer.ts';

/** The configuration of a worker, passed as JSON in its first argument. */
export interface WorkerSetup {
  readonly dataDir: string;
  /** The absolute path of the folder in which users' programs run, unless the sweep sends their code. */
  readonly workdir: string;
  /** The prefix of the marker that identifies the processes of users' programs. */
  readonly marker: string;
  readonly requireGpu: boolean;
  /** The number of cores of the machine. */
  readonly cores: number;
  /** The number of slots that share the cores. */
  readonly slots: number;
  /** The number of visible NVIDIA GPUs of the machine. */
  readonly gpus: number;
  /** The number of slots that share the worker's GPU. */
  readonly gpuSharedBy: number;
  /**
   * The maximum number of trials in a pack. The value `auto` means the largest number that increases the throughput and
   * fits into memory.
   */
  readonly pack: number | 'auto';
  /**
   * Whether the agent accepts the message `started`. If trawl's files are replaced while an older agent runs, that
   * agent starts workers of the new version, and an unknown message would end the agent. Default: false.
   */
  readonly acceptsStarted?: boolean;
  /**
   * Whether the agent accepts the message `log`. If not, the worker prints the logs of all attempts to its own output.
   * Default: false.
   */
  readonly acceptsLogs?: boolean;
  /**
   * Whether the worker loads the backend `wasm`, and no other, before its first attempt that needs a backend, and not at
   * its start. Users' programs need no backend, and a worker without one starts faster and needs less memory. Default:
   * false.
   */
  readonly loadsOnDemand?: boolean;
  /**
   * If a worker of at most this age, in seconds, cannot load its backend on demand, the attempt fails. An older worker
   * exits instead, because an upgrade may have replaced trawl's files. Default: 60.
   */
  readonly maxLoadFailureAgeS?: number;
}

export interface Assignment {
  readonly trainer: string;
  /** Plain JSON, because instances of a class cannot be sent to the worker. */
  readonly parameters: Readonly<Record<string, Json>>;
  readonly seed: number;
  readonly key: AttemptKey;
  readonly command: readonly string[];
  readonly program: ProgramSpec | undefined;
  /** The path of the archive with the code of the program. Undefined if the program runs in `workdir`. */
  readonly code: string | undefined;
  readonly checkpointEvery: number;
  readonly reconstructEvery: number;
  readonly resume: ResumePoint | undefined;
  /**
   * The attempt's folder (see folders.ts). The worker creates the folder only when it needs the folder. The supervisor
   * removes the folder later.
   */
  readonly folder: string;
}

export interface KeptFile extends KeptArtifact {
  /** The size of the file in bytes. */
  readonly size: number;
  /** The SHA-256 in lower-case hexadecimal. */
  readonly sha256: string;
}

export type ToWorker =
  /** If there are several assignments, they form a pack: the trainer runs their attempts together. */
  | { readonly kind: 'run'; readonly assignments: readonly Assignment[] }
  /**
   * Stops the attempt. With `keepFiles`, the files that its program wrote are kept. The worker always answers this
   * message with `stopped`.
   */
  | { readonly kind: 'stop'; readonly key: AttemptKey; readonly keepFiles: boolean }
  /** The worker answers this message with `pong`. */
  | { readonly kind: 'ping' };

export type FromWorker =
  | {
      readonly kind: 'ready';
      readonly backend: string;
      /** The maximum number of trials that the worker trains together. */
      readonly pack: number;
      /** Reasons why `pack` is not larger, for the agent's log. */
      readonly warnings?: readonly string[];
    }
  /**
   * If the agent accepts this message, the worker sends it after it has received a `run` message and before it runs the
   * attempts.
   */
  | { readonly kind: 'started'; readonly keys: readonly AttemptKey[] }
  /** The worker sends this message each time a trial loads its data set. */
  | { readonly kind: 'dataset'; readonly use: DatasetUse }
  /** The worker sends this message when it cannot run on this machine, and then exits. */
  | { readonly kind: 'unfit'; readonly message: string }
  | { readonly kind: 'pong' }
  | ({ readonly key: AttemptKey } & FromAttempt);

/** The messages that concern one attempt. */
export type FromAttempt =
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  /** An artifact is complete and durable in the attempt's folder. */
  | { readonly kind: 'artifact'; readonly artifact: KeptFile }
  | {
      readonly kind: 'notice';
      readonly warning: NoticeKind;
      readonly message: string;
      readonly count: number;
    }
  /** Text for the log of the attempt. Only if the agent accepts this message. */
  | { readonly kind: 'log'; readonly text: string }
  /** The worker starts the program of the attempt. */
  | {
      readonly kind: 'program';
      /** The command line as it is recorded (see `recordedCommand` in invocation.ts). */
      readonly command: readonly string[];
      readonly interpreter: PythonInterpreter | undefined;
    }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly class: FailureClassName; readonly message: string }
  | { readonly kind: 'stopped' };
