/** Chooses which results of earlier sweeps a search starts with. */
import { show } from '../../lib/text/quote.ts';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';
import { type Distribution, distributionText } from './distribution.ts';
import type { SearchResult } from './searcher.ts';

/** The maximum number of results with which a search starts. The newest results are used. */
export const MAX_WARM_RESULTS = 10_000;

/** `number` if all values of a parameter are numbers. */
type ParameterKind = 'number' | 'category';

/** The kind of each parameter under `parameters` in a sweep file, by name. */
export type ParameterKinds = ReadonlyMap<string, ParameterKind>;

/** Returns the kind of a parameter with these values. */
export function kindOfValues(values: readonly ParameterValue[]): ParameterKind {
  return values.every((value) => typeof value === 'number') ? 'number' : 'category';
}

export function kindsOfSpace(space: ReadonlyMap<string, Distribution>): ParameterKinds {
  return new Map([...space].map(([name, distribution]) => [name, kindOf(distribution)]));
}

function kindOf(distribution: Distribution): ParameterKind {
  if (distribution.kind === 'constant') return kindOfValues([distribution.value]);
  return distribution.kind === 'categorical' ? kindOfValues(distribution.values) : 'number';
}

/** Returns the first difference between two spaces as text; undefined if all names and kinds are equal. */
export function spaceDifference(own: ParameterKinds, earlier: ParameterKinds): string | undefined {
  const missing = [...own.keys()].filter((name) => !earlier.has(name));
  if (missing.length > 0) return `has no ${named(missing)}`;
  const further = [...earlier.keys()].filter((name) => !own.has(name));
  if (further.length > 0) return `has ${named(further)}, which this file lacks`;
  for (const [name, kind] of own) {
    const other = earlier.get(name);
    if (other !== undefined && other !== kind)
      return `has ${TEXT[other]} in ${named([name])}, but this file has ${TEXT[kind]}`;
  }
  return undefined;
}

const TEXT: Readonly<Record<ParameterKind, string>> = {
  number: 'only numbers',
  category: 'values other than numbers',
};

function named(names: readonly string[]): string {
  return `parameter${names.length > 1 ? 's' : ''} ${names.map((name) => JSON.stringify(name)).join(', ')}`;
}

/** A config of an earlier sweep, with at least one ended trial. */
export interface EarlierConfig {
  readonly parameters: Parameters;
  /** The mean of the metric over the replicates that count (lib/domain/trial-result.ts) and have the metric. */
  readonly value: number | undefined;
  /** Whether a replicate has a result, although no replicate has the metric. */
  readonly lacksMetric: boolean;
}

/** A parameter whose values in earlier configs are outside the space. */
interface OutsideValue {
  readonly name: string;
  /** The value of one of the configs. Undefined if the config has no such parameter. */
  readonly value: ParameterValue | undefined;
  readonly distribution: Distribution;
  readonly configs: number;
}

export interface WarmStart {
  /** The results to use, oldest first. */
  readonly results: readonly SearchResult[];
  /**
   * The parameters that have values outside the space, in descending order of `configs`. A config with several such
   * parameters counts only for the first of them in the order of the space.
   */
  readonly outsideValues: readonly OutsideValue[];
  /** The number of configs that are left out because a value is outside the space. */
  readonly outside: number;
  /** The number of configs that are left out because their results lack the metric. */
  readonly withoutMetric: number;
  /** The number of configs that are left out because MAX_WARM_RESULTS newer configs are used. */
  readonly older: number;
}

/**
 * Returns the results with which a search starts. Leaves out configs with a value outside the space, configs whose
 * results lack the metric, and the oldest configs beyond MAX_WARM_RESULTS.
 * @param configs the configs of earlier sweeps, oldest first
 * @param isActive whether a parameter has an effect at a point; a parameter without an effect may have any value
 */
export function warmStartOf(
  configs: readonly EarlierConfig[],
  space: ReadonlyMap<string, Distribution>,
  isActive: (point: Parameters, name: string) => boolean,
): WarmStart {
  const outsideValues = new Map<string, OutsideValue>();
  const inside = configs.filter(({ parameters }) => {
    for (const [name, distribution] of space) {
      const value = parameters[name];
      if (!isActive(parameters, name) || (value !== undefined && contains(distribution, value))) continue;
      const before = outsideValues.get(name)?.configs ?? 0;
      outsideValues.set(name, { name, value, distribution, configs: before + 1 });
      return false;
    }
    return true;
  });
  const measured = inside.filter(({ lacksMetric }) => !lacksMetric);
  const results = measured.slice(-MAX_WARM_RESULTS).map(({ parameters, value }) => ({ parameters, value }));
  return {
    results,
    outsideValues: [...outsideValues.values()].sort((a, b) => b.configs - a.configs),
    outside: configs.length - inside.length,
    withoutMetric: inside.length - measured.length,
    older: measured.length - results.length,
  };
}

/** Returns whether a distribution contains a value. A distribution with `q` contains every value between its limits. */
export function contains(distribution: Distribution, value: ParameterValue): boolean {
  if (distribution.kind === 'constant') return distribution.value === value;
  if (distribution.kind === 'categorical') return distribution.values.includes(value);
  if (typeof value !== 'number') return false;
  switch (distribution.kind) {
    case 'int_uniform':
      return Number.isInteger(value) && value >= distribution.min && value <= distribution.max;
    case 'uniform':
    case 'log_uniform':
      return value >= distribution.min && value <= distribution.max;
    case 'normal':
      return true;
    case 'log_normal':
      return value > 0 || (distribution.q !== undefined && value === 0);
    case 'beta':
      return value >= 0 && value <= 1;
  }
}

/** Returns a warning about a warm start. Undefined if there is at least one config and all configs are used. */
export function warmStartWarning(
  { results, outside, outsideValues, withoutMetric, older }: WarmStart,
  metric: string,
): { readonly message: string; readonly count: number } | undefined {
  const count = outside + withoutMetric + older;
  const total = results.length + count;
  if (total === 0) return { message: NO_RESULTS, count: 0 };
  if (count === 0) return undefined;
  const reasons = [
    ...(outside > 0 ? [`${outside} outside the space: for example, ${outsideText(outsideValues)}`] : []),
    ...(withoutMetric > 0 ? [`${withoutMetric} without the metric ${metric}`] : []),
    ...(older > 0 ? [`${older} beyond the newest ${MAX_WARM_RESULTS.toLocaleString('en')}`] : []),
  ];
  return { message: `${count} of ${total} configs of the earlier sweeps are left out (${reasons.join('; ')})`, count };
}

const NO_RESULTS =
  'no trial of the earlier sweeps had ended when this sweep was submitted, and results that arrive later are not used';

/** The maximum number of parameters that a message names. */
const MAX_NAMED = 3;

function outsideText(values: readonly OutsideValue[]): string {
  const named = values.slice(0, MAX_NAMED).map(({ name, value, distribution }) => {
    return `${name} is ${show(value)} in an earlier sweep, but ${distributionText(distribution)} in this sweep`;
  });
  return [...named, ...(values.length > MAX_NAMED ? [`and ${values.length - MAX_NAMED} more parameters`] : [])].join(
    ', ',
  );
}
