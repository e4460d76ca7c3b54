/** What the header says of a sweep's trials, from one walk over them. */

import { endedTotal, sweepEnded, trialEnded, trialTotal } from '../../lib/domain/trial-state.ts';
import { type Agent, AgentState, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type FailureClassName, failureClass } from '../../proto/names.ts';
import type { DashboardState } from './reducer.ts';

/** How far back the pace is measured: long enough to be steady, short enough to notice a lost agent. */
const PACE_WINDOW_MS = 10 * 60_000;

/** Of the normal distribution: 95 of 100 lie within. */
const TWO_SIDED_95 = 1.96;

export interface Summary {
  readonly ended: number;
  readonly total: number;
  readonly elapsedMs: number;
  /** Trials a minute over the last PACE_WINDOW_MS; undefined until one has ended. */
  readonly perMinute: number | undefined;
  /** Undefined where there is no pace to reckon with. */
  readonly etaMs: number | undefined;
  /**
   * The least and the most that the rest may take, by the number of trials that the pace was measured by (the spread of
   * a Poisson count, 95 of 100); undefined where too few have ended to say.
   */
  readonly etaRangeMs: readonly [number, number] | undefined;
  /** Time of slots that was given to trials' latest attempts. */
  readonly slotMs: number;
  /** The same, of agents with GPUs only. */
  readonly gpuMs: number;
  /** Trials that failed, by class, the most first. */
  readonly failures: readonly (readonly [FailureClassName, number])[];
}

/** A pace from fewer ends than this has no spread worth saying. */
const LEAST_FOR_RANGE = 5;

/** @param now Unix milliseconds */
export function summaryOf(state: DashboardState, now: number): Summary {
  const { sweep } = state;
  const until = sweep !== undefined && sweepEnded(sweep) && sweep.endedAtMs > 0 ? sweep.endedAtMs : now;
  const windowStart = until - PACE_WINDOW_MS;
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
    const ms = tookMs(trial, until);
    slotMs += ms;
    if (withGpu.has(trial.agentId)) gpuMs += ms;
  });
  const spanMs = until - Math.max(firstStart, windowStart);
  const perMinute = endedInWindow > 0 && spanMs > 0 ? endedInWindow / (spanMs / 60_000) : undefined;
  const total = sweep === undefined ? 0 : trialTotal(sweep);
  const ended = sweep === undefined ? 0 : endedTotal(sweep);
  const etaMs = perMinute === undefined || ended >= total ? undefined : ((total - ended) / perMinute) * 60_000;
  return {
    ended,
    total,
    elapsedMs: sweep === undefined ? 0 : Math.max(0, until - sweep.createdAtMs),
    perMinute,
    etaMs,
    etaRangeMs: etaMs === undefined ? undefined : rangeOf(etaMs, endedInWindow, total - ended),
    slotMs,
    gpuMs,
    failures: [...failures].sort(([, a], [, b]) => b - a),
  };
}

/** The pace and what is still to come both spread as counts do. */
function rangeOf(etaMs: number, seen: number, left: number): readonly [number, number] | undefined {
  if (seen < LEAST_FOR_RANGE) return undefined;
  const spread = TWO_SIDED_95 * Math.sqrt(1 / seen + 1 / left);
  return [etaMs / (1 + spread), etaMs * (1 + spread)];
}

const hasGpu = ({ gpus, state }: Agent): boolean => gpus.length > 0 && state !== AgentState.UNSPECIFIED;

/** How long the latest attempt took, or has taken. */
export const tookMs = (trial: Trial, now: number): number =>
  trial.startedAtMs === 0 ? 0 : Math.max(0, (trial.endedAtMs || now) - trial.startedAtMs);
