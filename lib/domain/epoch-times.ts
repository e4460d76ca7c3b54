/**
 * Models how the time of an epoch depends on the parameters of a trial. The model predicts the logarithm of the time as
 * a mean plus one effect for each parameter, which depends on the parameter's value (an additive model, fitted by
 * backfitting). Each effect is shrunk toward zero, so parameters that do not matter have effects near zero. The effect
 * of a value is shrunk more if fewer trials have the value. The effect of a numeric value that no measured trial had is
 * interpolated or extrapolated from the effects of the parameter's other values.
 */
import { deviation, max, mean, sum } from 'd3-array';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';

/**
 * The name of the parameter that sets the number of epochs. The model leaves this parameter out, because it does not
 * change the time of an epoch.
 */
const EPOCHS = 'epochs';

/** Backfitting ends after this many rounds, or when no effect changes by more than CONVERGED in a round. */
const MAX_ROUNDS = 20;
const CONVERGED = 1e-4;
/** The weight of the prior assumption that a value has no effect, expressed as a number of trials. */
const SHRINKAGE = 0.5;
/**
 * The minimum standard deviation that is assumed for the effect of a value that no measured trial had. Used if the
 * effect cannot be estimated from other values, because the value is not numeric or the measured trials had fewer than
 * two numeric values.
 */
const UNKNOWN_VALUE = 0.5;

/** The measured time of an epoch. */
export interface EpochTime {
  readonly parameters: Parameters;
  /** The logarithm of the time in milliseconds. */
  readonly logMs: number;
}

export interface EpochTimeModel {
  /** The mean of `logMs` over all measured times. */
  readonly center: number;
  readonly effects: ReadonlyMap<string, Effects>;
  /** The parameters that the model leaves out. */
  readonly ignored: ReadonlySet<string>;
  /** The number of independent effects. A parameter with n values has n - 1 independent effects. */
  readonly levels: number;
  /** For each measured time, in order: the difference between its logarithm and the prediction of the model. */
  readonly residuals: readonly number[];
}

/** For each value of a parameter, the effect on the logarithm of the time of an epoch. */
type Effects = ReadonlyMap<ParameterValue | undefined, number>;

export interface EpochTimePrediction {
  /** The expected value of the logarithm of an epoch's time in milliseconds. */
  readonly logMs: number;
  /** The standard deviation of `logMs` due to parameter values that no measured trial had. */
  readonly unknown: number;
}

/**
 * @param times the measured times; at least one
 * @param ignored the parameters that the model leaves out; default: none
 */
export function fitEpochTimes(times: readonly EpochTime[], ignored: ReadonlySet<string> = NONE): EpochTimeModel {
  const center = mean(times, ({ logMs }) => logMs) ?? 0;
  const residuals = times.map(({ logMs }) => logMs - center);
  const names = namesOf(times).filter((name) => !ignored.has(name));
  const factors = names.map((name) => factorOf(name, times));
  const varying = factors.filter(({ values }) => values.length > 1);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const change = varying.reduce((largest, factor) => Math.max(largest, refit(factor, residuals)), 0);
    if (change < CONVERGED) break;
  }
  return {
    center,
    effects: new Map(
      factors.map(({ name, values, effects }) => [name, new Map(values.map((value, at) => [value, effects[at] ?? 0]))]),
    ),
    ignored,
    levels: sum(varying, ({ values }) => values.length - 1),
    residuals,
  };
}

const NONE: ReadonlySet<string> = new Set();

/** Returns the names of the parameters that may have an effect. */
function namesOf(times: readonly EpochTime[]): string[] {
  const names = new Set<string>();
  for (const { parameters } of times) for (const name in parameters) names.add(name);
  names.delete(EPOCHS);
  return [...names];
}

/**
 * Returns the parameters to leave out of the model. A parameter that has a different value in each trial, such as a
 * continuous parameter, would explain every difference between the trials. The model is therefore limited to two
 * effects for every three measured times. The parameters that explain the most variation per effect are kept.
 */
export function superfluousParameters(times: readonly EpochTime[]): ReadonlySet<string> {
  const center = mean(times, ({ logMs }) => logMs) ?? 0;
  const explained = namesOf(times).map((name) => {
    const { levelOf, counts } = factorOf(name, times);
    const totals = counts.map(() => 0);
    levelOf.forEach((level, index) => {
      totals[level] = (totals[level] ?? 0) + (times[index]?.logMs ?? 0) - center;
    });
    const effects = counts.length - 1;
    const squares = sum(totals, (total, level) => total ** 2 / (counts[level] ?? 1));
    return { name, effects, perEffect: effects === 0 ? Number.POSITIVE_INFINITY : squares / effects };
  });
  const superfluous = new Set<string>();
  let left = ((times.length - 1) * 2) / 3;
  for (const { name, effects } of explained.sort((a, b) => b.perEffect - a.perEffect)) {
    if (effects > left) superfluous.add(name);
    else left -= effects;
  }
  return superfluous;
}

