/** The effects that the functions in slots.ts return, and that the agent carries out. */
import type { AttemptKey, Grant } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import type { PythonInterpreter, PythonPackages } from '../machine/python-environments.ts';
import type { NoticeKind } from '../trainers/trainer.ts';
import type { KeptFile } from '../worker/ipc.ts';

/** Identifies the NATS message of an offer. */
export type OfferToken = number;

export interface Granted {
  readonly key: AttemptKey;
  readonly grant: Grant;
}

/**
 * The command and the packages with which an attempt's program was started. The strings about Python are empty until
 * they are known, and stay empty if the program does not run in Python.
 */
export interface StartedProgram extends PythonPackages {
  readonly command: readonly string[];
}

export type RecordBody =
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'artifact'; readonly file: KeptFile }
  | { readonly kind: 'notice'; readonly warning: NoticeKind; readonly message: string; readonly count: number }
  | { readonly kind: 'program'; readonly program: StartedProgram }
  | { readonly kind: 'succeeded' }
  /** The attempt was not started. */
  | { readonly kind: 'returned' }
  | { readonly kind: 'failed'; readonly class: FailureClassName; readonly message: string };

export type SlotEffect =
  | { readonly kind: 'claim'; readonly slot: number; readonly key: AttemptKey }
  /** Acknowledges the offer, so that NATS does not redeliver it. */
  | { readonly kind: 'acknowledge'; readonly offer: OfferToken }
  /** Returns the offer to its NATS queue, so that another agent can take it. */
  | { readonly kind: 'return'; readonly offer: OfferToken }
  /** Hands attempts to the slot's worker. `start` is the current value of the slot's `starts`. */
  | { readonly kind: 'run'; readonly slot: number; readonly start: number; readonly granted: readonly Granted[] }
  /** Stops an attempt. With `keepFiles`, the files that its program wrote are kept. */
  | { readonly kind: 'stop'; readonly slot: number; readonly key: AttemptKey; readonly keepFiles?: true }
  /** Lists the packages of an interpreter (see `onPackages`). */
  | {
      readonly kind: 'list packages';
      readonly key: AttemptKey;
      readonly program: StartedProgram;
      readonly interpreter: PythonInterpreter;
    }
  /** Starts a new worker for the slot. */
  | { readonly kind: 'restart'; readonly slot: number }
  /** The attempt has ended on this agent. The attempt's folder can be removed once its records are acknowledged. */
  | { readonly kind: 'finished'; readonly key: AttemptKey }
  | { readonly kind: 'record'; readonly key: AttemptKey; readonly seq: number; readonly body: RecordBody };
