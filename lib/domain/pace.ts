/**
 * Measures how long the epochs of each config take, in milliseconds. The model describes the logarithm of the epoch
 * time. The mean of a config deviates at random from the mean that its parameters predict (epoch-times.ts), and each
 * trial deviates at random from the mean of its config (noise). A config without measurements gets the predicted mean
 * with a wide interval. Each measurement narrows the interval.
 */
import { mean, sum, variance } from 'd3-array';
import type { Parameters } from '../../proto/trainers.ts';
import { type EpochTimeModel, fitEpochTimes, predictEpochTime, superfluousParameters } from './epoch-times.ts';

export interface EtaTrial {
  readonly id: string;
  readonly configId: string;
  /** Undefined if the parameters are unknown; the time of an epoch is then not predicted from parameters. */
  readonly parameters: Parameters | undefined;
  /** `waiting`: the trial is pending, offered or interrupted. A held trial counts as `ended`. */
  readonly state: 'waiting' | 'running' | 'ended';
  /** The number of epochs reported so far. */
  readonly epoch: number;
  /** The number of epochs of a whole run. Undefined if it is unknown; a whole run is then measured as one epoch. */
  readonly epochs: number | undefined;
  /**
   * The time at which the latest attempt of the trial started or, if the trial has not ended, the time at which this
   * attempt was granted. 0 if the trial has no attempt.
   */
  readonly startedAtMs: number;
  /** The end of the trial; 0 until the trial ends. */
  readonly endedAtMs: number;
}

/** Returns the square root of the sum of the squares. Math.hypot is too slow for several calls per trial. */
export const root = (a: number, b: number, c = 0): number => Math.sqrt(a * a + b * b + c * c);

/**
 * The standard deviations of the logarithm of an epoch's time that are assumed before any measurement. Each assumption
 * counts as much as PRIOR_WEIGHT measurements.
 */
const PRIOR_NOISE = 0.25;
const PRIOR_BETWEEN_CONFIGS = 0.7;
const PRIOR_WEIGHT = 2;

/** The maximum number of measured configs from which the effects of the parameters are estimated. */
const MAX_FITTED_CONFIGS = 500;

export interface Pace {
  /** The standard deviation of the logarithm of the epoch time between trials of the same config. */
  readonly noise: number;
  /** The degrees of freedom of `noise`, including the prior. */
  readonly freedom: number;
  /** The mean share of its epochs that a trial runs: less than 1 if some trials fail or are stopped early. */
  readonly share: number;
  /** The standard deviation of this share between trials. */
  readonly shareSpread: number;
  ofConfig(trial: EtaTrial): ConfigPace;
}

interface ConfigPace {
  /** The expected time of an epoch. */
  readonly unitMs: number;
  /**
   * The standard deviation of the logarithm of the time, in two parts. `uncertainty` is due to the uncertain mean of
   * this config. `shared` is due to errors that all configs share: the uncertain mean over all configs, and the
   * uncertain effects of parameter values that were not measured.
   */
  readonly uncertainty: number;
  readonly shared: number;
}

/** The measured epoch times of a config. */
interface MeasuredConfig {
  readonly parameters: Parameters | undefined;
  /** The logarithm of the epoch time in milliseconds, for each measured trial of the config. */
  readonly values: number[];
}

