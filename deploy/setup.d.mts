import type { NatsServer } from './setup/nats/find.mjs';

export type SetUpStep = 'dependencies' | 'build' | 'native' | 'nats';

export interface SetUpOptions {
  /** The checkout to set up. Default: the one that this file lies in. */
  root?: string;
  /**
   * Which steps to take, always in the order of the type. Default: all, but `native` only where an NVIDIA GPU is seen.
   */
  steps?: readonly SetUpStep[];
  /** Of the step `native`: a libtensorflow of the user's own, and what for. Default: fetched, for the GPU if one is seen. */
  native?: { from?: string; variant?: 'cpu' | 'cuda' };
  /** Told what was found and done, line by line. Default: stderr. */
  say?: (line: string) => void;
}

export interface SetUpResult {
  /** With the step `nats`. */
  nats?: NatsServer;
}

/**
 * Makes a checkout ready to run and does only what is not done yet; several processes may call it at once.
 * Ends the process if this Node is too old. Throws CommandError, NatsServerNotFoundError, NatsServerUnusableError.
 */
export function setUp(options?: SetUpOptions): Promise<SetUpResult>;
