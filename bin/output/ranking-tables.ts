import { extent } from 'd3-array';
import { ownValue } from '../../lib/domain/own-value.ts';
import { type ParameterPoint, type ParameterSplit, splitParameters } from '../../lib/domain/parameters.ts';
import { leftOutOfMeansText } from '../../lib/domain/trial-result.ts';
import { shownState } from '../../lib/domain/trial-state.ts';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { formatMetric, formatStep } from '../../lib/text/numbers.ts';
import { parameterColumns } from '../../lib/text/parameter-columns.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { trialStyle } from '../../lib/text/style.ts';
import { type Column, required } from '../../lib/text/table.ts';
import { firstLine } from '../../lib/text/visible-text.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { Config, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass } from '../../proto/names.ts';
import { trainerSpec } from '../../proto/trainers.ts';
import { spreadText } from './format.ts';
import { renderTable, sharedLine } from './table.ts';
import { paint, type Terminal } from './terminal.ts';

export interface TrialTableOptions {
  readonly trials: readonly Trial[];
  /** The ranking metric. Its column is the first metric column. */
  readonly by: string;
  /** The objectives, if there are several. Their columns come before the columns of other metrics. Default: none. */
  readonly objectives?: readonly string[];
  /** The sweep's trainer. It defines the order of the metrics that follow the objectives. */
  readonly trainer: string;
  /** Parameters that vary in the sweep. They are columns even if all shown rows have the same value. */
  readonly swept?: readonly string[];
  /** The headers of the columns to show, in this order. Default: all columns. */
  readonly columns?: readonly string[] | undefined;
  /** Whether to show the steps of the ranking metric even if each trial's value is from the trial's last step. */
  readonly wide?: boolean;
}

/**
 * Returns a map from trial id to the step at which the trial reported its value of `metric`. Undefined if the table
 * needs no column for the steps.
 */
export function shownSteps(
  trials: readonly Trial[],
  metric: string,
  wide: boolean | undefined,
): ReadonlyMap<string, number> | undefined {
  const steps = new Map<string, number>();
  let differ = false;
  for (const { id, metricSteps, epoch } of trials) {
    const step = ownValue(metricSteps, metric);
    if (step === undefined) continue;
    steps.set(id, step);
    differ ||= step !== epoch;
  }
  return steps.size > 0 && (differ || wide) ? steps : undefined;
}

function columnsOf(table: TrialTableOptions, varying: readonly string[], terminal: Terminal): Column<Trial>[] {
  const [first, ...others] = metricNames(table.trials, table);
  const isObjective = (name: string) => table.objectives?.includes(name) === true;
  const metric = (name: string): Column<Trial> => ({
    header: name,
    numeric: true,
    cell: (trial) => formatMetric(ownValue(trial.metrics, name)),
  });
  const steps = shownSteps(table.trials, table.by, table.wide);
  const stepColumn: Column<Trial> = { header: 'step', numeric: true, cell: ({ id }) => stepsText(steps, [id]) };
  const seconds = ({ leasedMs, endedAtMs }: Trial) =>
    leasedMs > 0 && endedAtMs > 0 ? (leasedMs / 1000).toFixed(1) : '-';
  const { own, determined } = parameterColumns(table.trials, varying);
  const columns: Column<Trial>[] = [
    { header: 'rank', numeric: true, cell: (trial) => (trial.rank === 0 ? '-' : String(trial.rank)) },
    ...frontColumns(table),
    {
      header: 'trial',
      neverCut: true,
      required: true,
      cell: (trial) => (terminal.width === undefined ? trial.id : shortId(trial.id)),
    },
    {
      header: 'state',
      neverCut: true,
      required: true,
      cell: (trial) => shownState(trial.state),
      style: (trial) => trialStyle(shownState(trial.state)),
    },
    ...own,
    ...(first === undefined ? [] : [required(metric(first))]),
    ...others.filter(isObjective).map((name) => required(metric(name))),
    ...(steps === undefined ? [] : [stepColumn]),
    { header: 'epoch', numeric: true, required: true, cell: (trial) => formatStep(trial.epoch) },
    ...others.filter((name) => !isObjective(name)).map(metric),
    { header: 'seconds', numeric: true, cell: seconds },
    { header: 'attempts', numeric: true, cell: (trial) => String(trial.attempts) },
    { header: 'agent', elide: 'common', cell: (trial) => trial.agentId || '-' },
    { header: 'backend', elide: 'middle', cell: (trial) => trial.backend || '-' },
    ...determined,
  ];
  if (table.trials.some((trial) => trial.failure !== undefined)) {
    const failure = (trial: Trial) =>
      trial.failure === undefined ? '' : `${failureClass.of(trial.failure.class)}: ${firstLine(trial.failure.message)}`;
    columns.splice(3, 0, { header: 'failure', cell: failure, style: () => 'yellow' });
  }
  if (table.trials.some((trial) => trial.stopReason !== '')) {
    columns.splice(3, 0, { header: 'stopped by', cell: ({ stopReason }) => stopReason, style: () => 'dim' });
  }
  return columns;
}

