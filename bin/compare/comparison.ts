import { contrastOf, intervalOf } from '../../coordinator/analysis/statistics.ts';
import { fromWire, splitParameters } from '../../lib/domain/parameters.ts';
import { resultOf } from '../../lib/domain/trial-result.ts';
import { AmbiguousError, BadInputError, NotFoundError } from '../../proto/errors.ts';
import type { Config, Spread, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';

/** Some configs side by side: what sets them apart, and whether their results differ by more than their seeds do. */

/** Of the interval of a difference. */
export const LEVEL = 0.95;

/** This config's mean minus the first one's, with Welch's interval (see coordinator/analysis/statistics.ts). */
export interface Difference {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

interface ComparedMetric {
  readonly name: string;
  /** A config each; undefined where it has no value. */
  readonly spreads: readonly (Spread | undefined)[];
  /** A config each; undefined for the first, and where either has fewer than two results. */
  readonly differences: readonly (Difference | undefined)[];
}

export interface Comparison {
  readonly configs: readonly Config[];
  /** What they share. */
  readonly shared: Parameters;
  readonly parameters: readonly { readonly name: string; readonly values: readonly (ParameterValue | undefined)[] }[];
  readonly metrics: readonly ComparedMetric[];
}

/**
 * @param trials of these configs at least
 * @param metrics in the order in which they are to be shown
 */
export function comparisonOf(
  configs: readonly Config[],
  trials: readonly Trial[],
  metrics: readonly string[],
): Comparison {
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
  };
}

function resultsOf({ trialIds }: Config, byId: ReadonlyMap<string, Trial>, metric: string): number[] {
  return trialIds.flatMap((id) => {
    const trial = byId.get(id);
    if (trial === undefined) return [];
    return resultOf({ state: trialState.of(trial.state), metrics: trial.metrics }, metric) ?? [];
  });
}

function difference(first: readonly number[], other: readonly number[]): Difference | undefined {
  if (first.length < 2 || other.length < 2) return undefined;
  const contrast = contrastOf([
    { weight: 1, values: other },
    { weight: -1, values: first },
  ]);
  return { mean: contrast.effect, ...intervalOf(contrast, LEVEL) };
}

/** Which configs a person means: by a prefix of a config's id, or of one of its trials'. */

/** Without selectors, so many of the best. */
export const DEFAULT_COMPARED = 3;

/**
 * @param configs in order of rank
 * @returns two configs or more, in the order of the selectors
 * @throws {NotFoundError | AmbiguousError | BadInputError}
 */
export function chooseConfigs(configs: readonly Config[], selectors: readonly string[]): Config[] {
  const chosen =
    selectors.length === 0
      ? configs.filter(({ rank }) => rank > 0).slice(0, DEFAULT_COMPARED)
      : [...new Set(selectors.map((selector) => chosenBy(selector, configs)))];
  if (chosen.length >= 2) return chosen;
  if (selectors.length > 0) throw new BadInputError('two different configs are needed to compare');
  throw new BadInputError('fewer than two configs have a value of the metric yet: name those to compare');
}

function chosenBy(selector: string, configs: readonly Config[]): Config {
  const fits = configs.filter(({ id, trialIds }) => [id, ...trialIds].some((known) => known.startsWith(selector)));
  const [one, ...others] = fits;
  if (one === undefined || selector === '') {
    throw new NotFoundError(
      `there is no config and no trial ${JSON.stringify(selector)} in the sweep: "trawl trials --configs" lists them`,
    );
  }
  if (others.length === 0) return one;
  throw new AmbiguousError(
    `${JSON.stringify(selector)} fits ${fits.length} configs: ${fits.map(({ id }) => id).join(', ')}`,
  );
}
