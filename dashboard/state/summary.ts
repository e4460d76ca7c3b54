/** The numbers in the header, computed in one pass over the trials. */

import {
  type Eta,
  etaOf,
  etaTrials,
  MAX_ESTIMATED_TRIALS,
  NO_ESTIMATE,
  slotsOfAgents,
  type TimeLeft,
  timeLeftAfter,
  usableSlots,
} from '../../lib/domain/eta.ts';
import { NO_SLOT_TIME, queuedTrials } from '../../lib/domain/slot-time.ts';
import { sweepEnded, trialEnded, trialsToCome } from '../../lib/domain/trial-state.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { type FailureClassName, failureClass } from '../../proto/names.ts';
import { trainsPacks } from '../../proto/trainers.ts';
import type { DashboardState } from './reducer.ts';

/**
 * The rate is computed over this period. The period is long enough for a steady rate, and short enough to reflect the
 * loss of an agent.
 */
const RATE_WINDOW_MS = 10 * 60_000;

export interface Summary {
  readonly elapsedMs: number;
  /**
   * The number of trials that ended per minute, over the last RATE_WINDOW_MS. For an ended sweep, this period ends when
   * the sweep ended. The period never begins before the start of the first trial. Undefined if no trial ended in the
   * period.
   */
  readonly perMinute: number | undefined;
  /** The remaining time of the sweep and of each trial, counted from `summarizedAtMs`. */
  readonly eta: Eta;
  readonly summarizedAtMs: number;
  /** Failed trials by class, most frequent first. */
  readonly failures: readonly (readonly [FailureClassName, number])[];
}

/**
 * @param now Unix milliseconds
 * @param listed the sweep in the newest list of sweeps; while no trial runs, this list is newer than the stream
 */
export function summaryOf(state: DashboardState, now: number, listed?: Sweep): Summary {
  const { sweep } = state;
  const until = sweep !== undefined && sweepEnded(sweep) && sweep.endedAtMs > 0 ? sweep.endedAtMs : now;
  const windowStart = until - RATE_WINDOW_MS;
  const failures = new Map<FailureClassName, number>();
  let firstStart = until;
  let endedInWindow = 0;
  state.trials.forEach((trial) => {
    if (trial.failure !== undefined && trial.state === 'TRIAL_STATE_FAILED') {
      const name = failureClass.of(trial.failure.class);
      failures.set(name, (failures.get(name) ?? 0) + 1);
    }
    if (trial.startedAtMs === 0) return;
    firstStart = Math.min(firstStart, trial.startedAtMs);
    if (trialEnded(trial) && trial.endedAtMs > windowStart) endedInWindow++;
  });
  const spanMs = until - Math.max(firstStart, windowStart);
  const perMinute = endedInWindow > 0 && spanMs > 0 ? endedInWindow / (spanMs / 60_000) : undefined;
  return {
    elapsedMs: sweep === undefined ? 0 : Math.max(0, until - sweep.createdAtMs),
    perMinute,
    eta: estimateOf(state, now, listed),
    summarizedAtMs: now,
    failures: [...failures].sort(([, a], [, b]) => b - a),
  };
}

function estimateOf({ sweep, trials, agents }: DashboardState, now: number, listed: Sweep | undefined): Eta {
  if (sweep === undefined || sweepEnded(sweep) || trials.size > MAX_ESTIMATED_TRIALS) return NO_ESTIMATE;
  if (sweep.state === 'SWEEP_STATE_INTERRUPTED') return NO_ESTIMATE;
  const packs = trainsPacks(sweep.trainer);
  const all = slotsOfAgents(agents);
  const running = sweep.counts?.running ?? 0;
  const queued = queuedTrials(running, sweep.slotTime ?? NO_SLOT_TIME);
  const usable = usableSlots(all, { running: running - queued, concurrency: sweep.concurrency, packs });
  const connected = usableSlots(
    all.map((agent) => ({ ...agent, busy: 0 })),
    { running: 0, concurrency: sweep.concurrency, packs },
  );
  const share = (running === 0 ? listed : undefined)?.slotShare ?? sweep.slotShare;
  // The share from the coordinator can still include slots of a disconnected agent, so it is limited to `connected`.
  const slots = share === undefined ? usable : Math.min(share.slots, connected);
  const waitMs = share?.waitMs ?? 0;
  const paused = sweep.state !== 'SWEEP_STATE_RUNNING';
  const toCome = trialsToCome(sweep);
  return etaOf({ trials: etaTrials(trials.values()), toCome, slots, waitMs, queued, paused, now });
}

/** Returns the remaining time of a trial; undefined if the trial does not run and will not start. */
export function timeLeftOf({ eta, summarizedAtMs }: Summary, trialId: string, now: number): TimeLeft | undefined {
  const left = eta.trials.get(trialId);
  return left && timeLeftAfter(left, now - summarizedAtMs);
}
