import { ownValue } from '../../lib/domain/own-value.ts';
import { type ParameterValue, StructuredValue } from '../../proto/values.ts';
import type { TrialJson } from '../output/json.ts';
import type { CurveRow } from './curve-rows.ts';

/** The type of a column. `integer` is a safe integer, and `time` is ISO 8601 text in UTC. */
export type CellType = 'integer' | 'number' | 'text' | 'flag' | 'time';
export type ExportCell = string | number | boolean | null;

export interface ExportColumn<Row> {
  readonly name: string;
  readonly type: CellType;
  readonly read: (row: Row) => ExportCell;
}

export interface ExportTable<Row> {
  readonly columns: readonly ExportColumn<Row>[];
  readonly rows: Iterable<Row> | AsyncIterable<Row>;
}

const TRIAL_LEADING: readonly ExportColumn<TrialJson>[] = [
  { name: 'trial', type: 'text', read: (t) => t.trial },
  { name: 'config', type: 'text', read: (t) => t.config },
  { name: 'sweep', type: 'text', read: (t) => t.sweep },
  { name: 'index', type: 'integer', read: (t) => t.index },
  { name: 'state', type: 'text', read: (t) => t.state },
  { name: 'rank', type: 'integer', read: (t) => t.rank },
  { name: 'seed', type: 'integer', read: (t) => t.seed },
];
/** The number of the trial's front (1 is the Pareto front). Only for sweeps with several objectives. */
const FRONT: ExportColumn<TrialJson> = { name: 'front', type: 'integer', read: ({ front }) => front ?? null };
/** These columns are exported only if a trial of the sweep's population has replaced another trial. */
const ORIGIN: readonly ExportColumn<TrialJson>[] = [
  { name: 'parent', type: 'text', read: ({ parent }) => parent ?? null },
  { name: 'parent_epoch', type: 'number', read: ({ parent_epoch }) => parent_epoch ?? null },
  { name: 'replaces', type: 'text', read: ({ replaces }) => replaces ?? null },
];
const TRIAL_TRAILING: readonly ExportColumn<TrialJson>[] = [
  { name: 'attempts', type: 'integer', read: (t) => t.attempts },
  { name: 'agent', type: 'text', read: (t) => t.agent },
  { name: 'backend', type: 'text', read: (t) => t.backend },
  { name: 'failure_class', type: 'text', read: (t) => t.failure?.class ?? null },
  { name: 'failure_message', type: 'text', read: (t) => t.failure?.message ?? null },
  { name: 'stop_reason', type: 'text', read: (t) => t.stop_reason },
  { name: 'dropped_in', type: 'integer', read: (t) => t.dropped_in },
  { name: 'started_at', type: 'time', read: (t) => t.started_at },
  { name: 'ended_at', type: 'time', read: (t) => t.ended_at },
  { name: 'seconds', type: 'number', read: (t) => t.seconds },
];

const POINT_LEADING: readonly ExportColumn<CurveRow>[] = [
  { name: 'trial', type: 'text', read: (p) => p.trial },
  { name: 'config', type: 'text', read: (p) => p.config },
  { name: 'seed', type: 'integer', read: (p) => p.seed },
];
const POINT_MIDDLE: readonly ExportColumn<CurveRow>[] = [
  { name: 'attempt', type: 'integer', read: (p) => p.attempt },
  { name: 'at', type: 'time', read: (p) => p.at },
];

/**
 * Returns a function that gives each column a unique name. A name that another column already uses becomes
 * `parameter.NAME` or `metric.NAME`.
 */
function uniqueNames(fixed: readonly { readonly name: string }[]) {
  const taken = new Set(fixed.map(({ name }) => name));
  return (name: string, kind: 'parameter' | 'metric'): string => {
    let free = name;
    while (taken.has(free)) free = `${kind}.${free}`;
    taken.add(free);
    return free;
  };
}

function typeOf(values: ReadonlySet<ExportCell>): CellType {
  const all = (holds: (value: ExportCell) => boolean) => [...values].every(holds);
  if (all(Number.isSafeInteger)) return 'integer';
  if (all((value) => typeof value === 'number')) return 'number';
  return all((value) => typeof value === 'boolean') ? 'flag' : 'text';
}

