import type { DashboardState } from './dashboard-state.ts';
import { endedTotal, sweepEnded, trialEnded, trialTotal } from './trial-state.ts';

/** How far back the pace is measured: long enough to be steady, short enough to notice a lost agent. */
const PACE_WINDOW_MS = 10 * 60_000;

export interface Progress {
  readonly ended: number;
  readonly total: number;
  readonly elapsedMs: number;
  /** Trials a minute over the last PACE_WINDOW_MS; undefined until one has ended. */
  readonly perMinute: number | undefined;
  /** Undefined where there is no pace to reckon with. */
  readonly etaMs: number | undefined;
}

/** @param now Unix milliseconds */
export function progressOf(state: DashboardState, now: number): Progress {
  const { sweep } = state;
  if (sweep === undefined) return { ended: 0, total: 0, elapsedMs: 0, perMinute: undefined, etaMs: undefined };
  const until = sweepEnded(sweep) && sweep.endedAtMs > 0 ? sweep.endedAtMs : now;
  const windowStart = until - PACE_WINDOW_MS;
  let firstStart = until;
  let endedInWindow = 0;
  for (const trial of state.trials.values()) {
    if (trial.startedAtMs > 0) firstStart = Math.min(firstStart, trial.startedAtMs);
    if (trialEnded(trial) && trial.startedAtMs > 0 && trial.endedAtMs > windowStart) endedInWindow++;
  }
  const spanMs = until - Math.max(firstStart, windowStart);
  const perMinute = endedInWindow > 0 && spanMs > 0 ? endedInWindow / (spanMs / 60_000) : undefined;
  const total = trialTotal(sweep);
  const ended = endedTotal(sweep);
  const etaMs = perMinute === undefined || ended >= total ? undefined : ((total - ended) / perMinute) * 60_000;
  return { ended, total, elapsedMs: Math.max(0, until - sweep.createdAtMs), perMinute, etaMs };
}
