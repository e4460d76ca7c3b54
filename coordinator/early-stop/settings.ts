/**
 * Defines the settings of the early-stopping rules, as a sweep file declares them. Unless stated otherwise, a step is
 * the step that a trial reports with a value.
 */

import type { Distribution } from '../search/distribution.ts';

export type EarlyTerminate =
  | HyperbandSettings
  | AshaSettings
  | MedianSettings
  | PatienceSettings
  | ThresholdSettings
  | PopulationSettings;

export type RuleName = EarlyTerminate['type'];

/**
 * Hyperband of Weights & Biases. For hyperband, a step is the number of values of the metric that a trial has reported.
 */
export interface HyperbandSettings {
  readonly type: 'hyperband';
  /**
   * Either the first rung (`minIter`), or two numbers: the number of values that a complete trial reports (`maxIter`),
   * and the maximum number of rungs below `maxIter` (`brackets`).
   */
  readonly steps: { readonly minIter: number } | { readonly maxIter: number; readonly brackets: number };
  /** The ratio of consecutive rungs; above 1. */
  readonly eta: number;
  /** Whether a trial is compared by its value at the rung instead of its best value so far. */
  readonly strict: boolean;
}

export interface AshaSettings {
  readonly type: 'asha';
  /** The step of the first rung. Rung k, counted from 0, is at step `minIter * eta^k`, rounded down. */
  readonly minIter: number;
  /** All rungs are below this step. If undefined, the number of rungs is not limited. */
  readonly maxIter: number | undefined;
  /** The ratio of consecutive rungs; above 1. About one in `eta` trials continues after each rung. */
  readonly eta: number;
  /**
   * With `promotion`, trials wait at each rung until they are promoted (promotion.ts). If undefined, trials do not
   * wait: at each rung, a trial either continues or is stopped.
   */
  readonly variant?: 'promotion' | undefined;
}

export interface MedianSettings {
  readonly type: 'median';
  /** The first step at which trials are compared. */
  readonly minIter: number;
  /** The number of other trials that must have reached a step before a trial is compared at that step. */
  readonly minTrials: number;
}

export interface PatienceSettings {
  readonly type: 'patience';
  /** A trial is stopped after this number of consecutive values without an improvement. */
  readonly patience: number;
  /** An improvement must be larger than this value, which is 0 or more. */
  readonly minDelta: number;
  /** The first step at which a trial can be stopped. */
  readonly minIter: number;
}

/**
 * The settings of population based training (`method: pbt`). A sweep file declares them under `population` and `pbt`,
 * not under `early_terminate`.
 */
export interface PopulationSettings {
  readonly type: 'pbt';
  /** The number of members; at least 2. */
  readonly population: number;
  /** The number of epochs between two comparisons of the members. */
  readonly interval: number;
  /**
   * The share of the members that a comparison replaces; above 0 and at most 0.5. An equal share of the members, the
   * best ones, can be parents.
   */
  readonly quantile: number;
  /** The factors of a perturbation. One of them is chosen at random for each parameter. */
  readonly perturb: readonly number[];
  /** The probability that a parameter gets a new random value from its distribution instead of being perturbed. */
  readonly resample: number;
  /** Determines all random choices. */
  readonly seed: number;
  /** The maximum number of trials of the sweep. If undefined, the number is not limited. */
  readonly maxTrials: number | undefined;
  /** The distributions of the parameters that a child can change, in the file's order. */
  readonly explore: readonly (readonly [name: string, distribution: ExploredDistribution])[];
}

/** A distribution whose values can be perturbed. */
export type ExploredDistribution = Extract<
  Distribution,
  { readonly kind: 'categorical' | 'int_uniform' | 'uniform' | 'log_uniform' }
>;

export interface ThresholdSettings {
  readonly type: 'threshold';
  /** The bound on the value of the metric. A trial with a value worse than the bound is stopped. */
  readonly worseThan: number;
  /** The first step at which a trial can be stopped. */
  readonly minIter: number;
}