/** Measures the epoch times. Returns undefined if no trial gives a measurement yet. */
export function paceOf(trials: readonly EtaTrial[], now: number): Pace | undefined {
  const measured = new Map<string, MeasuredConfig>();
  for (const trial of trials) {
    const ms = epochMs(trial, now);
    if (ms === undefined) continue;
    const known = measured.get(trial.configId);
    if (known === undefined) measured.set(trial.configId, { parameters: trial.parameters, values: [Math.log(ms)] });
    else known.values.push(Math.log(ms));
  }
  if (measured.size === 0) return undefined;
  const configs = Array.from(measured.values(), (config) => ({ ...config, mean: mean(config.values) ?? 0 }));
  const within = sum(configs, ({ values, mean: center }) => sum(values, (value) => (value - center) ** 2));
  const freedom = PRIOR_WEIGHT + sum(configs, ({ values }) => values.length - 1);
  const noise2 = (PRIOR_WEIGHT * PRIOR_NOISE ** 2 + within) / freedom;
  const expectation = expectationOf(configs);
  const shares = trials.flatMap(({ state, epoch, epochs }) => {
    return state === 'ended' && epochs !== undefined && epoch > 0 ? [Math.min(1, epoch / epochs)] : [];
  });
  const paces = new Map<string, ConfigPace>();
  const paceOfConfig = ({ configId, parameters }: EtaTrial): ConfigPace => {
    const values = measured.get(configId)?.values ?? [];
    const { logMs: center, between2, unknown } = expectation(parameters);
    const prior2 = between2 + unknown ** 2;
    const precision = values.length / noise2 + 1 / prior2;
    const logMs = (sum(values) / noise2 + center / prior2) / precision;
    const unitMs = Math.exp(logMs + (noise2 + 1 / precision) / 2);
    const ofCenter = 1 / prior2 / precision;
    const uncertainty = Math.sqrt(1 / precision - (ofCenter * unknown) ** 2);
    return { unitMs, uncertainty, shared: ofCenter * root(Math.sqrt(between2 / configs.length), unknown) };
  };
  return {
    noise: Math.sqrt(noise2),
    freedom,
    share: ((mean(shares) ?? 1) * shares.length + 1) / (shares.length + 1),
    shareSpread: Math.sqrt(variance(shares) ?? 0),
    ofConfig(trial) {
      const pace = paces.get(trial.configId) ?? paceOfConfig(trial);
      paces.set(trial.configId, pace);
      return pace;
    },
  };
}

/** The expected logarithm of a config's epoch time, before the measurements of this config are used. */
interface ExpectedEpochTime {
  readonly logMs: number;
  /** The variance between configs: how much their mean logarithms deviate from the predicted `logMs`. */
  readonly between2: number;
  /**
   * The standard deviation of `logMs` due to parameter values that were not measured. All configs are assumed to share
   * this error.
   */
  readonly unknown: number;
}

/** Returns a function that predicts the epoch time of a config from its parameters. Fits the function to `configs`. */
function expectationOf(
  configs: readonly { readonly parameters: Parameters | undefined; readonly mean: number }[],
): (parameters: Parameters | undefined) => ExpectedEpochTime {
  const center = mean(configs, (config) => config.mean) ?? 0;
  const observed = (configs.length - 1) * (variance(configs, (config) => config.mean) ?? 0);
  const between2 = betweenVariance(observed, configs.length - 1);
  const times = configs
    .flatMap(({ parameters, mean: logMs }) => (parameters === undefined ? [] : [{ parameters, logMs }]))
    .slice(0, MAX_FITTED_CONFIGS);
  const without = { logMs: center, between2, unknown: 0 };
  if (times.length === 0) return () => without;
  const model = fitEpochTimes(times, superfluousParameters(times));
  const residual2 = residualVariance(model);
  return (parameters) => {
    if (parameters === undefined) return without;
    const { logMs, unknown } = predictEpochTime(model, parameters);
    return { logMs, between2: residual2, unknown };
  };
}

function residualVariance({ residuals, levels }: EpochTimeModel): number {
  return betweenVariance(
    sum(residuals, (residual) => residual ** 2),
    Math.max(0, residuals.length - 1 - levels),
  );
}

const betweenVariance = (squares: number, freedom: number): number =>
  (PRIOR_WEIGHT * PRIOR_BETWEEN_CONFIGS ** 2 + squares) / (PRIOR_WEIGHT + freedom);

/**
 * Returns the measured time of an epoch or, if the number of epochs is unknown, of a whole run. Undefined if the trial
 * has no measurement yet.
 */
function epochMs({ state, epoch, epochs, startedAtMs, endedAtMs }: EtaTrial, now: number): number | undefined {
  if (startedAtMs === 0) return undefined;
  if (state === 'ended') {
    const ms = endedAtMs - startedAtMs;
    // A very short trial may have the same start time and end time.
    if (epochs !== undefined) return epoch > 0 ? Math.max(1, ms) / epoch : undefined;
    return ms > 0 ? ms : undefined;
  }
  // The last report was on average half an epoch ago.
  return state === 'running' && epochs !== undefined && epoch > 0 && now > startedAtMs
    ? (now - startedAtMs) / (epoch + 0.5)
    : undefined;
}
