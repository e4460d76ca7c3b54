/** What a decision asks the world to do: first make the changes durable, then let the outputs leave. */
import type { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName, TrialStateName } from '../../proto/names.ts';
import type { Artifact, AttemptKey, Ending, Failure, SweepState } from './model.ts';

/** A fact to be stored. What happens to sweeps, trials and attempts is one row in the event log each, but for log text. */
export type Change =
  | {
      readonly kind: 'trial';
      readonly sweepId: string;
      readonly trialId: string;
      /** A trial begins to run by being granted: that change says so. */
      readonly state: Exclude<TrialStateName, 'running'>;
      /** Why, for a person; empty when the state says it all. */
      readonly detail: string;
      /** The last attempt's failure, when it is why. */
      readonly failure: Failure | undefined;
    }
  /** A person has a trial tried again: it waits as at first, with its whole budget of failures. */
  | {
      readonly kind: 'retried';
      readonly sweepId: string;
      readonly trialId: string;
      /** Of the person's request, which may come again. */
      readonly requestId: string;
      /** Attempts that it has had: how those failed does not count any more. */
      readonly attempts: number;
      /** How it had failed; undefined: it was cancelled. */
      readonly failure: FailureClassName | undefined;
      /** The epoch of the checkpoint that it will go on from; 0: it begins at the beginning, and no checkpoint is kept. */
      readonly resumesFrom: number;
    }
  | {
      readonly kind: 'granted';
      readonly key: AttemptKey;
      readonly agentId: string;
      readonly incarnation: string;
      readonly slot: number;
      /** The same for all that were granted together. */
      readonly pack: string;
      readonly backend: string;
      /** The epoch of the checkpoint that it goes on from; 0: none. */
      readonly resumedFrom: number;
    }
  | { readonly kind: 'ended'; readonly key: AttemptKey; readonly ending: Ending }
  | { readonly kind: 'sweep'; readonly sweepId: string; readonly state: SweepState; readonly reason: string }
  | { readonly kind: 'priority'; readonly sweepId: string; readonly priority: number; readonly before: number }
  /** An agent is drained, or (undefined) may take work again. */
  | { readonly kind: 'drain'; readonly agentId: string; readonly drain: StoredDrain | undefined }
  | {
      readonly kind: 'report';
      readonly key: AttemptKey;
      readonly seq: number;
      readonly at: number;
      readonly epoch: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: 'log';
      readonly key: AttemptKey;
      readonly seq: number;
      readonly at: number;
      readonly text: string;
    }
  | {
      readonly kind: 'artifact';
      readonly key: AttemptKey;
      readonly seq: number;
      readonly at: number;
      readonly artifact: Artifact;
    };

/** A drain as it outlives the process. What is left is a duration: no clock need agree with an earlier one's. */
export interface StoredDrain {
  readonly graceLeftMs: number;
  readonly reason: string;
}

/** Something that may leave the coordinator once the changes before it are durable. */
export type Output =
  | { readonly kind: 'offer'; readonly pool: string; readonly key: AttemptKey }
  /** The agent must end the attempt, which is none of its business any more. */
  | { readonly kind: 'dismiss'; readonly agentId: string; readonly key: AttemptKey; readonly refusal: Refusal }
  /** The agent must take nothing new, or may again, as its drain says. */
  | { readonly kind: 'drain'; readonly agentId: string };

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/** Collects what a decision asks for. */
export class Step {
  readonly changes: Change[] = [];
  readonly outputs: Output[] = [];
}
