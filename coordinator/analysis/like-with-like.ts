/**
 * The two sides of a comparison, like against like: trials are compared within one setting of the parameters that the
 * claim does not name, never across settings, and the effect is the mean over the settings that both sides have.
 */

import { meanOf, resultOf } from '../../lib/domain/trial-result.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { canonicalJson } from '../grid/canonical-json.ts';
import { type Condition, matches } from '../grid/rules.ts';
import type { Quantity } from './claim.ts';
import { type Cell, contrastOf } from './contrast.ts';
import type { JudgedTrial } from './judged-trial.ts';

export interface Pairing {
  /** What is compared: left minus right. Empty when nothing can be. */
  readonly cells: readonly Cell[];
  /** Means over the settings: of the left side, of the right. */
  readonly sides: readonly [number, number];
  /** Trials on the left, and on the right. */
  readonly n: readonly [number, number];
  /** Settings of the other parameters that are compared in. */
  readonly settings: number;
  /** Settings that both sides have, and a cell of fewer than two seeds. */
  readonly thin: number;
  /** Parameters other than the compared ones in which the sides have no value in common. */
  readonly apart: readonly string[];
  /** Trials with a result on each side, paired or not. */
  readonly found: readonly [number, number];
}

/** Values by level of the parameter that a range is over; a mean has the one level ''. */
type Levels = ReadonlyMap<string, readonly number[]>;

export function pair(trials: readonly JudgedTrial[], left: Quantity, right: Quantity): Pairing {
  const leftTrials = resultsOf(trials, left.metric, left.conditions);
  const rightTrials = resultsOf(trials, right.metric, right.conditions);
  const named = new Set([...left.conditions, ...right.conditions].map(({ name }) => name));
  const leftSettings = settingsOf(leftTrials, left, named);
  const rightSettings = settingsOf(rightTrials, right, named);
  const fits: SettingFit[] = [];
  let thin = 0;
  for (const [setting, levels] of leftSettings) {
    const others = rightSettings.get(setting);
    const fit = others && fitOf(levels, others, left.over !== undefined);
    if (fit !== undefined) fits.push(fit);
    else if (others !== undefined) thin += 1;
  }
  const weighted = (cells: readonly Cell[]) =>
    cells.map(({ weight, values }) => ({ weight: weight / fits.length, values }));
  const leftCells = fits.flatMap((fit) => weighted(fit.left));
  const rightCells = fits.flatMap((fit) => weighted(fit.right));
  return {
    cells: [...leftCells, ...rightCells.map(({ weight, values }) => ({ weight: -weight, values }))],
    sides: [contrastOf(leftCells).effect, contrastOf(rightCells).effect],
    n: [countOf(leftCells), countOf(rightCells)],
    settings: fits.length,
    thin,
    apart: apartIn(leftTrials, rightTrials, named),
    found: [leftTrials.length, rightTrials.length],
  };
}

interface SettingFit {
  readonly left: readonly Cell[];
  readonly right: readonly Cell[];
}

const MIN_SEEDS = 2;

/** Both sides of one setting, at the levels that both have; undefined where a seed or a level is lacking. */
function fitOf(left: Levels, right: Levels, range: boolean): SettingFit | undefined {
  const enough = (values: readonly number[] | undefined) => (values?.length ?? 0) >= MIN_SEEDS;
  const common = [...left.keys()].filter((level) => enough(left.get(level)) && enough(right.get(level)));
  if (common.length < (range ? 2 : 1)) return undefined;
  const cellsOf = (levels: Levels) => {
    const lists = common.map((level) => levels.get(level) ?? []);
    return range ? extremes(lists) : lists.map((values) => ({ weight: 1, values }));
  };
  return { left: cellsOf(left), right: cellsOf(right) };
}

/**
 * The largest mean minus the smallest, as a contrast. Which levels those are is taken as known, which is the delta method
 * (Oehlert, The American Statistician 46, 1992): good where the levels differ by more than their seeds do, as the range
 * has no derivative where two levels tie.
 */
function extremes(lists: readonly (readonly number[])[]): Cell[] {
  const sorted = lists.map((values) => ({ values, mean: meanOf(values) })).sort((a, b) => a.mean - b.mean);
  const least = sorted[0]?.values ?? [];
  const most = sorted[sorted.length - 1]?.values ?? [];
  return [
    { weight: 1, values: most },
    { weight: -1, values: least },
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
    return value !== undefined && matches(conditions, parameters) ? [{ parameters, value }] : [];
  });
}

function settingsOf(results: readonly Result[], { over }: Quantity, named: ReadonlySet<string>): Map<string, Levels> {
  const settings = new Map<string, Map<string, number[]>>();
  for (const { parameters, value } of results) {
    const others = Object.entries(parameters).filter(([name]) => !named.has(name) && name !== over);
    const key = canonicalJson(Object.fromEntries(others));
    const level = over === undefined ? '' : JSON.stringify(parameters[over] ?? null);
    const levels = settings.get(key) ?? new Map<string, number[]>();
    settings.set(key, levels.set(level, [...(levels.get(level) ?? []), value]));
  }
  return settings;
}

function apartIn(left: readonly Result[], right: readonly Result[], named: ReadonlySet<string>): string[] {
  const names = new Set([...left, ...right].flatMap(({ parameters }) => Object.keys(parameters)));
  return [...names].filter((name) => {
    const values = new Set(left.map(({ parameters }) => parameters[name]));
    return !named.has(name) && !right.some(({ parameters }) => values.has(parameters[name]));
  });
}

function countOf(cells: readonly Cell[]): number {
  return cells.reduce((sum, { values }) => sum + values.length, 0);
}