/**
 * Separates the parameters that are columns from the parameters that have the same value in all rows. Parameters that
 * vary in the sweep are always columns.
 */
function splitColumns(points: readonly ParameterPoint[], swept: readonly string[] = []): ParameterSplit {
  const { varying, constant } = splitParameters(points);
  const shown = Object.entries(constant);
  const isColumn = ([name]: (typeof shown)[number]) => swept.includes(name);
  return {
    varying: [...varying, ...shown.filter(isColumn).map(([name]) => name)],
    constant: Object.fromEntries(shown.filter((entry) => !isColumn(entry))),
  };
}

/**
 * Renders trials in the given order. Shared parameters are listed above the table, and varying parameters are columns.
 * @throws {BadInputError} if the table lacks one of the chosen columns
 */
export function renderTrials(table: TrialTableOptions, terminal: Terminal): string {
  const { varying, constant } = splitColumns(table.trials, shownParameters(table));
  const columns = chosenColumns(columnsOf(table, varying, terminal), table.columns);
  return sharedLine(constant, terminal) + renderTable(columns, table.trials, terminal);
}

/** Returns the parameters that are columns even if all rows have the same value. */
function shownParameters({ swept = [], columns = [] }: Pick<TrialTableOptions, 'swept' | 'columns'>): string[] {
  return [...swept, ...columns];
}

/**
 * Returns the columns with these headers, in this order. Undefined means all columns.
 * @throws {BadInputError} if the table has no column for one of the headers
 */
function chosenColumns<Row>(
  columns: readonly Column<Row>[],
  headers: readonly string[] | undefined,
): readonly Column<Row>[] {
  if (headers === undefined) return columns;
  return headers.map((header) => {
    const column = columns.find((one) => one.header === header);
    if (column !== undefined) return required(column);
    const known = columns.map((one) => one.header);
    throw new BadInputError(
      `--columns: no column ${JSON.stringify(header)}; expected ${known.join(', ')}${didYouMean(header, known)}`,
    );
  });
}

export interface ConfigTableOptions {
  readonly configs: readonly Config[];
  /** Parameters that vary in the sweep. They are columns even if all shown rows have the same value. */
  readonly swept?: readonly string[];
  /** The ranking metric. Its column is the first metric column. */
  readonly by: string;
  /** The objectives, if there are several. Their columns come before the columns of other metrics. Default: none. */
  readonly objectives?: readonly string[];
  /** The sweep's trainer. It defines the order of the metrics that follow the objectives. */
  readonly trainer: string;
  /** The headers of the columns to show, in this order. Default: all columns. */
  readonly columns?: readonly string[] | undefined;
  /** By trial id, the step at which the value of the ranking metric was reported. Undefined hides the column. */
  readonly steps?: ReadonlyMap<string, number> | undefined;
}

/**
 * Returns a column with the number of each row's nondominated front if several objectives rank the rows, and otherwise
 * no column.
 */