/** A parameter, with the effects of its values. */
interface Factor {
  readonly name: string;
  readonly values: readonly (ParameterValue | undefined)[];
  /** For each measured trial, the index of its value in `values`. */
  readonly levelOf: readonly number[];
  /** The number of trials with each value. */
  readonly counts: readonly number[];
  readonly effects: number[];
}

function factorOf(name: string, times: readonly EpochTime[]): Factor {
  const levels = new Map<ParameterValue | undefined, number>();
  const counts: number[] = [];
  const levelOf = times.map(({ parameters }) => {
    const value = parameters[name];
    const level = levels.get(value) ?? levels.size;
    levels.set(value, level);
    counts[level] = (counts[level] ?? 0) + 1;
    return level;
  });
  return { name, values: [...levels.keys()], levelOf, counts, effects: counts.map(() => 0) };
}

/**
 * Fits the effects of one factor, while the effects of all other factors stay the same, and updates the residuals.
 * Returns the largest change of an effect.
 */
function refit({ levelOf, counts, effects }: Factor, residuals: number[]): number {
  const sums = counts.map(() => 0);
  levelOf.forEach((level, index) => {
    sums[level] = (sums[level] ?? 0) + (residuals[index] ?? 0);
  });
  // Without this factor, the residual of each trial is larger by the effect of the trial's value.
  const changes = counts.map((count, level) => {
    const before = effects[level] ?? 0;
    effects[level] = ((sums[level] ?? 0) + count * before) / (count + SHRINKAGE);
    return (effects[level] ?? 0) - before;
  });
  levelOf.forEach((level, index) => {
    residuals[index] = (residuals[index] ?? 0) - (changes[level] ?? 0);
  });
  return max(changes, Math.abs) ?? 0;
}

export function predictEpochTime(model: EpochTimeModel, parameters: Parameters): EpochTimePrediction {
  const { center, effects, ignored } = model;
  let logMs = center;
  let variance = 0;
  const add = (known: Effects, value: ParameterValue | undefined) => {
    const exact = known.get(value);
    if (exact !== undefined) {
      logMs += exact;
      return;
    }
    const { effect, unknown } = effectOf(known, value);
    logMs += effect;
    variance += unknown ** 2;
  };
  for (const [name, known] of effects) add(known, parameters[name]);
  for (const name in parameters) {
    if (name !== EPOCHS && !effects.has(name) && !ignored.has(name)) add(ABSENT, parameters[name]);
  }
  return { logMs, unknown: Math.sqrt(variance) };
}

/** The effects of a parameter that no measured trial had. */
const ABSENT: Effects = new Map([[undefined, 0]]);

/** Estimates the effect of a value that no measured trial had. */
function effectOf(effects: Effects, value: ParameterValue | undefined): { effect: number; unknown: number } {
  const numbers = [...effects].filter((entry): entry is [number, number] => typeof entry[0] === 'number');
  const values = numbers.map(([number]) => number);
  if (typeof value !== 'number' || numbers.length < 2) {
    return { effect: 0, unknown: Math.max(UNKNOWN_VALUE, deviation(effects.values()) ?? 0) };
  }
  const isPositive = value > 0 && values.every((number) => number > 0);
  const scale = (number: number) => (isPositive ? Math.log(number) : number);
  const at = scale(value);
  const byDistance = numbers
    .map(([number, effect]) => ({ at: scale(number), effect }))
    .sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at));
  const nearest = byDistance[0] ?? { at, effect: 0 };
  const other = byDistance.find((one) => (one.at - at) * (nearest.at - at) < 0);
  // Between two known values, the effect is interpolated. Beyond all known values, the effect follows the slope of the
  // least-squares line through all values. The slope between the two nearest values would be arbitrary if these values
  // are close together.
  const slope = slopeOf(other === undefined ? byDistance : [nearest, other]);
  const step = slope * (at - nearest.at);
  return { effect: nearest.effect + step, unknown: Math.abs(step) / 2 };
}

/** Returns the slope of the least-squares line. The slope is 0 if all points have the same position. */
function slopeOf(points: readonly { readonly at: number; readonly effect: number }[]): number {
  const middle = mean(points, ({ at }) => at) ?? 0;
  const spread = sum(points, ({ at }) => (at - middle) ** 2);
  return spread === 0 ? 0 : sum(points, ({ at, effect }) => (at - middle) * effect) / spread;
}

/** Returns the number of epochs of a whole run; undefined if the parameter `epochs` is not a positive number. */
export function epochsOf(parameters: Parameters): number | undefined {
  const epochs = parameters[EPOCHS];
  return typeof epochs === 'number' && epochs > 0 ? epochs : undefined;
}
