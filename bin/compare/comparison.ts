import { contrastOf, intervalOf } from '../../coordinator/analysis/statistics.ts';
import { fromWire, splitParameters } from '../../lib/domain/parameters.ts';
import { comparedReplicates, finishedValue, isCutOff } from '../../lib/domain/trial-result.ts';
import { AmbiguousError, BadInputError, NotFoundError } from '../../proto/errors.ts';
import type { Config, Spread, Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';

/** The confidence level of the intervals in {@link Difference}. */
export const LEVEL = 0.95;

/**
 * The mean of a config minus the mean of the first config, with the confidence interval of Welch's t-test (see
 * coordinator/analysis/statistics.ts).
 */
export interface Difference {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

interface ComparedMetric {
  readonly name: string;
  /** One entry per config. The entry of a config without a value is undefined. */
  readonly spreads: readonly (Spread | undefined)[];
  /**
   * One entry per config. The entry of the first config is undefined. Any other entry is undefined if its config or the
   * first config has fewer than two results, or if early stopping cut off a replicate of either config.
   */
  readonly differences: readonly (Difference | undefined)[];
}

export interface ConfigComparison {
  readonly configs: readonly Config[];
  /** Parameters with the same value in all configs. */
  readonly shared: Parameters;
  readonly parameters: readonly { readonly name: string; readonly values: readonly (ParameterValue | undefined)[] }[];
  readonly metrics: readonly ComparedMetric[];
  /**
   * For each config, true if it has several replicates and early stopping cut off at least one of them. The differences
   * of such a config are undefined.
   */
  readonly cutOff: readonly boolean[];
}

/**
 * Compares each config with the first config.
 * @param trials the trials of the configs; other trials are ignored
 * @param metrics the names of the metrics to compare, in display order
 */
export function comparisonOf(
  configs: readonly Config[],
  trials: readonly Trial[],
  metrics: readonly string[],
): ConfigComparison {
  const { varying, constant } = splitParameters(configs);
  const byId = new Map(trials.map((trial) => [trial.id, trial]));
  const parameters = configs.map((config) => fromWire(config.parameters));
  return {
    configs,
    shared: constant,
    parameters: varying.map((name) => ({ name, values: parameters.map((of) => of[name]) })),
    metrics: metrics.map((name) => {
      const [first = [], ...others] = configs.map((config) => resultsOf(config, byId, name));
      return {
        name,
        spreads: configs.map(({ metrics: of }) => of[name]),
        differences: [undefined, ...others.map((values) => difference(first, values))],
      };
    }),
    cutOff: configs.map(
      ({ trialIds }) =>
        trialIds.length > 1 &&
        trialIds.flatMap((id) => byId.get(id) ?? []).some((trial) => !trial.droppedIn && isCutOff(trial)),
    ),
  };
}

function resultsOf({ trialIds }: Config, byId: ReadonlyMap<string, Trial>, metric: string): number[] {
  const replicates = trialIds.flatMap((id) => byId.get(id) ?? []);
  return comparedReplicates(replicates).flatMap((trial) => finishedValue(trial, metric) ?? []);
}

function difference(first: readonly number[], other: readonly number[]): Difference | undefined {
  if (first.length < 2 || other.length < 2) return undefined;
  const contrast = contrastOf([
    { weight: 1, values: other },
    { weight: -1, values: first },
  ]);
  return { mean: contrast.effect, ...intervalOf(contrast, LEVEL) };
}

/** The number of configs to compare if the user names no config. */
export const DEFAULT_COMPARED = 3;

/**
 * Selects the configs whose id, or the id of one of whose trials, starts with a selector. Without selectors, selects
 * the best DEFAULT_COMPARED configs.
 * @param configs the configs of the sweep, in order of rank
 * @param listCommand the command that lists the configs, for messages
 * @returns at least two configs, in the order of the selectors
 * @throws {NotFoundError | AmbiguousError | BadInputError}
 */
export function chooseConfigs(
  configs: readonly Config[],
  selectors: readonly string[],
  listCommand = 'trawl trials --configs',
): Config[] {
  const chosen =
    selectors.length === 0
      ? configs.filter(({ rank }) => rank > 0).slice(0, DEFAULT_COMPARED)
      : [...new Set(selectors.map((selector) => findConfig(selector, configs, listCommand)))];
  if (chosen.length >= 2) return chosen;
  if (selectors.length > 0) throw new BadInputError('name at least two different configs');
  throw new BadInputError('fewer than two configs have a value of the metric; name the configs to compare');
}

function findConfig(selector: string, configs: readonly Config[], listCommand: string): Config {
  const matching = configs.filter(({ id, trialIds }) => [id, ...trialIds].some((known) => known.startsWith(selector)));
  const [one, ...others] = matching;
  if (one === undefined || selector === '') {
    throw new NotFoundError(
      `the sweep has no config or trial ${JSON.stringify(selector)}; list them with "${listCommand}"`,
    );
  }
  if (others.length === 0) return one;
  throw new AmbiguousError(
    `${JSON.stringify(selector)} is ambiguous: it matches ${matching.length} configs: ${matching.map(({ id }) => id).join(', ')}`,
  );
}
