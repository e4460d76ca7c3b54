/** Orders and groups the values of a parameter for a chart. */

import { fromWire } from '../../lib/domain/parameters.ts';
import { formatParameter } from '../../lib/text/numbers.ts';
import type { Config } from '../../proto/gen/trawl/v1/types.ts';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';

export interface ParameterLevel {
  readonly label: string;
  has(value: ParameterValue | undefined): boolean;
}

/** Formats a parameter's value. Numbers are rounded, and very small and very large numbers have an exponent. */
export function valueText(value: ParameterValue | undefined): string {
  return value === undefined ? '-' : formatParameter(value);
}

/** Returns the distinct values: sorted by size if all are numbers, and otherwise in order of appearance. */
export function distinctValues(values: Iterable<ParameterValue | undefined>): ParameterValue[] {
  const distinct = [...new Set(values)].filter((value) => value !== undefined);
  if (!distinct.every((value) => typeof value === 'number')) return distinct;
  return distinct.sort((a, b) => Number(a) - Number(b));
}

/**
 * Returns one level per value. If there are more than `most` values and all of them are numbers, returns `most` ranges
 * with about equally many values. Returns undefined if there are more than `most` values and not all of them are
 * numbers.
 */
export function levelsOf(values: readonly ParameterValue[], most: number): ParameterLevel[] | undefined {
  if (values.length <= most) {
    return values.map((value) => ({ label: valueText(value), has: (other) => other === value }));
  }
  if (!values.every((value) => typeof value === 'number')) return undefined;
  return Array.from({ length: most }, (_, i) => {
    const from = Number(values[Math.floor((i * values.length) / most)]);
    const to = Number(values[Math.floor(((i + 1) * values.length) / most) - 1]);
    const label = from === to ? valueText(from) : `${valueText(from)} to ${valueText(to)}`;
    return { label, has: (other) => typeof other === 'number' && other >= from && other <= to };
  });
}

/**
 * Returns the names of the parameters that differ between configs. The names in `first` come first, in the order of
 * `first`.
 */
export function varyingParameters(parameters: readonly Parameters[], first: readonly string[]): string[] {
  const names = new Set(parameters.flatMap((of) => Object.keys(of)));
  const varies = (name: string) => {
    const [one, ...others] = parameters;
    return others.some((of) => of[name] !== one?.[name]);
  };
  const known = first.filter((name) => names.has(name));
  const rest = [...names].filter((name) => !first.includes(name)).sort();
  return [...known, ...rest].filter(varies);
}

/**
 * Returns the names in the same order, without the parameters that an earlier parameter determines (by `when` or
 * `zip`).
 * @param own the names of the independent axes. Such an axis is kept if the earlier parameter has a different value in
 * each config, because a parameter with such values determines every other parameter by chance
 */
export function independentParameters(
  parameters: readonly Parameters[],
  names: readonly string[],
  own: ReadonlySet<string>,
): string[] {
  const kept: string[] = [];
  for (const name of names) {
    const isDetermined = kept.some((other) => {
      const seen = new Map<ParameterValue | undefined, ParameterValue | undefined>();
      const determined = parameters.every((of) => {
        if (!seen.has(of[other])) seen.set(of[other], of[name]);
        return seen.get(of[other]) === of[name];
      });
      return determined && (!own.has(name) || seen.size < parameters.length);
    });
    if (!isDetermined) kept.push(name);
  }
  return kept;
}

export const parametersOf = (config: Config): Parameters => fromWire(config.parameters);
