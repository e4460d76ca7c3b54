/** What the supervisor and a worker process say to each other. */
import type { FailureClassName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import type { DatasetUse } from '../data/use.ts';
import type { AttemptName, KeptArtifact } from '../trainers/trainer.ts';

/** How a worker is set up: JSON in its first argument. */
export interface WorkerSetup {
  readonly dataDir: string;
  /** The folder in which the user's programs run: absolute. */
  readonly workdir: string;
  readonly requireGpu: boolean;
  /** Cores of the machine, and slots that share them. */
  readonly cores: number;
  readonly slots: number;
  /** GPUs of the machine. */
  readonly gpus: number;
  /** Slots that share the worker's GPU. */
  readonly gpuSharedBy: number;
  /** Trials that the worker trains as one pack at most; auto: as many as pay and fit. */
  readonly pack: number | 'auto';
}

export interface Assignment {
  readonly trainer: string;
  readonly parameters: Parameters;
  readonly seed: number;
  readonly key: AttemptName;
  readonly command: readonly string[];
  readonly checkpointEvery: number;
  readonly reconstructEvery: number;
  readonly resume: { readonly epoch: number; readonly path: string } | undefined;
  /** The attempt's folder (agent/attempt-folder.ts): made by the first who writes, removed by the supervisor. */
  readonly folder: string;
}

export interface KeptFile extends KeptArtifact {
  /** Bytes. */
  readonly size: number;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
}

export type ToWorker =
  /** Several are a pack, which the trainer runs as one program. */
  | { readonly kind: 'run'; readonly assignments: readonly Assignment[] }
  /** End the attempt soon; always answered by `stopped`. */
  | { readonly kind: 'stop'; readonly key: AttemptName };

export type FromWorker =
  | { readonly kind: 'ready'; readonly backend: string; readonly pack: number }
  /** A trial asked for its data set. */
  | { readonly kind: 'dataset'; readonly use: DatasetUse }
  /** The worker cannot work on this machine; it exits. */
  | { readonly kind: 'unfit'; readonly message: string }
  | ({ readonly key: AttemptName } & FromAttempt);

/** What becomes of one attempt. */
export type FromAttempt =
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  /** A file is whole and on the disk in the attempt's folder. */
  | { readonly kind: 'artifact'; readonly artifact: KeptFile }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly class: FailureClassName; readonly message: string }
  | { readonly kind: 'stopped' };
