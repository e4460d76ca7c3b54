/** The data of the leaderboard, updated incrementally: configs, their ranks and the Pareto front. */

import { configIdOf } from '../../lib/domain/configs.ts';
import { type RankedMetric, rankedMetrics } from '../../lib/domain/ranking.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type ConfigRow, rowValue } from './config-row.ts';
import { orderOf, type RowChange, type RowOrder, reorder } from './order.ts';
import type { DashboardState } from './reducer.ts';

export interface Board {
  /** The configs by index. Configs that arrived later follow in order of arrival. */
  readonly configs: readonly ConfigRow[];
  /** The position of each config in `configs`, by id. */
  readonly at: ReadonlyMap<string, number>;
  /** The one or two metrics that the leaderboard ranks by. */
  readonly metrics: readonly RankedMetric[];
  /** One order per metric, best first, without configs that have no value. */
  readonly ranked: readonly RowOrder<ConfigRow>[];
  /** Ids of the configs on the Pareto front of both metrics. Empty with one metric. */
  readonly pareto: ReadonlySet<string>;
  /** Every reported metric, sorted by name. */
  readonly metricNames: readonly string[];
}

export const EMPTY_BOARD: Board = {
  configs: [],
  at: new Map(),
  metrics: [],
  ranked: [],
  pareto: new Set(),
  metricNames: [],
};

/** The changed configs by id, for updating orders over them. */
export type ChangedConfigs = ReadonlyMap<string, RowChange<ConfigRow>>;

/**
 * Updates the board for changed trials.
 * @param changed ids of new and changed trials; undefined rebuilds the board
 */
export function updateBoard(
  board: Board,
  state: DashboardState,
  changed: ReadonlySet<string> | undefined,
): { readonly board: Board; readonly changed: ChangedConfigs | undefined } {
  if (state.sweep === undefined) return { board: EMPTY_BOARD, changed: undefined };
  if (changed?.size === 0) return { board, changed: new Map() };
  const trials =
    changed === undefined ? [...state.trials.values()].sort((a, b) => a.index - b.index) : trialsOf(state, changed);
  const before = changed === undefined ? EMPTY_BOARD : board;
  const { configs, at, touched } = withTrials(before, trials);
  const metricNames = withNames(before.metricNames, touched);
  const metrics = rankedMetrics(state.sweep, metricNames);
  const same = changed !== undefined && sameMetrics(metrics, before.metrics);
  const ranked = metrics.map((metric, m) => {
    const known = before.ranked[m];
    return same && known !== undefined ? reorder(known, touched) : orderOf(configs, rankingOf(metric));
  });
  const next = { configs, at, metrics, ranked, pareto: paretoFront(metrics, ranked), metricNames };
  return { board: next, changed: same ? touched : undefined };
}

function* trialsOf(state: DashboardState, ids: ReadonlySet<string>): Generator<Trial> {
  for (const id of ids) {
    const trial = state.trials.get(id);
    if (trial !== undefined) yield trial;
  }
}

function withTrials(board: Board, trials: Iterable<Trial>) {
  const configs = [...board.configs];
  let at = board.at as Map<string, number>;
  const touched = new Map<string, RowChange<ConfigRow>>();
  for (const trial of trials) {
    const id = configIdOf(trial);
    const place = at.get(id);
    const known = place === undefined ? undefined : configs[place];
    const row = known === undefined ? { id, index: trial.index, trials: [trial] as const } : withTrial(known, trial);
    if (place === undefined) {
      if (at === board.at) at = new Map(at);
      at.set(id, configs.length);
      configs.push(row);
    } else configs[place] = row;
    touched.set(id, { before: touched.has(id) ? touched.get(id)?.before : known, after: row });
  }
  return { configs, at, touched };
}

function withTrial(row: ConfigRow, trial: Trial): ConfigRow {
  const place = row.trials.findIndex(({ id }) => id === trial.id);
  const trials = place < 0 ? [...row.trials, trial] : row.trials.with(place, trial);
  const [first = trial, ...rest] = place < 0 ? trials.sort((a, b) => a.index - b.index) : trials;
  return { id: row.id, index: first.index, trials: [first, ...rest] };
}

function withNames(names: readonly string[], touched: ChangedConfigs): readonly string[] {
  const known = new Set(names);
  for (const { after } of touched.values()) {
    for (const { metrics } of after.trials) for (const name in metrics) known.add(name);
  }
  return known.size === names.length ? names : [...known].sort();
}

const sameMetrics = (a: readonly RankedMetric[], b: readonly RankedMetric[]): boolean =>
  a.length === b.length && a.every(({ name, goal }, i) => name === b[i]?.name && goal === b[i]?.goal);

const rankingOf = ({ name, goal }: RankedMetric) => ({
  key: (row: ConfigRow) => rowValue(row, name),
  descending: goal === 'maximize',
  keep: (row: ConfigRow) => rowValue(row, name) !== undefined,
});

function paretoFront(metrics: readonly RankedMetric[], ranked: readonly RowOrder<ConfigRow>[]): ReadonlySet<string> {
  const [, second] = metrics;
  const [first] = ranked;
  const front = new Set<string>();
  if (second === undefined || first === undefined) return front;
  const cost = (row: ConfigRow): number => {
    const value = rowValue(row, second.name);
    if (value === undefined) return Number.POSITIVE_INFINITY;
    return second.goal === 'minimize' ? value : -value;
  };
  const { rows, keys } = first;
  // The row with the best value of the second metric dominates all later rows, so metrics that agree need few steps.
  const top = ranked[1]?.rows[0];
  const unbeatable = top === undefined ? Number.NEGATIVE_INFINITY : cost(top);
  let best = Number.POSITIVE_INFINITY;
  for (let from = 0; from < rows.length && best > unbeatable; ) {
    let until = from + 1;
    while (until < rows.length && keys[until] === keys[from]) until++;
    const equals = rows.slice(from, until);
    const least = equals.reduce((least, row) => Math.min(least, cost(row)), Number.POSITIVE_INFINITY);
    if (least < best) for (const row of equals) if (cost(row) === least) front.add(row.id);
    best = Math.min(best, least);
    from = until;
  }
  return front;
}
