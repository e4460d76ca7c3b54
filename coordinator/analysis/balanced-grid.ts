/** Finds a part of the results in which every combination of parameter values has results with the same seeds. */

import { rollup } from 'd3-array';
import { ownValue } from '../../lib/domain/own-value.ts';
import { countText, formatParameter } from '../../lib/text/numbers.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { JudgedTrial } from './judgment.ts';

export interface Factor {
  readonly name: string;
  /** In ascending order if all values are numbers. Otherwise, in order of appearance. */
  readonly values: readonly ParameterValue[];
}

export interface TrialValue {
  readonly trial: JudgedTrial;
  readonly value: number;
}

export interface BalancedGrid {
  /**
   * The factors with at least two values each. Parameters that change together are one factor, which has the name of
   * the first parameter.
   */
  readonly factors: readonly Factor[];
  readonly observations: readonly TrialValue[];
  /** One sentence for each parameter that is not a factor because other parameters determine its value. */
  readonly dependencies: readonly string[];
  /** One sentence for each group of trials that was skipped to balance the grid. */
  readonly skipped: readonly string[];
}

const MAX_FACTOR_LEVELS = 100;

/**
 * Returns a balanced grid, or the reason why the results contain none. Values are dropped one by one until every
 * combination of the remaining values has a result. Each step drops the value whose combinations most often lack a
 * result. After that, each seed that lacks a result in some combination is dropped. The method is a heuristic, because
 * it is NP-hard to find the largest balanced grid.
 * @param axes the axes of the sweep. If several parameters change together, their factor has the name of the first axis
 * among them.
 * @param others the other parameters. Such a parameter is a factor only if the axes do not determine its value. The
 * axes determine the values of most parameters that `when` sets.
 */
export function balancedGrid(
  all: readonly TrialValue[],
  axes: readonly string[],
  others: readonly string[],
): BalancedGrid | string {
  const independent = independentFactors(all, axes, others);
  if (typeof independent === 'string') return independent;
  const { factors, dependencies } = independent;
  const whole = fullGrid(factors, all);
  if (whole.observations.length === 0)
    return 'no two values of a parameter were combined with the same values of the other parameters';
  const seeds = commonSeeds(whole.observations);
  if (seeds.size === 0) return 'no seed has a result in every combination';
  const observations = whole.observations.filter(({ trial }) => seeds.has(trial.seed));
  const dropped = whole.observations.length - observations.length;
  const unpaired =
    dropped === 0 ? [] : [`${countText(dropped, 'trial')} left out: their seeds have no result in some combinations`];
  return { factors: whole.factors, observations, dependencies, skipped: [...whole.skipped, ...unpaired] };
}

/**
 * Returns the parameters that vary independently, or the reason why their effects cannot be determined.
 * @param axes see `balancedGrid`
 * @param others see `balancedGrid`
 */
export function independentFactors(
  all: readonly TrialValue[],
  axes: readonly string[],
  others: readonly string[],
): Pick<BalancedGrid, 'factors' | 'dependencies'> | string {
  const varying = factorsOf(all, [...axes, ...others]);
  if (varying.length === 0) return 'no parameter has results for two or more values';
  const large = varying.find(({ values }) => values.length > MAX_FACTOR_LEVELS);
  if (large !== undefined) return `${large.name} has more than ${MAX_FACTOR_LEVELS} values`;
  const alone = valueOfEachConfig(varying, all);
  if (alone !== undefined)
    return `${alone} has a different value in each config, so its effect cannot be separated from the effects of other parameters`;
  return withoutDetermined(withoutAliases(varying, all), axes, all);
}

function factorsOf(all: readonly TrialValue[], names: readonly string[]): Factor[] {
  return names.flatMap((name) => {
    const values = [...new Set(all.flatMap(({ trial }) => ownValue(trial.parameters, name) ?? []))];
    if (values.every((value) => typeof value === 'number')) values.sort((a, b) => Number(a) - Number(b));
    return values.length < 2 ? [] : [{ name, values }];
  });
}

/**
 * Returns the name of a factor that has a different value in each trial, as in a random search without replicates. In
 * a model, such a factor would explain all of the variation even if it had no effect. Returns undefined for a single
 * factor, because no other factor competes with it.
 */
function valueOfEachConfig(varying: readonly Factor[], all: readonly TrialValue[]): string | undefined {
  if (varying.length < 2) return undefined;
  return varying.find(({ values }) => values.length === all.length)?.name;
}

