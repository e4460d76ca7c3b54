/** Defines the interface between the dashboard and its caller: the data, the actions and the views. */
import type { GetTrialResponse, ListRungsResponse, WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Config, Event, Report, Sweep, Trial } from '../proto/gen/trawl/v1/types.ts';
import type { FailureClassName } from '../proto/names.ts';
import type { ReplayClock } from './state/replay-clock.ts';

/** The views with a number key, in the order of their keys. */
export const PANES = ['sweep', 'parameters', 'agents', 'events', 'sweeps', 'errors', 'rungs'] as const;
export type Pane = (typeof PANES)[number];

export type SweepActionName = 'pause' | 'resume' | 'stop' | 'kill';

/**
 * The trials to retry, by id or by failure class. `all` selects the failed trials of every failure class. If
 * `cancelled` is true, the cancelled trials are also selected.
 */
export type RetrySelection =
  | { readonly trials: readonly string[] }
  | { readonly failures: 'all' | readonly FailureClassName[]; readonly cancelled: boolean };

/** A value of a parameter, with the metric's mean over all values of the other parameters. */
export interface EffectLevel {
  readonly value: string;
  readonly mean: number;
  /** The confidence interval of the mean. Undefined if the results do not suffice to compute it. */
  readonly interval: { readonly low: number; readonly high: number } | undefined;
  /** The number of finished trials with this value, and the range of their results. */
  readonly n: number;
  readonly lowest: number;
  readonly highest: number;
}

/** An analysis of variance of the finished trials, as shown in the parameters view. */
export interface ParameterImportance {
  readonly metric: string;
  /** A text that explains why there is no analysis, or that names the parameters that the analysis skipped. */
  readonly why: string;
  /** Whether the shares and means are estimates, because the finished trials are not a complete grid. */
  readonly estimated: boolean;
  /** The share of the variance by parameter, largest first. */
  readonly effects: readonly {
    readonly parameter: string;
    readonly share: number;
    readonly p: number | undefined;
    /** Undefined if the results allow no significance test. */
    readonly significant: boolean | undefined;
    readonly levels: readonly EffectLevel[];
  }[];
  readonly interactions: readonly { readonly parameters: readonly [string, string]; readonly share: number }[];
}

/** The mean of a set of results minus the mean of the first set. */
export interface MeanDifference {
  readonly difference: number;
  /** The confidence interval of the difference, and its level, such as 0.95. */
  readonly low: number;
  readonly high: number;
  readonly level: number;
  readonly verdict: 'higher' | 'lower' | 'undecided';
  /** A sentence with the number of further seeds that would probably decide an undecided difference. */
  readonly moreSeeds: string;
}

interface WatchListener {
  readonly signal: AbortSignal;
  readonly onOutage: (reason: string) => void;
  readonly onReconnect: () => void;
}

interface ReplayControl {
  readonly clock: () => ReplayClock;
  /** Replaces the clock. A watch that begins afterward starts at the moment that the clock shows. */
  readonly set: (clock: ReplayClock) => void;
}

/**
 * A coordinator, a store without a coordinator, or the replay of an ended sweep. A method that fails throws an error
 * with the reason.
 */
export interface Source {
  /** Whether actions are rejected: either no coordinator runs, or a replay is shown. */
  readonly readonly?: boolean | undefined;
  /** Controls the replay. Undefined if no replay is shown. */
  readonly replay?: ReplayControl | undefined;
  /** Returns the id of a sweep, given its id, its name or `last`. */
  find(sweep: string): Promise<string>;
  /** Streams updates until the sweep ends or the signal is aborted. The stream reconnects after an outage. */
  watch(sweepId: string, listener: WatchListener): AsyncIterable<WatchResponse>;
  /** Returns the recent events up to and including the given event, oldest first. */
  earlierEvents(sweepId: string, until: number): Promise<readonly Event[]>;
  sweeps(): Promise<readonly Sweep[]>;
  /** Returns up to `limit` configs of a sweep by rank, best first. */
  best(sweepId: string, limit: number): Promise<readonly Config[]>;
  /** Returns the reports of trials by trial id. Trials without reports are omitted. */
  curves(sweepId: string, trialIds: readonly string[]): Promise<ReadonlyMap<string, readonly Report[]>>;
  trial(sweepId: string, trialId: string): Promise<GetTrialResponse>;
  /** Returns the rungs of the early-stopping rule of a sweep. */
  rungs(sweepId: string): Promise<ListRungsResponse>;
  /** Streams the log of the latest attempt until the attempt ends or the signal is aborted. */
  log(sweepId: string, trialId: string, signal: AbortSignal): AsyncIterable<string>;
  artifact(sweepId: string, trialId: string, attempt: number, name: string): Promise<Uint8Array>;
  /** Returns the updated sweep. */
  controlSweep(sweepId: string, action: SweepActionName): Promise<Sweep>;
  /** Cancels a trial. If the trial is running, its attempts are ended. Returns the updated trial. */
  killTrial(sweepId: string, trialId: string): Promise<Trial>;
  /** Returns the updated sweep and the number of retried trials. */
  retry(sweepId: string, selection: RetrySelection): Promise<{ readonly sweep: Sweep; readonly retried: number }>;
  /** Sets the priority of a sweep. Returns the updated sweep. */
  prioritize(sweepId: string, priority: number): Promise<Sweep>;
  /** Returns the lines that explain why a trial is not running or how it ended. */
  explain(sweepId: string, trialId: string): Promise<readonly string[]>;
  /** Drains an agent, or ends its drain if `on` is false. Returns the updated agent. */
  drain(agentId: string, on: boolean): Promise<Agent>;
  importance(trials: readonly Trial[], metric: string, axes: readonly string[]): Promise<ParameterImportance>;
  /**
   * Compares the mean of each set of results with the mean of the first set. A difference is undefined if one of the
   * two sets has fewer than two results.
   */
  differences(sets: readonly (readonly number[])[]): readonly (MeanDifference | undefined)[];
}
