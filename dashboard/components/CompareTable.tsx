import { ownValue } from '../../lib/domain/own-value.ts';
import { parameterText, splitParameters } from '../../lib/domain/parameters.ts';
import { configSpread, hasResult } from '../../lib/domain/trial-result.ts';
import { formatMetric, formatSpread, formatStep } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { seriesStyle } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import { trialState } from '../../proto/names.ts';
import { pointOf } from '../state/compared.ts';
import type { MarkedRow } from '../state/selectors.ts';
import { seriesLetter } from './Plot.tsx';
import { Table } from './Table.tsx';

interface Props {
  readonly all: readonly MarkedRow[];
  readonly columns: number;
}

interface TableRow {
  readonly name: string;
  readonly cells: readonly string[];
}

/** Returns the differing parameters, finished replicates, epoch and metrics of the compared rows: mean ± standard deviation. */
export function comparedFacts(all: readonly MarkedRow[]): TableRow[] {
  const points = all.map(pointOf);
  const { varying } = splitParameters(points);
  const parameters = varying.map(
    (name): TableRow => ({ name, cells: points.map((point) => parameterText(point, name)) }),
  );
  const names = [...new Set(all.flatMap(({ trial }) => Object.keys(trial.metrics)))].sort();
  const metrics = names.map((name): TableRow => ({ name, cells: all.map((one) => metricText(one, name)) }));
  const states: TableRow = {
    name: 'epoch',
    cells: all.map(({ trial }) => formatStep(trial.epoch)),
  };
  const finished: TableRow = { name: 'finished', cells: all.map(finishedText) };
  const hasReplicates = all.some(({ config }) => config !== undefined);
  return [...parameters, ...(hasReplicates ? [finished] : []), states, ...metrics];
}

/** The facts of the compared rows, one column per row. */
export function CompareTable({ all, columns: width }: Props) {
  const columns: Column<TableRow>[] = [
    { header: '', cell: ({ name }) => name },
    ...all.map(
      ({ id }, i): Column<TableRow> => ({
        header: `${seriesLetter(i)} ${shortId(id)}`,
        numeric: true,
        cell: ({ cells }) => cells[i] ?? '',
        style: () => seriesStyle(i),
      }),
    ),
  ];
  return <Table table={columns} rows={comparedFacts(all)} columns={width} />;
}

function finishedText({ trial, config }: MarkedRow): string {
  const trials = config?.trials ?? [trial];
  return `${trials.filter(({ state }) => hasResult(trialState.of(state))).length} of ${trials.length}`;
}

function metricText({ trial, config }: MarkedRow, name: string): string {
  if (config === undefined) return formatMetric(ownValue(trial.metrics, name));
  return formatSpread(configSpread(config.trials, name));
}
