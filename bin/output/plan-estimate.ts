/** Estimates how long a sweep takes, from the trials in a data folder. */
import { existsSync } from 'node:fs';
import {
  type DurationInterval,
  estimateSweep,
  type SweepEstimate,
} from '../../coordinator/analysis/trial-durations.ts';
import { DEFAULT_DIR } from '../../coordinator/app/defaults.ts';
import type { Plan } from '../../coordinator/grid/plan.ts';
import { samplePoints } from '../../coordinator/grid/sample.ts';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { formatCount } from '../../lib/text/numbers.ts';
import { withConnection } from '../client/connect.ts';
import { type RunHistory, runHistory } from '../client/run-history.ts';
import { note } from './print.ts';

export interface EstimateOptions {
  readonly dir?: string;
  readonly slots?: number;
}

export interface HistoryEstimate extends SweepEstimate {
  readonly history: RunHistory;
  readonly slots: number;
  /** Whether the sweep has early stopping. */
  readonly stopsEarly: boolean;
}

export function planEstimateText(estimate: HistoryEstimate): string {
  const { duration, slotTime, slots, history } = estimate;
  const range = `${formatSpan(duration.low)} to ${formatSpan(duration.high)}`;
  const trials = `${formatCount(history.trials.length)} trials of ${history.sweeps} earlier sweep${history.sweeps === 1 ? '' : 's'}`;
  return (
    `about ${formatSpan(duration.expected)} on ${slots} slot${slots === 1 ? '' : 's'} (90% interval ${range}), ` +
    `${slotHours(slotTime.expected)} slot-hours; from ${trials}${earlyStoppingText(estimate)}`
  );
}

function earlyStoppingText({ history, share, stopsEarly }: HistoryEstimate): string {
  if (!stopsEarly) return '';
  return history.underRule.length === 0
    ? '; no earlier sweep had the same early_terminate, so whole trials are assumed'
    : `; with early_terminate, trials run ${Math.round(100 * share)}% of their time on average`;
}

function slotHours(ms: number): string {
  const hours = ms / 3_600_000;
  return hours >= 10 ? formatCount(Math.round(hours)) : `${Number(hours.toPrecision(2))}`;
}

export function estimateJson({
  duration,
  slotTime,
  slots,
  history,
  share,
  stopsEarly,
}: HistoryEstimate): Record<string, unknown> {
  const inUnits = ({ low, expected, high }: DurationInterval, ms: number) => ({
    low: low / ms,
    expected: expected / ms,
    high: high / ms,
  });
  return {
    slots,
    duration_s: inUnits(duration, 1_000),
    slot_hours: inUnits(slotTime, 3_600_000),
    past_trials: history.trials.length,
    past_sweeps: history.sweeps,
    early_stopping_share: stopsEarly && history.underRule.length > 0 ? share : null,
  };
}

/** The number of points whose durations are predicted. */
const SAMPLED_POINTS = 2_000;

/** Returns undefined if the default folder cannot be read. A plan does not need the default folder. */
export async function estimateIfPossible(
  plan: Plan,
  spec: SweepSpec,
  options: EstimateOptions,
): Promise<HistoryEstimate | undefined> {
  if (options.dir !== undefined) return estimateFrom(plan, spec, options);
  try {
    return existsSync(DEFAULT_DIR) ? await estimateFrom(plan, spec, { ...options, dir: DEFAULT_DIR }) : undefined;
  } catch (error) {
    note(`no estimate: ${errorMessage(error)}`);
    return undefined;
  }
}

/** Estimates the sweep from the trials in a data folder. Returns undefined if the folder has too few trials. */
async function estimateFrom(
  plan: Plan,
  spec: SweepSpec,
  options: EstimateOptions,
): Promise<HistoryEstimate | undefined> {
  if (!Number.isFinite(plan.trials)) return undefined;
  const history = await withConnection({ dir: options.dir }, (connection) => runHistory(connection, spec));
  const slots = Math.min(options.slots ?? history.slots, spec.concurrency ?? Number.POSITIVE_INFINITY);
  const sample = samplePoints(spec, SAMPLED_POINTS);
  const { perSlot, underRule } = history;
  const estimate = estimateSweep(history.trials, { sample, trials: plan.trials, slots, perSlot, underRule });
  return estimate && { ...estimate, history, slots, stopsEarly: spec.earlyTerminate !== undefined };
}