function frontColumns({ objectives = [] }: Pick<TrialTableOptions, 'objectives'>): Column<Trial | Config>[] {
  if (objectives.length === 0) return [];
  return [{ header: 'front', numeric: true, cell: ({ front }) => (front === undefined ? '-' : String(front)) }];
}

function stepsText(steps: ReadonlyMap<string, number> | undefined, trialIds: readonly string[]): string {
  const [least, greatest] = extent(trialIds.flatMap((id) => steps?.get(id) ?? []));
  if (least === undefined || greatest === undefined) return '-';
  return least === greatest ? formatStep(least) : `${formatStep(least)} to ${formatStep(greatest)}`;
}

/**
 * Counts the replicates of a config by state, such as `2 succeeded, 1 failed`. If some results are not in the
 * means, the text also states how many, such as `1 succeeded, 2 stopped (2 left out)`.
 */
export function replicatesText({ counts, leftOut }: Config): string {
  const some = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  const states = some.map(([state, count]) => `${count} ${state}`).join(', ');
  return leftOut === 0 ? states : `${states} (${leftOut} left out)`;
}

function hasFailures({ counts }: Config): boolean {
  return (counts?.failed ?? 0) + (counts?.cancelled ?? 0) > 0;
}

/**
 * Renders configs in the given order, with the mean and standard deviation of each metric over the replicates. If any
 * results are not in the means, a line below the table states how many.
 * @throws {BadInputError} if the table lacks one of the chosen columns
 */
export function renderConfigs(table: ConfigTableOptions, terminal: Terminal): string {
  const { configs, by } = table;
  const { varying, constant } = splitColumns(configs, shownParameters(table));
  const id = (text: string) => (terminal.width === undefined ? text : shortId(text));
  const [first, ...others] = metricNames(configs, table);
  const isObjective = (name: string) => table.objectives?.includes(name) === true;
  const metric = (name: string): Column<Config> => ({
    header: name,
    numeric: true,
    cell: ({ metrics }) => spreadText(ownValue(metrics, name)),
  });
  const stepColumn: Column<Config> = {
    header: 'step',
    numeric: true,
    cell: ({ trialIds }) => stepsText(table.steps, trialIds),
  };
  const { own, determined } = parameterColumns(configs, varying);
  const columns: Column<Config>[] = [
    { header: 'rank', numeric: true, cell: ({ rank }) => (rank === 0 ? '-' : String(rank)) },
    ...frontColumns(table),
    { header: 'config', neverCut: true, required: true, cell: (config) => id(config.id) },
    ...own,
    ...(first === undefined ? [] : [required(metric(first))]),
    ...others.filter(isObjective).map((name) => required(metric(name))),
    ...(table.steps === undefined ? [] : [stepColumn]),
    { header: 'n', numeric: true, cell: ({ metrics }) => String(ownValue(metrics, by)?.n ?? 0) },
    { header: 'replicates', cell: replicatesText, style: (config) => (hasFailures(config) ? 'yellow' : undefined) },
    ...others.filter((name) => !isObjective(name)).map(metric),
    { header: 'trials', cell: ({ trialIds }) => trialIds.map(id).join(' ') },
    ...determined,
  ];
  const leftOut = leftOutOfMeansText(configs);
  const below = leftOut === '' ? '' : `${paint(leftOut, 'dim', terminal)}\n`;
  return sharedLine(constant, terminal) + renderTable(chosenColumns(columns, table.columns), configs, terminal) + below;
}

/**
 * Returns the names of all reported metrics: the ranking metric, then the objectives, then the metrics of the trainer
 * in the trainer's order, then all other metrics by name.
 */
export function metricNames(
  rows: Iterable<{ readonly metrics: Readonly<Record<string, unknown>> }>,
  { by, objectives = [], trainer }: Pick<TrialTableOptions, 'by' | 'objectives' | 'trainer'>,
): string[] {
  const reported = new Set<string>();
  for (const { metrics } of rows) for (const name of Object.keys(metrics)) reported.add(name);
  const known = [by, ...objectives, ...(trainerSpec(trainer)?.metrics ?? [])].filter((name) => reported.has(name));
  return [...new Set([...known, ...[...reported].sort()])];
}
