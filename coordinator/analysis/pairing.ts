/**
 * Pairs the two sides of a comparison. A setting is one combination of values of the parameters that the claim does not
 * name. Only trials with the same setting are compared. The effect is the mean of the differences at the settings that
 * occur on both sides.
 */

import { greatest, group, least, sum } from 'd3-array';
import { ownValue } from '../../lib/domain/own-value.ts';
import { meanOf, resultOf } from '../../lib/domain/trial-result.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { canonicalJson } from '../../proto/values.ts';
import { type Condition, matchesConditions } from '../grid/points.ts';
import type { Quantity } from './claim.ts';
import type { JudgedTrial } from './judgment.ts';
import { type Cell, contrastOf } from './statistics.ts';

export interface Pairing {
  /**
   * The cells (statistics.ts) whose weighted sum is the left side minus the right side. Empty if the sides cannot be
   * compared.
   */
  readonly cells: readonly Cell[];
  /** The mean of each side of the comparison, left and right, over the paired settings. */
  readonly sides: readonly [number, number];
  /** The number of trials on the left side and on the right side. */
  readonly n: readonly [number, number];
  /** The number of settings at which the two sides are compared. */
  readonly settings: number;
  /** The number of settings that occur on both sides, but with too few seeds or values for a comparison. */
  readonly thinSettings: number;
  /** The parameters, other than those of the claim, that have no value in common on the two sides. */
  readonly disjoint: readonly string[];
  /** For each side, the number of trials with a result, whether they are paired or not. */
  readonly found: readonly [number, number];
}

/**
 * For a range: the results at each value of the range's parameter, with the value as the key. For a mean: all results,
 * with the empty string as the key.
 */
type Levels = ReadonlyMap<string, readonly number[]>;

export function pair(trials: readonly JudgedTrial[], left: Quantity, right: Quantity): Pairing {
  const leftResults = resultsOf(trials, left.metric, left.conditions);
  const rightResults = resultsOf(trials, right.metric, right.conditions);
  const named = namesOf(left, right);
  const leftSettings = settingsOf(leftResults, left, named);
  const rightSettings = settingsOf(rightResults, right, named);
  const pairs: SettingPair[] = [];
  let thinSettings = 0;
  for (const [setting, levels] of leftSettings) {
    const others = rightSettings.get(setting);
    if (others === undefined) continue;
    const paired = pairLevels(levels, others, left.over !== undefined);
    if (paired === undefined) thinSettings += 1;
    else pairs.push(paired);
  }
  const weighted = (cells: readonly Cell[]) =>
    cells.map(({ weight, values }) => ({ weight: weight / pairs.length, values }));
  const leftCells = pairs.flatMap((each) => weighted(each.left));
  const rightCells = pairs.flatMap((each) => weighted(each.right));
  return {
    cells: [...leftCells, ...rightCells.map(({ weight, values }) => ({ weight: -weight, values }))],
    sides: [contrastOf(leftCells).effect, contrastOf(rightCells).effect],
    n: [valueCount(leftCells), valueCount(rightCells)],
    settings: pairs.length,
    thinSettings,
    disjoint: disjointParameters(leftResults, rightResults, named),
    found: [leftResults.length, rightResults.length],
  };
}

function namesOf(left: Quantity, right: Quantity): Set<string> {
  return new Set([...left.conditions, ...right.conditions].map(({ name }) => name));
}

/** Returns the trials that have a counterpart on the other side, including trials without a result. */
export function counterpartsOf(trials: readonly JudgedTrial[], left: Quantity, right: Quantity): JudgedTrial[] {
  const named = namesOf(left, right);
  const [lefts, rights] = [left, right].map((side) => {
    const matching = trials.filter(({ parameters }) => matchesConditions(side.conditions, parameters));
    return group(matching, ({ parameters }) => settingOf(parameters, side, named));
  });
  return [...(lefts ?? [])].flatMap(([setting, matching]) => {
    const counterparts = rights?.get(setting);
    return counterparts === undefined ? [] : [...matching, ...counterparts];
  });
}

interface SettingPair {
  readonly left: readonly Cell[];
  readonly right: readonly Cell[];
}

const MIN_SEEDS = 2;

function pairLevels(left: Levels, right: Levels, isRange: boolean): SettingPair | undefined {
  const enough = (values: readonly number[] | undefined) => (values?.length ?? 0) >= MIN_SEEDS;
  const common = [...left.keys()].filter((level) => enough(left.get(level)) && enough(right.get(level)));
  if (common.length < (isRange ? 2 : 1)) return undefined;
  const cellsOf = (levels: Levels) => {
    const lists = common.map((level) => levels.get(level) ?? []);
    return isRange ? rangeCells(lists) : lists.map((values) => ({ weight: 1, values }));
  };
  return { left: cellsOf(left), right: cellsOf(right) };
}

/**
 * Returns the two cells of a range: the results with the largest mean and the results with the smallest mean. Which
 * results these are also depends on chance. The confidence interval ignores this (delta method: Oehlert, The American
 * Statistician 46, 1992), and is accurate unless two means are nearly equal.
 */
function rangeCells(lists: readonly (readonly number[])[]): Cell[] {
  return [
    { weight: 1, values: greatest(lists, meanOf) ?? [] },
    { weight: -1, values: least(lists, meanOf) ?? [] },
  ];
}

interface Result {
  readonly parameters: Parameters;
  readonly value: number;
}

function resultsOf(trials: readonly JudgedTrial[], metric: string, conditions: readonly Condition[]): Result[] {
  return trials.flatMap((trial) => {
    const value = resultOf(trial, metric);
    const { parameters } = trial;
    return value !== undefined && matchesConditions(conditions, parameters) ? [{ parameters, value }] : [];
  });
}

/** Returns a text that identifies a trial's setting: its values of all parameters that the claim does not name. */
function settingOf(parameters: Parameters, { over }: Quantity, named: ReadonlySet<string>): string {
  const others = Object.entries(parameters).filter(([name]) => !named.has(name) && name !== over);
  return canonicalJson(Object.fromEntries(others));
}

function settingsOf(results: readonly Result[], side: Quantity, named: ReadonlySet<string>): Map<string, Levels> {
  const { over } = side;
  const levelOf = ({ parameters }: Result) =>
    over === undefined ? '' : JSON.stringify(ownValue(parameters, over) ?? null);
  const settings = new Map<string, Levels>();
  for (const [setting, levels] of group(results, ({ parameters }) => settingOf(parameters, side, named), levelOf)) {
    settings.set(setting, new Map([...levels].map(([level, at]) => [level, at.map(({ value }) => value)])));
  }
  return settings;
}

function disjointParameters(left: readonly Result[], right: readonly Result[], named: ReadonlySet<string>): string[] {
  const names = new Set([...left, ...right].flatMap(({ parameters }) => Object.keys(parameters)));
  return [...names].filter((name) => {
    const values = new Set(left.map(({ parameters }) => ownValue(parameters, name)));
    return !named.has(name) && !right.some(({ parameters }) => values.has(ownValue(parameters, name)));
  });
}

function valueCount(cells: readonly Cell[]): number {
  return sum(cells, ({ values }) => values.length);
}
