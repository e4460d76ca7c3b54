/**
 * Predicts how long trials take from the durations of earlier trials. The logarithm of the time of an epoch is modelled
 * as a mean plus one effect per value of each parameter (an additive model, fitted by backfitting). Each effect is
 * shrunk towards zero, more strongly if few trials have its value, so parameters that do not matter have effects near
 * zero. The effect of a numeric value that no earlier trial had is interpolated from the nearest values.
 */
import { deviation, groups, mean, sum } from 'd3-array';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';

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
  /** The estimated time of all trials together, in milliseconds. */
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
   * Earlier trials with the same early-stopping rule, including stopped trials. Default: none, for a sweep without
   * early stopping.
   */
  readonly underRule?: readonly PastTrial[];
}

/** The minimum number of earlier trials for an estimate. */
const MIN_PAST_TRIALS = 3;

/** The parameter whose value multiplies the time of a trial. */
const EPOCHS = 'epochs';

const BACKFITTING_ROUNDS = 20;
/** The weight of the prior assumption that a value has no effect, expressed as a number of trials. */
const SHRINKAGE = 0.5;
/** The quantile of the normal distribution for a two-sided 90% interval. */
const TWO_SIDED_90 = 1.645;

/** Assumed standard deviations of the logarithm of a time, for variation that the earlier trials do not show. */
const PRIOR = {
  /** The deviation between two sweeps with the same parameters: machines and their load change. */
  sweeps: 0.1,
  /** The deviation of a new value, if its parameter is not numeric or had only one value in earlier trials. */
  unknownValue: 0.5,
  /** The deviation between trials with the same parameters. */
  noise: 0.05,
};

/**
 * Estimates a sweep's slot time and duration.
 * @returns the estimate; undefined with fewer than MIN_PAST_TRIALS earlier trials, or without trials to estimate
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
  // At the end of a sweep, every slot except the last one to finish is idle for half a trial on average.
  const expected = Math.max(total / lanes + (1 - 1 / lanes) * (meanMs / 2), longest);
  // Errors that all trials share do not cancel out in the sum. Independent errors of single trials cancel out in the
  // sum.
  const unknown = sum(each, (ms, index) => ms * (predictions[index]?.unknown ?? 0)) / sum(each);
  const ofMean = model.residual / Math.sqrt(Math.max(1, past.length - model.levels));
  const single = model.noise / Math.sqrt(trials);
  const spread = Math.hypot(unknown, ofMean, model.betweenSweeps, single);
  return {
    slotTime: intervalOf(total / perSlot, spread),
    duration: intervalOf(expected, Math.hypot(spread, model.noise / 2)),
    share,
  };
}

/** Returns the mean of a duration, in milliseconds, from the prediction of its logarithm. */
function meanOf({ noise }: Model, { logMs, unknown }: Prediction): number {
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
  readonly center: number;
  readonly effects: ReadonlyMap<string, Effects>;
  /** The standard deviation of the residuals of the model. */
  readonly residual: number;
  readonly noise: number;
  readonly betweenSweeps: number;
  /** The number of effects in the model. */
  readonly levels: number;
}

/** The effect of each value of a parameter, on the logarithm of the time of an epoch. */
type Effects = ReadonlyMap<ParameterValue | undefined, number>;

function fitModel(past: readonly PastTrial[]): Model {
  const rows = past.map(({ parameters, ms }) => ({ parameters, logMs: Math.log(ms / epochsOf(parameters)) }));
  const center = mean(rows, ({ logMs }) => logMs) ?? 0;
  const names = [...new Set(rows.flatMap(({ parameters }) => Object.keys(parameters)))].filter(
    (name) => name !== EPOCHS,
  );
  const varying = names.filter((name) => new Set(rows.map(({ parameters }) => parameters[name])).size > 1);
  const effects = new Map<string, Map<ParameterValue | undefined, number>>();
  const residuals = rows.map(({ logMs }) => logMs - center);
  for (let round = 0; round < BACKFITTING_ROUNDS; round++) {
    for (const name of varying) {
      const known = effects.get(name) ?? new Map();
      const levelOf = (index: number) => rows[index]?.parameters[name];
      for (const [index, residual] of residuals.entries())
        residuals[index] = residual + (known.get(levelOf(index)) ?? 0);
      const fitted = new Map(
        groups(residuals.keys(), levelOf).map(([value, indexes]) => [
          value,
          sum(indexes, (index) => residuals[index] ?? 0) / (indexes.length + SHRINKAGE),
        ]),
      );
      for (const [index, residual] of residuals.entries())
        residuals[index] = residual - (fitted.get(levelOf(index)) ?? 0);
      effects.set(name, fitted);
    }
  }
  for (const name of names) if (!effects.has(name)) effects.set(name, new Map([[rows[0]?.parameters[name], 0]]));
  const levels = sum(varying, (name) => (effects.get(name)?.size ?? 1) - 1);
  const residual = Math.sqrt(sum(residuals, (value) => value ** 2) / Math.max(1, rows.length - 1 - levels));
  const ofSweeps = groups(residuals.keys(), (index) => past[index]?.sweepId).map(([, indexes]) =>
    mean(indexes, (index) => residuals[index] ?? 0),
  );
  return {
    center,
    effects,
    residual,
    noise: Math.hypot(residual, PRIOR.noise),
    betweenSweeps: Math.hypot(deviation(ofSweeps) ?? 0, PRIOR.sweeps),
    levels,
  };
}

interface Prediction {
  readonly logMs: number;
  /** The standard deviation of `logMs` that comes from values that no earlier trial had. */
  readonly unknown: number;
}

function predict({ center, effects }: Model, parameters: Parameters): Prediction {
  let logMs = center + Math.log(epochsOf(parameters));
  let variance = 0;
  for (const name of new Set([...effects.keys(), ...Object.keys(parameters)])) {
    if (name === EPOCHS) continue;
    const { effect, unknown } = effectOf(effects.get(name) ?? new Map([[undefined, 0]]), parameters[name]);
    logMs += effect;
    variance += unknown ** 2;
  }
  return { logMs, unknown: Math.sqrt(variance) };
}

function effectOf(effects: Effects, value: ParameterValue | undefined): { effect: number; unknown: number } {
  const known = effects.get(value);
  if (known !== undefined) return { effect: known, unknown: 0 };
  const numbers = [...effects].filter((entry): entry is [number, number] => typeof entry[0] === 'number');
  const values = numbers.map(([number]) => number);
  if (typeof value !== 'number' || numbers.length < 2) {
    return { effect: 0, unknown: Math.max(PRIOR.unknownValue, deviation(effects.values()) ?? 0) };
  }
  const isPositive = value > 0 && values.every((number) => number > 0);
  const scale = (number: number) => (isPositive ? Math.log(number) : number);
  const at = scale(value);
  const byDistance = numbers
    .map(([number, effect]) => ({ at: scale(number), effect }))
    .sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at));
  const nearest = byDistance[0] ?? { at, effect: 0 };
  const other = byDistance.find((one) => (one.at - at) * (nearest.at - at) < 0);
  // Between two known values, the effect is interpolated. Beyond all known values, the slope of the line through all
  // values is used, because the slope between two close values can be arbitrary.
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

/** Returns the number of epochs. This number multiplies the time of an epoch, so it is not a parameter of the model. */
function epochsOf(parameters: Parameters): number {
  const epochs = parameters[EPOCHS];
  return typeof epochs === 'number' && epochs > 0 ? epochs : 1;
}
