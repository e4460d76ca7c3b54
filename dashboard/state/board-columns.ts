import type { TimeLeft } from '../../lib/domain/eta.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { parameterText, SEED } from '../../lib/domain/parameters.ts';
import { leasedMs } from '../../lib/domain/slot-time.ts';
import { bestReplicate, configSpread, configValue, leftOutOfConfig } from '../../lib/domain/trial-result.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric, formatSpread, formatStep } from '../../lib/text/numbers.ts';
import type { ParameterColumns } from '../../lib/text/parameter-columns.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { trialStyle } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';
import { sparkline } from '../draw/sparkline.ts';
import type { Board, ConfigRow } from './board.ts';
import type { BoardRow } from './board-rows.ts';
import type { ReportPoint } from './curve-cache.ts';
import { rankOf, type SortKey } from './order.ts';
import { configState, failedText, trialStateText } from './trial-state-text.ts';

/** A column of the leaderboard, with a function that returns the sort key of a row. */
export interface BoardColumn extends Column<BoardRow> {
  readonly key: (row: ConfigRow) => SortKey;
  /** Whether the highest value comes first. */
  readonly descending: boolean;
  /** Whether the column stays in place when the other columns scroll. */
  readonly fixed?: true | undefined;
}

export interface ColumnContext {
  readonly board: Board;
  /** The columns of the parameters that vary. */
  readonly parameters: ParameterColumns<Trial>;
  readonly curveOf: (trialId: string) => readonly ReportPoint[];
  /**
   * Returns the remaining time of a trial. Undefined if the trial is not running and will not start, or if the time
   * cannot be estimated.
   */
  readonly timeLeft: (trialId: string) => TimeLeft | undefined;
  readonly now: number;
  /** The width of the terminal. */
  readonly width: number;
}

/** Returns the replicate of a replicate's row, or the best replicate of a config's row. */
export function rowTrial({ config, trial }: BoardRow, board: Board): Trial {
  const [own] = board.metrics;
  return trial ?? bestReplicate(config.trials, own?.name ?? '', own?.goal ?? 'minimize');
}

const fixed = (columns: readonly (BoardColumn | undefined)[]): BoardColumn[] =>
  columns.flatMap((column) => (column === undefined ? [] : [{ ...column, fixed: true as const, required: true }]));

/**
 * Returns every column, the most important first. The ranking metric, the trial, its epoch and its state are always
 * visible.
 */
export function boardColumns(context: ColumnContext): BoardColumn[] {
  const { board, parameters } = context;
  const shown = new Set(board.metrics.map(({ name }) => name));
  const narrow = context.width < NARROW;
  const [ownRank, ...otherRanks] = ranks(board);
  const metrics = board.metrics.map(({ name: metric, goal }) => metricColumn(metric, goal === 'maximize'));
  const [epoch, state, ...rest] = progress(context);
  return [
    ...(ownRank === undefined ? [] : [ownRank]),
    ...(narrow ? [] : otherRanks),
    ...fixed(narrow ? metrics.slice(0, 1) : metrics),
    ...fixed([name(board), epoch, state]),
    ...(narrow ? metrics.slice(1) : []),
    ...(narrow ? [] : [trend(context)]),
    ...parameters.own.filter(({ header }) => header !== SEED || !board.hasReplicates).map(parameterColumn),
    ...rest,
    ...(narrow ? [...otherRanks.map((column) => ({ ...column, fixed: undefined })), trend(context)] : []),
    ...board.metricNames.filter((metric) => !shown.has(metric)).map((metric) => metricColumn(metric, false)),
    ...parameters.determined.map(parameterColumn),
  ];
}

function ranks({ metrics, ranked, pareto }: Board): BoardColumn[] {
  const rank = (row: ConfigRow, m: number): number | undefined => {
    const order = ranked[m];
    const value = configValue(row.trials, metrics[m]?.name ?? '');
    return order === undefined || value === undefined ? undefined : rankOf(order, value);
  };
  return metrics.map(({ name, goal }, m): BoardColumn => {
    const own = m === 0;
    return {
      header: own ? '#' : `${name} rank`,
      numeric: true,
      fixed: true,
      // Sorts by the ranked value, because the rank of an unchanged row can change when another row changes.
      descending: goal === 'maximize',
      key: ({ trials }) => configValue(trials, name),
      cell: ({ config, trial }) => {
        if (trial !== undefined) return '';
        const star = own && metrics.length > 1 ? (pareto.has(config.id) ? '★' : ' ') : '';
        return `${star}${rank(config, m) ?? '-'}`;
      },
      style: ({ config, trial }) => (trial === undefined && rank(config, m) === 1 ? 'bold' : undefined),
    };
  });
}

