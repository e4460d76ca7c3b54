import { ownValue } from '../../lib/domain/own-value.ts';
import { parameterText, splitParameters } from '../../lib/domain/parameters.ts';
import { configSpread, hasResult, leftOutOfConfig } from '../../lib/domain/trial-result.ts';
import { commonParts } from '../../lib/text/common-parts.ts';
import { formatMetric, formatSpread, formatStep } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { seriesStyle } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import { trialState } from '../../proto/names.ts';
import { cellColumns, pointOf } from '../state/compared.ts';
import type { MarkedRow } from '../state/selectors.ts';
import { seriesLetter } from './Plot.tsx';
import { Table } from './Table.tsx';

interface Props {
  readonly all: readonly MarkedRow[];
  readonly facts: ComparedFacts;
  /** The maximum number of metrics in the table. */
  readonly maxMetrics: number;
  readonly columns: number;
}

interface TableRow {
  readonly name: string;
  readonly cells: readonly string[];
}

/** The lines of the table. Each line shows one fact about all compared rows. */
interface ComparedFacts {
  /** The differing parameters, the number of finished replicates, and the epoch. */
  readonly points: readonly TableRow[];
  /** The metrics as mean ± standard deviation, the shown metric first. */
  readonly metrics: readonly TableRow[];
}

/** @param metric the name of the metric that comes first */
export function comparedFacts(all: readonly MarkedRow[], metric: string): ComparedFacts {
  const points = all.map(pointOf);
  const { varying } = splitParameters(points);
  const parameters = varying.map(
    (name): TableRow => ({ name, cells: points.map((point) => parameterText(point, name)) }),
  );
  const names = [...new Set(all.flatMap(({ trial }) => Object.keys(trial.metrics)))].sort();
  const ordered = names.includes(metric) ? [metric, ...names.filter((name) => name !== metric)] : names;
  const metrics = ordered.map((name): TableRow => ({ name, cells: all.map((one) => metricText(one, name)) }));
  const epoch: TableRow = { name: 'epoch', cells: all.map(({ trial }) => formatStep(trial.epoch)) };
  const finished: TableRow = { name: 'finished', cells: all.map(finishedText) };
  const hasReplicates = all.some(({ config }) => config !== undefined);
  return { points: [...parameters, ...(hasReplicates ? [finished] : []), epoch], metrics };
}

/** The facts about the compared rows, with one column per compared row. */
export function CompareTable({ all, facts, maxMetrics, columns: width }: Props) {
  const room = cellColumns(all.length, width);
  const columns: Column<TableRow>[] = [
    { header: '', elide: 'middle', cell: ({ name }) => name },
    ...all.map(
      ({ id }, i): Column<TableRow> => ({
        header: `${seriesLetter(i)} ${shortId(id)}`,
        numeric: true,
        required: true,
        // Long values are cut, so that they do not hide the values of the other rows.
        cell: ({ cells }) => commonParts(cells).cut(cells[i] ?? '', room),
        style: () => seriesStyle(i),
      }),
    ),
  ];
  return <Table table={columns} rows={[...facts.points, ...facts.metrics.slice(0, maxMetrics)]} columns={width} />;
}

function finishedText({ trial, config }: MarkedRow): string {
  const trials = config?.trials ?? [trial];
  const leftOut = leftOutOfConfig(trials);
  const counted = trials.filter(({ state }) => hasResult(trialState.of(state))).length - leftOut;
  return `${counted} of ${trials.length}${leftOut === 0 ? '' : `, ${leftOut} left out`}`;
}

function metricText({ trial, config }: MarkedRow, name: string): string {
  if (config === undefined) return formatMetric(ownValue(trial.metrics, name));
  return formatSpread(configSpread(config.trials, name));
}