/** Returns the type of a column of steps: `integer` if all steps are whole numbers, and otherwise `number`. */
const stepType = (steps: readonly (number | null)[]): CellType =>
  steps.every((step) => step === null || Number.isSafeInteger(step)) ? 'integer' : 'number';

const cellOf = (value: ParameterValue | undefined): ExportCell =>
  value instanceof StructuredValue ? value.text : (value ?? null);

interface WithParameters {
  readonly parameters: TrialJson['parameters'];
}

function parameterColumns(
  trials: readonly TrialJson[],
  claim: ReturnType<typeof uniqueNames>,
): readonly ExportColumn<WithParameters>[] {
  const values = new Map<string, Set<ExportCell>>();
  for (const { parameters } of trials) {
    for (const [name, parameter] of Object.entries(parameters)) {
      const value = cellOf(parameter);
      const seen = values.get(name);
      if (seen === undefined) values.set(name, new Set([value]));
      else seen.add(value);
    }
  }
  return [...values]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, seen]) => ({
      name: claim(name, 'parameter'),
      type: typeOf(seen),
      read: ({ parameters }) => cellOf(ownValue(parameters, name)),
    }));
}

interface WithMetrics {
  readonly metrics: TrialJson['metrics'];
}

function metricColumns(
  names: Iterable<string>,
  claim: ReturnType<typeof uniqueNames>,
): readonly ExportColumn<WithMetrics>[] {
  return [...names].sort().map((name) => ({
    name: claim(name, 'metric'),
    type: 'number',
    read: ({ metrics }) => ownValue(metrics, name) ?? null,
  }));
}

/**
 * Returns the columns of a table with one row per trial. Every parameter and every metric has a column. A value that a
 * trial lacks is null.
 * @param ranking the metric that ranks the trials; the column `step` contains the step of this metric
 */
export function trialColumns(trials: readonly TrialJson[], ranking: string): readonly ExportColumn<TrialJson>[] {
  const stepOf = ({ metric_steps }: TrialJson) => ownValue(metric_steps, ranking) ?? null;
  const steps: ExportColumn<TrialJson>[] = [
    { name: 'step', type: stepType(trials.map(stepOf)), read: stepOf },
    { name: 'epoch', type: stepType(trials.map(({ epoch }) => epoch)), read: ({ epoch }) => epoch },
  ];
  const hasFronts = trials.some(({ front }) => front !== undefined);
  const leading = hasFronts
    ? TRIAL_LEADING.flatMap((column) => (column.name === 'rank' ? [column, FRONT] : column))
    : TRIAL_LEADING;
  const trailing = trials.some(({ parent }) => parent !== undefined) ? [...ORIGIN, ...TRIAL_TRAILING] : TRIAL_TRAILING;
  const claim = uniqueNames([...leading, ...steps, ...trailing]);
  const parameters = parameterColumns(trials, claim);
  const metrics = metricColumns(new Set(trials.flatMap((trial) => Object.keys(trial.metrics))), claim);
  return [...leading, ...parameters, ...metrics, ...steps, ...trailing];
}

/**
 * Returns the columns of a table with one row per trial and step.
 * @param metrics the names of all metrics in the reports
 * @param wholeSteps whether every step is a whole number
 */
export function curveColumns(
  trials: readonly TrialJson[],
  metrics: Iterable<string>,
  wholeSteps: boolean,
): readonly ExportColumn<CurveRow>[] {
  const epoch: ExportColumn<CurveRow> = {
    name: 'epoch',
    type: wholeSteps ? 'integer' : 'number',
    read: (point) => point.epoch,
  };
  const claim = uniqueNames([...POINT_LEADING, epoch, ...POINT_MIDDLE]);
  const parameters = parameterColumns(trials, claim);
  return [...POINT_LEADING, ...parameters, epoch, ...POINT_MIDDLE, ...metricColumns(metrics, claim)];
}
