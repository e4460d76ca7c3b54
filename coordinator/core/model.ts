/**
 * What the coordinator knows, in memory. Plain data: the functions beside this file change it, and say what has to be
 * stored and sent.
 *
 * - **sweep**: a submitted file.
 * - **trial**: one point of its grid and one seed.
 * - **attempt**: one run of a trial on one agent, numbered from 1 without gaps. The number is the fencing token.
 * - **pack**: trials that one slot trains together, in one program. Each has a lease, records and an end of its own.
 * - **offer**: an invitation on NATS to run a trial. **lease**: the right to, which expires unless renewed.
 * - **record**: something an attempt tells (an epoch's metrics, log text, its end), numbered from 1.
 * - **agent**: a machine that runs trials, in its **slots**. Its **incarnation** is new with each start of its process.
 * - **pool**: slots that have the same, and so may run the same trials (pools.ts). Each has a queue of offers of its own.
 *
 * Times are milliseconds of one clock that never jumps (coordinator/clock.ts); `Ms` in a name is a duration.
 */
import type TinyQueue from 'tinyqueue';
import type { GpuFigures } from '../../proto/gen/trawl/v1/types.ts';
import type { Labels } from '../../proto/labels.ts';
import type {
  ArtifactKindName,
  AttemptOutcomeName,
  FailureClassName,
  SweepStateName,
  TrialStateName,
} from '../../proto/names.ts';
import type { Guess, Share, Stay } from './share.ts';

export interface AttemptKey {
  readonly sweepId: string;
  readonly trialId: string;
  readonly attempt: number;
}

/** One string for an attempt, for maps. */
export function keyText(key: AttemptKey): string {
  return `${key.sweepId}/${key.trialId}/${key.attempt}`;
}

export interface Failure {
  readonly class: FailureClassName;
  readonly message: string;
}

/** How an attempt ended. */
export type Ending =
  | { readonly outcome: Exclude<AttemptOutcomeName, 'failed'> }
  | { readonly outcome: 'failed'; readonly failure: Failure };

/** What a sweep's trials ask of the slot that runs them. */
export interface Demand {
  /** By name: one of proto/trainers.ts. */
  readonly trainer: string;
  readonly resources: Resources;
}

export interface Resources {
  /** GPUs that the slot must have; false: it must have none; undefined: either will do. */
  readonly gpu?: number | false;
  /** Bytes that a trial may count on, on each GPU. */
  readonly vramBytes?: number;
  /** Which the agent must have, with these values. */
  readonly labels: Labels;
}

/** What a slot has to offer, as far as anything may ask for it. */
export interface SlotFacts {
  /** GPUs that its worker sees. */
  readonly gpus: number;
  /** Bytes that it may count on, on each of them. */
  readonly vramBytes: number;
}

/** What a sweep file says about how its trials are run. */
export interface SweepPolicy extends Demand {
  /** Trials that may be offered or running at once. */
  readonly concurrency: number | undefined;
  readonly retry: RetryBudget;
  readonly timeoutMs: number | undefined;
  readonly maxFailed:
    | { readonly kind: 'count'; readonly count: number }
    | { readonly kind: 'share'; readonly ratio: number }
    | undefined;
  /** Epochs from one checkpoint to the next; 0: none are made. */
  readonly checkpointEvery: number;
  /** Epochs from one look at the reconstructions to the next; 0: none are made. */
  readonly reconstructEvery: number;
  /** The program of trainer `command`; empty for the others. */
  readonly command: readonly string[];
  /** Its part of the slots beside other sweeps of its priority; positive. */
  readonly weight: number;
}

/** A file that an attempt left behind. */
export interface Artifact {
  readonly name: string;
  readonly kind: ArtifactKindName;
  /** Of which epoch it is; 0: of none. */
  readonly epoch: number;
  /** Bytes. */
  readonly size: number;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
}

/** What a trial's next attempt goes on from. */
export interface Checkpoint extends Artifact {
  /** The attempt that left it. */
  readonly attempt: number;
}

/** Attempts after the first that each class of failure may cost a trial. */
export interface RetryBudget {
  readonly oom: number;
  readonly crash: number;
  readonly timeout: number;
  /** Before the first retry; doubles with each. */
  readonly backoffMs: number;
}

