/** What the supervisor and a worker process say to each other. */
import type { FailureClassName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';

/** How a worker is set up: JSON in its first argument. */
export interface WorkerSetup {
  readonly dataDir: string;
  readonly requireGpu: boolean;
  /** GPUs of the machine. */
  readonly gpus: number;
}

export interface Assignment {
  readonly trainer: string;
  readonly parameters: Parameters;
  readonly seed: number;
}

export type ToWorker =
  | { readonly kind: 'run'; readonly assignment: Assignment }
  /** End the attempt soon; always answered by `stopped`. */
  | { readonly kind: 'stop' };

export type FromWorker =
  | { readonly kind: 'ready'; readonly backend: string }
  /** The worker cannot work on this machine; it exits. */
  | { readonly kind: 'unfit'; readonly message: string }
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly class: FailureClassName; readonly message: string }
  | { readonly kind: 'stopped' };
