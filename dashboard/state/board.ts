/** What the leaderboard is made of, kept up to date with the trials: configs, their places, the Pareto front. */

import { configIdOf } from '../../lib/domain/configs.ts';
import { type RankedMetric, rankedMetrics } from '../../lib/domain/ranking.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type ConfigRow, meanOf } from './config-row.ts';
import { type Change, type Order, orderOf, reorder } from './order.ts';
import type { DashboardState } from './reducer.ts';

export interface Board {
  /** In order of index; those that came later in the order of their coming. */
  readonly configs: readonly ConfigRow[];
  /** Where in `configs` each is, by id. */
  readonly at: ReadonlyMap<string, number>;
  /** One or two: what the leaderboard ranks by. */
  readonly metrics: readonly RankedMetric[];
  /** By each of them, best first; configs without a value are not in. */
  readonly ranked: readonly Order<ConfigRow>[];
  /** Ids of the configs that none beats in both metrics. Empty where there is one metric only. */
  readonly pareto: ReadonlySet<string>;
  /** Every metric that a trial has reported, in order of the alphabet. */
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

/** The configs that changed, by id: what orders over them are brought up to date with. */
export type ChangedConfigs = ReadonlyMap<string, Change<ConfigRow>>;

/**
 * @param changed trials that are new or other than before; undefined: begin anew
 */
export function updateBoard(
  board: Board,
  state: DashboardState,
  changed: ReadonlySet<string> | undefined,
): { readonly board: Board; readonly changed: ChangedConfigs | undefined } {
  if (state.sweep === undefined) return { board: EMPTY_BOARD, changed: undefined };
  if (changed?.size === 0) return { board, changed: new Map() };
  // In order of index from the beginning: orders over them have it as they need it.
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

/** The configs with these trials in place of those of the same id. */
function withTrials(board: Board, trials: Iterable<Trial>) {
  const configs = [...board.configs];
  let at = board.at as Map<string, number>;
  const touched = new Map<string, Change<ConfigRow>>();
  for (const trial of trials) {
    const id = configIdOf(trial);
    const place = at.get(id);
    const known = place === undefined ? undefined : configs[place];
    const row = known === undefined ? { id, index: trial.index, trials: [trial] as const } : withTrial(known, trial);
    if (place === undefined) {
      // Copied only when a config is new: of a sweep that runs none is.
      if (at === board.at) at = new Map(at);
      at.set(id, configs.length);
      configs.push(row);
    } else configs[place] = row;
    // Of several changes at once the first one knows what was before.
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
  key: (row: ConfigRow) => meanOf(row, name),
  descending: goal === 'maximize',
  keep: (row: ConfigRow) => meanOf(row, name) !== undefined,
});

/** Walks the first order from its best, keeping whoever is better in the second than all before. */
function paretoFront(metrics: readonly RankedMetric[], ranked: readonly Order<ConfigRow>[]): ReadonlySet<string> {
  const [, second] = metrics;
  const [first] = ranked;
  const front = new Set<string>();
  if (second === undefined || first === undefined) return front;
  /** Less is better; what has no value is worse than all that have. */
  const cost = (row: ConfigRow): number => {
    const value = meanOf(row, second.name);
    if (value === undefined) return Number.POSITIVE_INFINITY;
    return second.goal === 'minimize' ? value : -value;
  };
  const { rows, keys } = first;
  // Who has the second metric's best value beats all that follow: two metrics that agree are done after a few rows.
  const top = ranked[1]?.rows[0];
  const unbeatable = top === undefined ? Number.NEGATIVE_INFINITY : cost(top);
  let best = Number.POSITIVE_INFINITY;
  for (let from = 0; from < rows.length && best > unbeatable; ) {
    // Equals in the first metric beat each other by the second alone.
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
