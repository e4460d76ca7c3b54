/**
 * Predicts the duration of a sweep from the durations of earlier trials, with the model in lib/domain/epoch-times.ts.
 */
import { deviation, groups, mean, sum } from 'd3-array';
import {
  type EpochTimeModel,
  type EpochTimePrediction,
  epochsOf,
  fitEpochTimes,
  predictEpochTime,
} from '../../lib/domain/epoch-times.ts';
import type { Parameters } from '../../proto/trainers.ts';

/** A trial that has ended, with its duration. */
export interface PastTrial {
  readonly sweepId: string;
  readonly parameters: Parameters;
  /** The duration of the trial's attempt in milliseconds, greater than 0. */
  readonly ms: number;
}

/** A duration in milliseconds with a 90% interval. */
export interface DurationInterval {
  readonly low: number;
  readonly expected: number;
  readonly high: number;
}

export interface SweepEstimate {
  /** The estimated time for which the trials occupy slots, summed over the slots, in milliseconds. */
  readonly slotTime: DurationInterval;
  /** The estimated time until the last trial ends, in milliseconds. */
  readonly duration: DurationInterval;
  /** The expected duration of a trial as a share of its duration without early stopping. At most 1. */
  readonly share: number;
}

export interface PlannedWork {
  /** The parameters of a sample of the sweep's trials. */
  readonly sample: readonly Parameters[];
  /** The number of trials of the sweep. */
  readonly trials: number;
  readonly slots: number;
  /** The number of trials that run on one slot at the same time. Default: 1. */
  readonly perSlot?: number;
  /**
   * Earlier trials that ran under the sweep's early-stopping rule, including the trials that the rule stopped. Default:
   * none, which is correct for a sweep without early stopping.
   */
  readonly underRule?: readonly PastTrial[];
}

/** The minimum number of earlier trials for an estimate. */
export const MIN_PAST_TRIALS = 3;

/** The quantile of the normal distribution for a two-sided 90% interval. */
const TWO_SIDED_90 = 1.645;

/**
 * Assumed standard deviations of the logarithm of a duration. They account for variation that the earlier trials do not
 * show.
 */
const PRIOR = {
  /**
   * The deviation between sweeps with the same parameters, whose durations differ because machines and their load
   * change.
   */
  sweeps: 0.1,
  /** The deviation between trials with the same parameters. */
  noise: 0.05,
};

/**
 * Estimates a sweep's slot time and duration.
 * @returns the estimate; undefined if there are fewer than MIN_PAST_TRIALS earlier trials, or if the sweep has no
 * trials
 */
export function estimateSweep(past: readonly PastTrial[], work: PlannedWork): SweepEstimate | undefined {
  const { sample, trials, slots, perSlot = 1, underRule = [] } = work;
  if (past.length < MIN_PAST_TRIALS || sample.length === 0 || trials === 0) return undefined;
  const model = fitModel(past);
  const predictions = sample.map((parameters) => predict(model, parameters));
  const each = predictions.map((prediction) => meanOf(model, prediction));
  const share = shareOf(model, underRule);
  const meanMs = (mean(each) ?? 0) * share;
  const total = meanMs * trials;
  const longest = each.reduce((most, ms) => Math.max(most, ms), 0);
  const lanes = Math.max(1, Math.min(slots * perSlot, trials));
  // At the end of a sweep, every slot except the last one to finish is idle for half the duration of a trial on
  // average.
  const expected = Math.max(total / lanes + (1 - 1 / lanes) * (meanMs / 2), longest);
  // Errors that all trials share add up in the sum. Independent errors of single trials partly cancel out.
  const unknown = sum(each, (ms, index) => ms * (predictions[index]?.unknown ?? 0)) / sum(each);
  const ofMean = model.residual / Math.sqrt(Math.max(1, past.length - model.epochTimes.levels));
  const single = model.noise / Math.sqrt(trials);
  const spread = Math.hypot(unknown, ofMean, model.betweenSweeps, single);
  return {
    slotTime: intervalOf(total / perSlot, spread),
    duration: intervalOf(expected, Math.hypot(spread, model.noise / 2)),
    share,
  };
}

/**
 * Returns the expected duration in milliseconds: the mean of the log-normal distribution that the prediction describes.
 */
function meanOf({ noise }: Model, { logMs, unknown }: EpochTimePrediction): number {
  return Math.exp(logMs + (noise ** 2 + unknown ** 2) / 2);
}

/**
 * Returns the total duration of the trials as a share of the total that is predicted without early stopping; at most 1.
 */
function shareOf(model: Model, trials: readonly PastTrial[]): number {
  if (trials.length === 0) return 1;
  const whole = sum(trials, ({ parameters }) => meanOf(model, predict(model, parameters)));
  return Math.min(1, sum(trials, ({ ms }) => ms) / whole);
}

function intervalOf(expected: number, spread: number): DurationInterval {
  const factor = Math.exp(TWO_SIDED_90 * spread);
  return { low: expected / factor, expected, high: expected * factor };
}

interface Model {
  readonly epochTimes: EpochTimeModel;
  /** The standard deviation of the residuals of the model. */
  readonly residual: number;
  readonly noise: number;
  readonly betweenSweeps: number;
}

function fitModel(past: readonly PastTrial[]): Model {
  const epochTimes = fitEpochTimes(
    past.map(({ parameters, ms }) => ({ parameters, logMs: Math.log(ms / (epochsOf(parameters) ?? 1)) })),
  );
  const { residuals, levels } = epochTimes;
  const residual = Math.sqrt(sum(residuals, (value) => value ** 2) / Math.max(1, past.length - 1 - levels));
  const ofSweeps = groups(residuals.keys(), (index) => past[index]?.sweepId).map(([, indexes]) =>
    mean(indexes, (index) => residuals[index] ?? 0),
  );
  return {
    epochTimes,
    residual,
    noise: Math.hypot(residual, PRIOR.noise),
    betweenSweeps: Math.hypot(deviation(ofSweeps) ?? 0, PRIOR.sweeps),
  };
}

/** Predicts the logarithm of the duration of a whole trial. */
function predict({ epochTimes }: Model, parameters: Parameters): EpochTimePrediction {
  const { logMs, unknown } = predictEpochTime(epochTimes, parameters);
  return { logMs: logMs + Math.log(epochsOf(parameters) ?? 1), unknown };
}
