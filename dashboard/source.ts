/** Where the dashboard gets everything from: a coordinator, or a replay of what one has kept. */
import type { GetTrialResponse, WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Event, Report, Sweep, Trial } from '../proto/gen/trawl/v1/types.ts';
import type { Importance } from './state/model.ts';
import type { RetrySelection, SweepActionName } from './state/ui.ts';

export interface Source {
  /** The id that a sweep's id, name or `last` stands for. @throws {TrawlError} when there is none */
  find(sweep: string): Promise<string>;
  /** Until the sweep has ended or the signal fires; goes on by itself after a break. */
  watch(
    sweepId: string,
    heard: { readonly signal: AbortSignal; readonly onAway: (why: string) => void; readonly onBack: () => void },
  ): AsyncIterable<WatchResponse>;
  /** The last of its events up to one, the newest last, as far back as is quickly told. */
  earlierEvents(sweepId: string, until: number): Promise<readonly Event[]>;
  sweeps(): Promise<readonly Sweep[]>;
  /** By trial; those without a report are not in. */
  curves(sweepId: string, trialIds: readonly string[]): Promise<ReadonlyMap<string, readonly Report[]>>;
  trial(sweepId: string, trialId: string): Promise<GetTrialResponse>;
  /** The latest attempt's, in pieces, until it ends or the signal fires. */
  log(sweepId: string, trialId: string, signal: AbortSignal): AsyncIterable<string>;
  artifact(sweepId: string, trialId: string, attempt: number, name: string): Promise<Uint8Array>;
  /** @returns the sweep as it is then @throws {TrawlError} saying why not */
  controlSweep(sweepId: string, act: SweepActionName): Promise<Sweep>;
  /** Has trials tried again. @returns the sweep as it is then, and how many they are @throws {TrawlError} saying why not */
  retry(sweepId: string, which: RetrySelection): Promise<{ readonly sweep: Sweep; readonly retried: number }>;
  /** @returns the sweep as it is then @throws {TrawlError} saying why not */
  prioritize(sweepId: string, priority: number): Promise<Sweep>;
  /** Why a trial does not run, or what became of it, a line each. */
  explain(sweepId: string, trialId: string): Promise<readonly string[]>;
  /** Lets an agent take nothing new, or take work again. @throws {TrawlError} saying why not */
  drain(agentId: string, on: boolean): Promise<Agent>;
  importance(trials: readonly Trial[], metric: string, axes: readonly string[]): Promise<Importance>;
}
