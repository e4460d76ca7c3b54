/** Defines the types of verdicts on hypotheses, and formats claims and numbers. */
import { formatParameter } from '../../lib/text/numbers.ts';
import type { TrialStateName } from '../../proto/names.ts';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';
import type { Condition } from '../grid/points.ts';
import type { Direction, Quantity } from './claim.ts';

/** The fields of a trial that are used to judge hypotheses and to measure the importance of parameters. */
export interface JudgedTrial {
  readonly id: string;
  readonly configId: string;
  readonly seed: number;
  readonly parameters: Parameters;
  readonly state: TrialStateName;
  /** The rule that stopped the trial, and why it did. Empty if no rule stopped the trial. */
  readonly stopReason: string;
  /**
   * The value of each metric at the metric's highest step. With `at: best`, the ranking metric has its best value
   * instead.
   */
  readonly metrics: Readonly<Record<string, number>>;
  /** The metric values of each epoch, in order. */
  readonly curve: readonly { readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }[];
}

export type Verdict = 'supported' | 'refuted' | 'undecided';

export interface Estimate {
  /** The size of the effect in the metric's unit. A positive effect is in the claim's direction. */
  readonly effect: number;
  /** The lower end of the confidence interval of the effect; `high` is the upper end. */
  readonly low: number;
  readonly high: number;
  /** The level of the interval, such as 0.95. */
  readonly level: number;
  /** The effect size: Hedges' g unless the method names another measure. The effect size has the sign of the effect. */
  readonly effectSize: number;
  /** The number of trials on the left side and on the right side. For a trend: the number of curves, and 0. */
  readonly n: readonly [number, number];
}

/** Stands for a number of further seeds that is above the limit of `seedsNeeded`. */
export const ABOVE_LIMIT = 'above limit';

/**
 * The number of further seeds per config that would probably decide an undecided claim. Undefined if the
 * claim is decided, or if no number can be estimated.
 */
export type MoreSeeds = number | typeof ABOVE_LIMIT | undefined;

/** The verdict on one comparison or trend of a claim. */
export interface JudgedPart {
  /** The claim as text, such as `test_loss[latent_dim=15] > test_loss[latent_dim=30]`. */
  readonly claim: string;
  readonly verdict: Verdict;
  /** Undefined if there are too few results. */
  readonly estimate: Estimate | undefined;
  readonly because: string;
  readonly moreSeeds: MoreSeeds;
}

/** The verdict on a hypothesis. */
export interface JudgedHypothesis {
  readonly name: string;
  readonly claim: string;
  readonly about: string;
  /** The conditions of the hypothesis on one line. Empty if the hypothesis covers all trials. */
  readonly where: string;
  readonly verdict: Verdict;
  /**
   * The reason for the verdict: the measured values of the decisive part (see `decisivePart`) and, if that part is
   * undecided, the number of further seeds that would probably decide it.
   */
  readonly because: string;
  readonly parts: readonly JudgedPart[];
  /**
   * The number of further seeds that the decisive part needs. If the hypothesis is undecided, no other undecided part
   * needs more.
   */
  readonly moreSeeds: MoreSeeds;
  /** The statistical method, in one sentence. */
  readonly method: string;
}

const DIGITS = 4;

/** Returns a number with four significant digits. */
export function rounded(value: number): string {
  return String(Number(value.toPrecision(DIGITS)));
}

/** Returns a text such as `95%` or `98.3%`. */
export function percentText(share: number): string {
  return `${Number((share * 100).toPrecision(3))}%`;
}

/**
 * Returns a text such as `the difference is 0.003 against the claim, 95% interval -0.008 to 0.002 (effect size g =
 * -0.9, n = 3 and 3)`. In the interval, a positive number is a difference in the claim's direction.
 */
export function estimateText(estimate: Estimate): string {
  const { effect, effectSize, n } = estimate;
  const size = Number.isFinite(effectSize) ? rounded(effectSize) : 'infinite, no variation between seeds';
  return `the difference is ${directedText(effect)}, ${intervalText(estimate)} (effect size g = ${size}, n = ${n.join(' and ')})`;
}

/** Returns an effect with its direction, such as `0.003 against the claim`. */
export function directedText(effect: number): string {
  if (effect === 0) return '0';
  return `${rounded(Math.abs(effect))} ${effect < 0 ? 'against the claim' : "in the claim's direction"}`;
}

/** Returns a text such as `95% interval -0.008 to 0.002`. */
export function intervalText({ level, low, high }: Pick<Estimate, 'level' | 'low' | 'high'>): string {
  return `${percentText(level)} interval ${rounded(low)} to ${rounded(high)}`;
}

/** Returns a text such as `depth=5, dataset=mnist|fashion`. */
export function conditionsText(conditions: readonly Condition[]): string {
  return conditions.map(({ name, anyOf }) => `${name}=${anyOf.map(valueText).join('|')}`).join(', ');
}

export function comparisonText(left: Quantity, right: Quantity, direction: Direction): string {
  return `${quantityText(left)} ${direction} ${quantityText(right)}`;
}

function quantityText({ metric, over, conditions }: Quantity): string {
  return `${over === undefined ? metric : `range(${metric}, ${over})`}[${conditionsText(conditions)}]`;
}

function valueText(value: ParameterValue): string {
  return typeof value === 'string' && !/^[\w.+-]+$/.test(value) ? JSON.stringify(value) : formatParameter(value);
}
