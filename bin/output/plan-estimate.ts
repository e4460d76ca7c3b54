/** Estimates how long a sweep takes, from the durations of the trials in a data folder. */
import { existsSync } from 'node:fs';
import { estimateSweep, MIN_PAST_TRIALS, type SweepEstimate } from '../../coordinator/analysis/trial-durations.ts';
import { DEFAULT_DIR } from '../../coordinator/app/defaults.ts';
import type { Plan } from '../../coordinator/grid/plan.ts';
import { samplePoints } from '../../coordinator/grid/sample.ts';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { countText } from '../../lib/text/numbers.ts';
import { withConnection } from '../client/connect.ts';
import { type RunHistory, runHistory } from '../client/run-history.ts';
import { note } from './print.ts';
import { estimateText, wholeEstimateJson } from './sweep-estimate.ts';

export interface EstimateOptions {
  readonly dir?: string;
  readonly slots?: number;
}

export interface HistoryEstimate extends SweepEstimate {
  readonly history: RunHistory;
  readonly slots: number;
  /** Whether the sweep has early stopping, or a population whose trials are replaced. */
  readonly stopsEarly: boolean;
  readonly isPopulation: boolean;
  /** Whether the sweep may have fewer trials than the estimate assumes. */
  readonly atMost: boolean;
}

/** The reason why a sweep has no estimate yet. */
export interface NoEstimate {
  readonly reason: string;
}

export function planEstimateText(estimate: HistoryEstimate): string {
  const { history, atMost } = estimate;
  const trials = `${countText(history.trials.length, 'trial')} of ${countText(history.sweeps, 'earlier sweep')}`;
  return `${atMost ? 'at most ' : ''}${estimateText(estimate)}; from ${trials}${earlyStoppingText(estimate)}`;
}

function earlyStoppingText({ history, share, stopsEarly, isPopulation }: HistoryEstimate): string {
  if (!stopsEarly) return '';
  const [rule, cause] = isPopulation ? ['population', 'replacement'] : ['early_terminate', 'early_terminate'];
  return history.underRule.length === 0
    ? `; no earlier sweep had the same ${rule}, so the estimate assumes that every trial runs to its end`
    : `; ${cause} shortens trials to ${Math.round(100 * share)}% of their duration on average`;
}

export function estimateJson(estimate: HistoryEstimate): Record<string, unknown> {
  const { history, share, stopsEarly } = estimate;
  return {
    ...wholeEstimateJson(estimate),
    past_trials: history.trials.length,
    past_sweeps: history.sweeps,
    early_stopping_share: stopsEarly && history.underRule.length > 0 ? share : null,
  };
}

/** The maximum number of points whose durations are predicted. */
const SAMPLED_POINTS = 2_000;

/**
 * Estimates the duration of the sweep from the trials in the folder of --dir, or else in the default folder. Returns
 * undefined if the sweep has no trials, or if the number of its trials has no limit. Also returns undefined if the
 * default folder cannot be read, because a plan is useful without an estimate.
 */
export async function estimateIfPossible(
  plan: Plan,
  spec: SweepSpec,
  options: EstimateOptions,
): Promise<HistoryEstimate | NoEstimate | undefined> {
  if (!Number.isFinite(plan.trials) || plan.trials === 0) return undefined;
  if (options.dir !== undefined) return estimateFrom(plan, spec, { ...options, dir: options.dir });
  try {
    if (!existsSync(DEFAULT_DIR)) return noEstimate(spec, DEFAULT_DIR, 0);
    return await estimateFrom(plan, spec, { ...options, dir: DEFAULT_DIR });
  } catch (error) {
    note(`no estimate: ${errorMessage(error)}`);
    return undefined;
  }
}

async function estimateFrom(
  plan: Plan,
  spec: SweepSpec,
  options: EstimateOptions & { readonly dir: string },
): Promise<HistoryEstimate | NoEstimate> {
  const history = await withConnection({ dir: options.dir }, (connection) => runHistory(connection, spec));
  const slots = Math.min(options.slots ?? history.slots, spec.concurrency ?? Number.POSITIVE_INFINITY);
  const sample = samplePoints(spec, SAMPLED_POINTS);
  const { perSlot, underRule } = history;
  const estimate = estimateSweep(history.trials, { sample, trials: plan.trials, slots, perSlot, underRule });
  if (estimate === undefined) return noEstimate(spec, options.dir, history.trials.length);
  const { earlyTerminate } = spec;
  const isPopulation = earlyTerminate?.type === 'pbt';
  return { ...estimate, history, slots, stopsEarly: earlyTerminate !== undefined, isPopulation, atMost: plan.isBound };
}

function noEstimate({ command }: SweepSpec, dir: string, found: number): NoEstimate {
  const same = command.length > 0 ? 'with this command' : 'of this trainer';
  const trials = found === 0 ? 'no successful trials' : `only ${countText(found, 'successful trial')}`;
  return {
    reason:
      `${dir} has ${trials} ${same}, and an estimate needs ${MIN_PAST_TRIALS}; ` +
      'while the sweep runs, "trawl show" estimates the time from the trials of the sweep',
  };
}
