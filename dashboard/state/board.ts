/** The data of the leaderboard, updated incrementally: configs, their ranks, the Pareto front and the user's order. */

import { configIdOf } from '../../lib/domain/configs.ts';
import { frontsOf, lossesOf } from '../../lib/domain/pareto.ts';
import { type RankedMetric, rankedMetrics } from '../../lib/domain/ranking.ts';
import { configValue } from '../../lib/domain/trial-result.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { orderOf, paretoFront, type RowChange, type RowOrder, reorder } from './order.ts';
import type { DashboardState } from './reducer.ts';

/** A row of the leaderboard: a config with its replicates. */
export interface ConfigRow {
  /** The config's id. */
  readonly id: string;
  /** The index of the config's first trial. */
  readonly index: number;
  /** The replicates, in order of index. */
  readonly trials: readonly [Trial, ...Trial[]];
}

export interface Board {
  /** The configs in order of index. Configs that arrive after the board is built come last, in order of arrival. */
  readonly configs: readonly ConfigRow[];
  /** The position of each config in `configs`, by id. */
  readonly at: ReadonlyMap<string, number>;
  /** The metrics that rank the leaderboard: all objectives if the sweep has several, otherwise one or two metrics. */
  readonly metrics: readonly RankedMetric[];
  /** Whether any config has several trials. */
  readonly hasReplicates: boolean;
  /** For each ranking metric, the configs with a value of the metric, best first. */
  readonly ranked: readonly RowOrder<ConfigRow>[];
  /**
   * Ids of the configs on the Pareto front of the ranking metrics (`metrics`). Empty if there is only one ranking
   * metric.
   */
  readonly pareto: ReadonlySet<string>;
  /** Every reported metric, sorted by name. */
  readonly metricNames: readonly string[];
  /** The configs in the order that the user chose last. Undefined after a change that requires a new sort. */
  readonly chosen: ChosenOrder | undefined;
}

export interface ChosenOrder {
  /** Identifies the user's choice of column, direction and filter. */
  readonly key: string;
  readonly order: RowOrder<ConfigRow>;
}

export const EMPTY_BOARD: Board = {
  configs: [],
  at: new Map(),
  metrics: [],
  hasReplicates: false,
  ranked: [],
  pareto: new Set(),
  metricNames: [],
  chosen: undefined,
};

/** The changes to configs, keyed by config id. They are applied to the orders. */
type ChangedConfigs = ReadonlyMap<string, RowChange<ConfigRow>>;

/**
 * Updates the board for changed trials.
 * @param changed new and changed trials, in order; if undefined, the board is rebuilt from all trials
 */
export function updateBoard(board: Board, state: DashboardState, changed: readonly Trial[] | undefined): Board {
  if (state.sweep === undefined) return EMPTY_BOARD;
  if (changed?.length === 0) return board;
  const trials = changed ?? [...state.trials.values()].sort((a, b) => a.index - b.index);
  const before = changed === undefined ? EMPTY_BOARD : board;
  const { configs, at, touched } = withTrials(before, trials);
  const hasReplicates = before.hasReplicates || [...touched.values()].some(({ after }) => after.trials.length > 1);
  const metricNames = withNames(before.metricNames, touched);
  const metrics = rankedMetrics(state.sweep, metricNames);
  const same = changed !== undefined && sameMetrics(metrics, before.metrics);
  const ranked = metrics.map((metric, m) => {
    const known = before.ranked[m];
    return same && known !== undefined ? reorder(known, touched) : orderOf(configs, rankingOf(metric));
  });
  const pareto = new Set(frontOf(configs, metrics, ranked).map(({ id }) => id));
  const chosen =
    same && before.chosen !== undefined
      ? { ...before.chosen, order: reorder(before.chosen.order, touched) }
      : undefined;
  return { configs, at, metrics, hasReplicates, ranked, pareto, metricNames, chosen };
}

function frontOf(
  configs: readonly ConfigRow[],
  metrics: readonly RankedMetric[],
  ranked: readonly RowOrder<ConfigRow>[],
): readonly ConfigRow[] {
  const [first, second] = ranked;
  if (first === undefined || second === undefined) return [];
  if (ranked.length === 2) return paretoFront(first, second);
  const goals = metrics.map(({ goal }) => goal);
  const points = configs.flatMap((row) => {
    const losses = lossesOf(
      metrics.map(({ name }) => configValue(row.trials, name)),
      goals,
    );
    return losses === undefined ? [] : [{ row, losses }];
  });
  const fronts = frontsOf(points.map(({ losses }) => losses));
  return points.filter((_, at) => fronts[at] === 0).map(({ row }) => row);
}

function withTrials(board: Board, trials: readonly Trial[]) {
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
  key: (row: ConfigRow) => configValue(row.trials, name),
  descending: goal === 'maximize',
  keep: (row: ConfigRow) => configValue(row.trials, name) !== undefined,
});
