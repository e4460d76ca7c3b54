/**
 * The mean of a metric over the finished trials, at each value of one parameter or at each pair of values of two
 * parameters. Configs with a trial that early stopping cut off are left out.
 */

import { extent } from 'd3-array';
import { parameterText } from '../../lib/domain/parameters.ts';
import { comparedReplicates, finishedValue, meanOf } from '../../lib/domain/trial-result.ts';
import type { EffectLevel } from '../source.ts';
import type { ConfigRow } from './board.ts';

const MAX_LEVELS = 60;

const levels = new WeakMap<readonly ConfigRow[], Map<string, EffectLevel[]>>();

/** Returns the values of a parameter, each with the metric's mean. Caches the means for each list of configs. */
export function marginalLevels(configs: readonly ConfigRow[], parameter: string, metric: string): EffectLevel[] {
  const known = levels.get(configs) ?? new Map<string, EffectLevel[]>();
  levels.set(configs, known);
  const key = JSON.stringify([parameter, metric]);
  const answer = known.get(key) ?? levelsOf(configs, parameter, metric);
  known.set(key, answer);
  return answer;
}

function levelsOf(configs: readonly ConfigRow[], parameter: string, metric: string): EffectLevel[] {
  const groups = new Map<string, number[]>();
  for (const { trials } of configs) {
    for (const trial of comparedReplicates(trials)) {
      const result = finishedValue(trial, metric);
      if (result === undefined) continue;
      const value = parameterText(trial, parameter);
      const group = groups.get(value);
      if (group === undefined) groups.set(value, [result]);
      else group.push(result);
    }
  }
  return [...groups]
    .sort(([a], [b]) => byValue(a, b))
    .slice(0, MAX_LEVELS)
    .map(([value, results]) => {
      const [lowest = Number.NaN, highest = Number.NaN] = extent(results);
      const mean = meanOf(results);
      return { value: value === '' ? '-' : value, mean, interval: undefined, n: results.length, lowest, highest };
    });
}

export interface CrossTable {
  readonly down: readonly string[];
  readonly across: readonly string[];
  readonly mean: (down: number, across: number) => number | undefined;
}

const crossings = new WeakMap<readonly ConfigRow[], { question: string; answer: CrossTable }>();

/** Returns the metric's mean at each pair of values of two parameters. Caches the last table per list of configs. */
export function crossTable(configs: readonly ConfigRow[], pair: readonly [string, string], metric: string): CrossTable {
  const question = JSON.stringify([pair, metric]);
  const known = crossings.get(configs);
  if (known?.question === question) return known.answer;
  const answer = cross(configs, pair, metric);
  crossings.set(configs, { question, answer });
  return answer;
}

function cross(configs: readonly ConfigRow[], [first, second]: readonly [string, string], metric: string): CrossTable {
  const sums = new Map<string, Map<string, { sum: number; n: number }>>();
  const acrossValues = new Set<string>();
  for (const { trials } of configs) {
    for (const trial of comparedReplicates(trials)) {
      const result = finishedValue(trial, metric);
      if (result === undefined) continue;
      const [a, b] = [parameterText(trial, first), parameterText(trial, second)];
      const row = sums.get(a) ?? new Map<string, { sum: number; n: number }>();
      sums.set(a, row);
      acrossValues.add(b);
      const cell = row.get(b) ?? { sum: 0, n: 0 };
      row.set(b, { sum: cell.sum + result, n: cell.n + 1 });
    }
  }
  const down = [...sums.keys()].sort(byValue).slice(0, MAX_LEVELS);
  const across = [...acrossValues].sort(byValue).slice(0, MAX_LEVELS);
  return {
    down,
    across,
    mean: (d, a) => {
      const cell = sums.get(down[d] ?? '')?.get(across[a] ?? '');
      return cell === undefined ? undefined : cell.sum / cell.n;
    },
  };
}

function byValue(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  if (a !== '' && b !== '' && !Number.isNaN(difference)) return difference;
  return a < b ? -1 : a > b ? 1 : 0;
}