/** Removes each factor that always changes together with an earlier factor: their values correspond one to one. */
function withoutAliases(varying: readonly Factor[], all: readonly TrialValue[]) {
  const factors: Factor[] = [];
  const dependencies: string[] = [];
  for (const factor of varying) {
    const same = factors.find((kept) => kept.values.length === factor.values.length && correspond(kept, factor, all));
    if (same === undefined) factors.push(factor);
    else dependencies.push(`${factor.name} always changes together with ${same.name}`);
  }
  return { factors, dependencies };
}

function withoutDetermined(
  { factors, dependencies }: { factors: readonly Factor[]; dependencies: readonly string[] },
  axes: readonly string[],
  all: readonly TrialValue[],
) {
  const leading = factors.map(({ name }) => name).filter((name) => axes.includes(name));
  const determined = factors.flatMap(({ name }) => {
    if (leading.includes(name) || !determine(leading, name, all)) return [];
    const one = leading.find((axis) => determine([axis], name, all));
    return { name, dependency: `${name} is determined by ${one ?? leading.join(', ')}` };
  });
  return {
    factors: factors.filter(({ name }) => determined.every((other) => other.name !== name)),
    dependencies: [...dependencies, ...determined.map(({ dependency }) => dependency)],
  };
}

function determine(names: readonly string[], other: string, all: readonly TrialValue[]): boolean {
  const seen = new Map<string, ParameterValue | undefined>();
  return all.every(({ trial: { parameters } }) => {
    const key = JSON.stringify(names.map((name) => ownValue(parameters, name) ?? null));
    if (!seen.has(key)) seen.set(key, ownValue(parameters, other));
    return seen.get(key) === ownValue(parameters, other);
  });
}

function correspond(a: Factor, b: Factor, all: readonly TrialValue[]): boolean {
  const pairs = new Set(
    all.map(({ trial }) => JSON.stringify([ownValue(trial.parameters, a.name), ownValue(trial.parameters, b.name)])),
  );
  return pairs.size === a.values.length;
}

function fullGrid(factors: readonly Factor[], all: readonly TrialValue[]) {
  const levels = new Map(factors.map(({ name, values }) => [name, new Set(values)]));
  const dropped = new Map<string, ParameterValue[]>();
  let remaining = all;
  for (;;) {
    const present = countCells(factors, remaining);
    const sizes = [...levels.values()].map(({ size }) => size);
    const full = sizes.reduce((product, size) => product * size, 1);
    if (present.cells === full) break;
    const worst = sparsestValue(levels, present.byLevel, full);
    if (worst === undefined) break;
    const { name, value } = worst;
    levels.get(name)?.delete(value);
    remaining = remaining.filter(({ trial }) => ownValue(trial.parameters, name) !== value);
    dropped.set(name, [...(dropped.get(name) ?? []), value]);
  }
  const kept = factors.map(({ name, values }) => ({ name, values: values.filter((v) => levels.get(name)?.has(v)) }));
  const varying = kept.filter(({ values }) => values.length > 1);
  const values = [...dropped].map(([name, some]) => `${name}=${some.map(formatParameter).join('|')}`);
  const skipped =
    values.length === 0
      ? []
      : [`${values.join(', ')} left out, because some combinations with the other parameters have no result`];
  return { factors: varying, observations: varying.length === 0 ? [] : remaining, skipped };
}

type ByLevel = ReadonlyMap<string, ReadonlyMap<ParameterValue, number>>;

function countCells(
  factors: readonly Factor[],
  observations: readonly TrialValue[],
): { cells: number; byLevel: ByLevel } {
  const configs = new Map(observations.map(({ trial }) => [trial.configId, trial.parameters]));
  const byLevel = new Map(factors.map(({ name }) => [name, new Map<ParameterValue, number>()]));
  for (const parameters of configs.values()) {
    for (const [name, counts] of byLevel) {
      const value = ownValue(parameters, name);
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }
  return { cells: configs.size, byLevel };
}

function sparsestValue(levels: ReadonlyMap<string, ReadonlySet<ParameterValue>>, byLevel: ByLevel, full: number) {
  let worst: { name: string; value: ParameterValue; filled: number } | undefined;
  for (const [name, values] of levels) {
    if (values.size < 2) continue;
    for (const value of values) {
      const filled = (byLevel.get(name)?.get(value) ?? 0) / (full / values.size);
      if (worst === undefined || filled < worst.filled) worst = { name, value, filled };
    }
  }
  return worst;
}

function commonSeeds(observations: readonly TrialValue[]): Set<number> {
  const configs = new Set(observations.map(({ trial }) => trial.configId)).size;
  const counts = rollup(
    observations,
    ({ length }) => length,
    ({ trial }) => trial.seed,
  );
  return new Set([...counts].flatMap(([seed, count]) => (count === configs ? [seed] : [])));
}
