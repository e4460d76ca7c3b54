/** The numbers in the header, computed in one pass over the trials. */

import { endedTotal, sweepEnded, trialEnded, trialTotal } from '../../lib/domain/trial-state.ts';
import { type Agent, AgentState, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type FailureClassName, failureClass } from '../../proto/names.ts';
import type { DashboardState } from './reducer.ts';

/** This window is long enough for a steady rate, and short enough to reflect a lost agent. */
const RATE_WINDOW_MS = 10 * 60_000;

/** Quantile of the normal distribution for a two-sided 95% interval. */
const TWO_SIDED_95 = 1.96;

export interface Summary {
  readonly elapsedMs: number;
  /** Trials per minute over the last RATE_WINDOW_MS; undefined until a trial has ended. */
  readonly perMinute: number | undefined;
  /** The estimated time left. Undefined if there is no rate. */
  readonly etaMs: number | undefined;
  /**
   * The 95% interval of the time left, from the number of trials in the window (a Poisson count); undefined when too few
   * trials have ended.
   */
  readonly etaRangeMs: readonly [number, number] | undefined;
  /** Total slot time of the trials' latest attempts. */
  readonly slotMs: number;
  /** The part of `slotMs` on agents with GPUs. */
  readonly gpuMs: number;
  /** Failed trials by class, most frequent first. */
  readonly failures: readonly (readonly [FailureClassName, number])[];
}

const MIN_TRIALS_FOR_RANGE = 5;

/** @param now Unix milliseconds */
export function summaryOf(state: DashboardState, now: number): Summary {
  const { sweep } = state;
  const until = sweep !== undefined && sweepEnded(sweep) && sweep.endedAtMs > 0 ? sweep.endedAtMs : now;
  const windowStart = until - RATE_WINDOW_MS;
  const withGpu = new Set(state.agents.filter(hasGpu).map(({ id }) => id));
  const failures = new Map<FailureClassName, number>();
  let firstStart = until;
  let endedInWindow = 0;
  let slotMs = 0;
  let gpuMs = 0;
  state.trials.forEach((trial) => {
    if (trial.failure !== undefined && trial.state === 'TRIAL_STATE_FAILED') {
      const name = failureClass.of(trial.failure.class);
      failures.set(name, (failures.get(name) ?? 0) + 1);
    }
    if (trial.startedAtMs === 0) return;
    firstStart = Math.min(firstStart, trial.startedAtMs);
    if (trialEnded(trial) && trial.endedAtMs > windowStart) endedInWindow++;
    const ms = runtimeMs(trial, until);
    slotMs += ms;
    if (withGpu.has(trial.agentId)) gpuMs += ms;
  });
  const spanMs = until - Math.max(firstStart, windowStart);
  const perMinute = endedInWindow > 0 && spanMs > 0 ? endedInWindow / (spanMs / 60_000) : undefined;
  const total = sweep === undefined ? 0 : trialTotal(sweep);
  const ended = sweep === undefined ? 0 : endedTotal(sweep);
  const etaMs = perMinute === undefined || ended >= total ? undefined : ((total - ended) / perMinute) * 60_000;
  return {
    elapsedMs: sweep === undefined ? 0 : Math.max(0, until - sweep.createdAtMs),
    perMinute,
    etaMs,
    etaRangeMs: etaMs === undefined ? undefined : rangeOf(etaMs, endedInWindow, total - ended),
    slotMs,
    gpuMs,
    failures: [...failures].sort(([, a], [, b]) => b - a),
  };
}

/** Combines the variances of the number of ended trials and of the number of remaining trials. */
function rangeOf(etaMs: number, seen: number, left: number): readonly [number, number] | undefined {
  if (seen < MIN_TRIALS_FOR_RANGE) return undefined;
  const relative = TWO_SIDED_95 * Math.sqrt(1 / seen + 1 / left);
  return [etaMs / (1 + relative), etaMs * (1 + relative)];
}

const hasGpu = ({ gpus, state }: Agent): boolean => gpus.length > 0 && state !== AgentState.UNSPECIFIED;

/** Returns how long the latest attempt has run. */
export const runtimeMs = (trial: Trial, now: number): number =>
  trial.startedAtMs === 0 ? 0 : Math.max(0, (trial.endedAtMs || now) - trial.startedAtMs);