export interface Lease {
  readonly key: AttemptKey;
  readonly agentId: string;
  readonly incarnation: string;
  readonly slot: number;
  /** The same for all that were granted together, to be trained as one pack. */
  readonly pack: string;
  readonly grantedAt: number;
  /** The slot's time, shared with the others of the pack. */
  readonly stay: Stay;
  expiresAt: number;
  /** The newest record taken. */
  lastSeq: number;
}

export interface Trial {
  readonly id: string;
  readonly index: number;
  state: TrialStateName;
  /** What it must have in common with the trials of its pack; undefined: it is trained alone. */
  readonly packKey: string | undefined;
  /** Attempts granted so far. */
  attempts: number;
  /** Failed attempts by class, for the retry budget; a person who has it tried again begins them anew. */
  failures: Partial<Record<FailureClassName, number>>;
  /** How its last attempt failed; undefined once it has gone further. */
  failure: FailureClassName | undefined;
  /** When its offer was made, and to which pool (undefined: before a restart); of use while it is offered. */
  offeredAt: number;
  pool: string | undefined;
  /** Not to run before: a wait before a retry. */
  readyAt: number;
  /** The newest; undefined: the next attempt begins at the beginning. */
  checkpoint: Checkpoint | undefined;
  /** Set while the trial runs. */
  lease: Lease | undefined;
}

export type SweepState = SweepStateName;

export interface Sweep {
  readonly id: string;
  readonly policy: SweepPolicy;
  state: SweepState;
  /** Trials of a sweep with more go first, whatever the others have. */
  priority: number;
  readonly share: Share;
  readonly trials: Map<string, Trial>;
  readonly counts: Record<TrialStateName, number>;
  /** Trials that are offered. */
  readonly offers: Set<Trial>;
  /** Trials that may be offered, by index. May hold trials that are not pending any more. */
  readonly ready: TinyQueue<Trial>;
  /** The same by packKey, offered ones among them: where mates are found. May hold trials that run or have ended. */
  readonly packable: Map<string, TinyQueue<Trial>>;
  /** Trials that wait for their retry, by time. May hold trials that are not pending any more. */
  readonly delayed: TinyQueue<{ readonly trial: Trial; readonly readyAt: number }>;
  /** Whether a pool's slots may run its trials, as found before: neither changes. */
  readonly suits: Map<string, boolean>;
}

export interface Agent {
  readonly id: string;
  incarnation: string;
  host: string;
  version: string;
  slots: number;
  /** Trials that one slot trains as a pack; 1: none. */
  pack: number;
  backend: string;
  gpus: readonly string[];
  labels: Labels;
  /** What it can train with. */
  trainers: readonly string[];
  /** Of each slot; none: its slots have no GPU. */
  slotFacts: readonly SlotFacts[];
  /** The pool of each slot. */
  pools: readonly string[];
  /** As its last heartbeat told them: to be shown, and for no decision. */
  gpuFigures?: readonly GpuFigures[];
  /** HOST:PORT at which Prometheus finds it; empty: nowhere. */
  metrics: string;
  state: 'connected' | 'lost';
  /** It says itself that it takes nothing new: it is to end. */
  leaving: boolean;
  lastHeardAt: number;
}

/** A person wants an agent to take nothing new. */
export interface Drain {
  /** What still runs then is handed back. */
  readonly graceEndsAt: number;
  /** When the store was last told what is left of the grace. */
  notedAt: number;
  /** For whoever looks; may be empty. */
  readonly reason: string;
}

export interface Core extends Guess {
  /** In order of submission. */
  readonly sweeps: Map<string, Sweep>;
  readonly agents: Map<string, Agent>;
  /** By agent. They outlive its process, and the coordinator's. */
  readonly drains: Map<string, Drain>;
  /** Every running attempt, by keyText. Changed in leases.ts only. */
  readonly leases: Map<string, Lease>;
  /** How many leases each slot in use has, by agent and slot. */
  readonly slotsInUse: Map<string, Map<number, number>>;
  /** Since when agents could be heard without a break: nobody is blamed for the time before. */
  listeningSince: number;
  readonly leaseMs: number;
}

export function isEnded(state: SweepState): state is 'finished' | 'stopped' | 'killed' {
  return state === 'finished' || state === 'stopped' || state === 'killed';
}