function metricColumn(name: string, descending: boolean): BoardColumn {
  return {
    header: name,
    numeric: true,
    descending,
    key: ({ trials }) => configValue(trials, name),
    cell: ({ config, trial }) => {
      if (trial !== undefined) return formatMetric(ownValue(trial.metrics, name));
      if (config.trials.length === 1) return formatMetric(ownValue(config.trials[0].metrics, name));
      const spread = configSpread(config.trials, name);
      const isPart = spread !== undefined && leftOutOfConfig(config.trials) > 0;
      return formatSpread(spread) + (isPart ? ` (n=${spread.n})` : '');
    },
  };
}

const NARROW = 100;

function trend({ board, curveOf, width }: ColumnContext): BoardColumn {
  const metric = board.metrics[0]?.name ?? '';
  const cells = width < NARROW ? 8 : 12;
  return {
    header: 'trend'.padEnd(cells),
    neverCut: true,
    descending: true,
    key: (row) => {
      const points = curveOf(rowTrial({ id: '', config: row, trial: undefined }, board).id);
      const [first, last] = [points[0], points.at(-1)].map((point) => point && ownValue(point.metrics, metric));
      return first === undefined || last === undefined ? undefined : Math.abs(last - first);
    },
    cell: (row) => {
      const points = curveOf(rowTrial(row, board).id);
      return sparkline(
        points.map(({ metrics }) => ownValue(metrics, metric) ?? Number.NaN),
        cells,
      );
    },
    style: () => 'cyan',
  };
}

function name(board: Board): BoardColumn {
  return {
    header: 'trial',
    neverCut: true,
    descending: false,
    key: (row) => row.index,
    cell: (row) => {
      if (row.trial !== undefined) return `└ ${shortId(row.trial.id)} seed ${row.trial.seed}`;
      const { trials } = row.config;
      return trials.length === 1 ? shortId(rowTrial(row, board).id) : `${shortId(row.config.id)} ×${trials.length}`;
    },
  };
}

function parameterColumn(column: Column<Trial>): BoardColumn {
  const { header: name } = column;
  return {
    ...column,
    descending: false,
    key: ({ trials: [first] }) => {
      const kind = ownValue(first.parameters, name)?.kind;
      if (kind === undefined) return name === SEED ? first.seed : undefined;
      return kind.$case === 'number' ? kind.number : parameterText(first, name);
    },
    cell: ({ config, trial }) => (trial === undefined ? column.cell(config.trials[0]) : ''),
    style: () => undefined,
  };
}

function progress({ board, now, timeLeft }: ColumnContext): BoardColumn[] {
  const of = (row: ConfigRow) => rowTrial({ id: '', config: row, trial: undefined }, board);
  return [
    {
      header: 'epoch',
      numeric: true,
      descending: true,
      key: (row) => of(row).epoch,
      cell: (row) => {
        const trial = rowTrial(row, board);
        const epochs = parameterText(trial, 'epochs');
        return epochs === '' ? formatStep(trial.epoch) : `${formatStep(trial.epoch)}/${epochs}`;
      },
    },
    {
      header: 'state',
      neverCut: true,
      descending: false,
      key: (row) => configState(row.trials).state,
      cell: ({ config, trial }) => {
        if (trial !== undefined) return trialStateText(trial);
        const { state, count } = configState(config.trials);
        const share = count === config.trials.length ? '' : `${count} of ${config.trials.length} `;
        return share + (state === 'failed' ? failedText(config.trials) : state);
      },
      style: ({ config, trial }) =>
        trialStyle(trial === undefined ? configState(config.trials).state : trialState.of(trial.state)),
    },
    {
      header: 'attempts',
      numeric: true,
      descending: true,
      key: (row) => of(row).attempts,
      cell: (row) => String(rowTrial(row, board).attempts),
    },
    {
      header: 'agent',
      elide: 'common',
      descending: false,
      key: (row) => of(row).agentId || undefined,
      cell: (row) => rowTrial(row, board).agentId || '-',
    },
    {
      header: 'time',
      numeric: true,
      descending: true,
      key: (row) => leasedMs(of(row), now) || undefined,
      cell: (row) => {
        const ms = leasedMs(rowTrial(row, board), now);
        return ms === 0 ? '-' : formatSpan(ms);
      },
    },
    {
      header: 'time left',
      numeric: true,
      descending: false,
      key: (row) => timeLeft(of(row).id)?.expectedMs,
      cell: (row) => {
        const left = timeLeft(rowTrial(row, board).id);
        return left === undefined ? '' : `~${formatSpan(left.expectedMs)}`;
      },
    },
  ];
}
