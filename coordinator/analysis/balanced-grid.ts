/** The part of some results in which every combination of levels has the same seeds. */
import type { ParameterValue } from '../../proto/trainers.ts';
import type { JudgedTrial } from './judged-trial.ts';

export interface Factor {
  readonly name: string;
  /** Numbers in order of size, others in order of appearance. */
  readonly values: readonly ParameterValue[];
}

export interface Observation {
  readonly trial: JudgedTrial;
  readonly value: number;
}

export interface BalancedGrid {
  /** Each of at least two values. Parameters that change together are one factor, by the first one's name. */
  readonly factors: readonly Factor[];
  readonly observations: readonly Observation[];
  /** What goes together with what, and what was left out to balance; empty when nothing. */
  readonly asides: readonly string[];
  readonly notes: readonly string[];
}

/** The most values of a parameter that is looked at as a factor. */
export const MAX_FACTOR_LEVELS = 100;

/**
 * The largest balanced grid that dropping values one by one leads to: each time the value with the smallest share of its
 * combinations present. A heuristic: to find the largest of all is NP-hard. Then the seeds that all combinations have.
 * @param axes parameters that give their name to what changes with them
 * @param others parameters that count only where the axes do not tell them: `when` sets most of them
 * @returns text that says why there is none
 */
export function balancedGrid(
  all: readonly Observation[],
  axes: readonly string[],
  others: readonly string[],
): BalancedGrid | string {
  const varying = factorsOf(all, [...axes, ...others]);
  if (varying.length === 0) return 'no parameter has two values with a result';
  const large = varying.find(({ values }) => values.length > MAX_FACTOR_LEVELS);
  if (large !== undefined) return `${large.name} has more than ${MAX_FACTOR_LEVELS} values`;
  const { factors, asides } = withoutFollowers(withoutAliases(varying, all), axes, all);
  const whole = fullGrid(factors, all);
  if (whole.observations.length === 0) return 'no two values of a parameter were tried in the same circumstances';
  const seeds = commonSeeds(whole.observations);
  if (seeds.size === 0) return 'no seed has a result in every combination';
  const observations = whole.observations.filter(({ trial }) => seeds.has(trial.seed));
  const dropped = whole.observations.length - observations.length;
  const unpaired = dropped === 0 ? [] : [`${dropped} trials left out: not every combination has their seed`];
  return { factors: whole.factors, observations, asides, notes: [...whole.notes, ...unpaired] };
}

function factorsOf(all: readonly Observation[], names: readonly string[]): Factor[] {
  return names.flatMap((name) => {
    const values = [...new Set(all.flatMap(({ trial }) => trial.parameters[name] ?? []))];
    if (values.every((value) => typeof value === 'number')) values.sort((a, b) => Number(a) - Number(b));
    return values.length < 2 ? [] : [{ name, values }];
  });
}

/** A factor each of whose values goes with one of another's, and the other way round, tells nothing of its own. */
function withoutAliases(varying: readonly Factor[], all: readonly Observation[]) {
  const factors: Factor[] = [];
  const asides: string[] = [];
  for (const factor of varying) {
    const same = factors.find((kept) => kept.values.length === factor.values.length && goTogether(kept, factor, all));
    if (same === undefined) factors.push(factor);
    else asides.push(`${factor.name} changes with ${same.name} only, and is counted as it`);
  }
  return { factors, asides };
}

/** A parameter that the axes tell says nothing that they do not, and is never tried with everything else. */
function withoutFollowers(
  { factors, asides }: { factors: readonly Factor[]; asides: readonly string[] },
  axes: readonly string[],
  all: readonly Observation[],
) {
  const leading = factors.map(({ name }) => name).filter((name) => axes.includes(name));
  const told = factors.flatMap(({ name }) => {
    if (leading.includes(name) || !tells(leading, name, all)) return [];
    const one = leading.find((axis) => tells([axis], name, all));
    return {
      name,
      aside: `${name} follows from ${one ?? leading.join(', ')}, and is counted with ${one ? 'it' : 'them'}`,
    };
  });
  return {
    factors: factors.filter(({ name }) => told.every((follower) => follower.name !== name)),
    asides: [...asides, ...told.map(({ aside }) => aside)],
  };
}

function tells(names: readonly string[], follower: string, all: readonly Observation[]): boolean {
  const seen = new Map<string, ParameterValue | undefined>();
  return all.every(({ trial: { parameters } }) => {
    const key = JSON.stringify(names.map((name) => parameters[name] ?? null));
    if (!seen.has(key)) seen.set(key, parameters[follower]);
    return seen.get(key) === parameters[follower];
  });
}

function goTogether(a: Factor, b: Factor, all: readonly Observation[]): boolean {
  const pairs = new Set(all.map(({ trial }) => JSON.stringify([trial.parameters[a.name], trial.parameters[b.name]])));
  return pairs.size === a.values.length;
}

function fullGrid(factors: readonly Factor[], all: readonly Observation[]) {
  const levels = new Map(factors.map(({ name, values }) => [name, new Set(values)]));
  const dropped = new Map<string, ParameterValue[]>();
  let left = all;
  for (;;) {
    const present = countCells(factors, left);
    const sizes = [...levels.values()].map(({ size }) => size);
    const full = sizes.reduce((product, size) => product * size, 1);
    if (present.cells === full) break;
    const worst = thinnest(levels, present.byLevel, full);
    if (worst === undefined) break;
    const { name, value } = worst;
    levels.get(name)?.delete(value);
    left = left.filter(({ trial }) => trial.parameters[name] !== value);
    dropped.set(name, [...(dropped.get(name) ?? []), value]);
  }
  const kept = factors.map(({ name, values }) => ({ name, values: values.filter((v) => levels.get(name)?.has(v)) }));
  const remaining = kept.filter(({ values }) => values.length > 1);
  const notes = [...dropped].map(
    ([name, values]) => `${name}=${values.join('|')} left out: not tried with everything else`,
  );
  return { factors: remaining, observations: remaining.length === 0 ? [] : left, notes };
}

type ByLevel = ReadonlyMap<string, ReadonlyMap<ParameterValue, number>>;

function countCells(factors: readonly Factor[], left: readonly Observation[]): { cells: number; byLevel: ByLevel } {
  const configs = new Map(left.map(({ trial }) => [trial.configId, trial.parameters]));
  const byLevel = new Map(factors.map(({ name }) => [name, new Map<ParameterValue, number>()]));
  for (const parameters of configs.values()) {
    for (const [name, counts] of byLevel) {
      const value = parameters[name];
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }
  return { cells: configs.size, byLevel };
}

function thinnest(levels: ReadonlyMap<string, ReadonlySet<ParameterValue>>, byLevel: ByLevel, full: number) {
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

function commonSeeds(observations: readonly Observation[]): Set<number> {
  const configs = new Set(observations.map(({ trial }) => trial.configId)).size;
  const counts = new Map<number, number>();
  for (const { trial } of observations) counts.set(trial.seed, (counts.get(trial.seed) ?? 0) + 1);
  return new Set([...counts].flatMap(([seed, count]) => (count === configs ? [seed] : [])));
}
