import { Box } from 'ink';
import { ownValue } from '../../lib/domain/own-value.ts';
import { parameterText, SEED, splitParameters } from '../../lib/domain/parameters.ts';
import { formatMetric, formatSpread, formatStep } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { seriesStyle } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import { pointOf } from '../state/compared.ts';
import { rowSpread } from '../state/config-row.ts';
import type { Model } from '../state/model.ts';
import type { MarkedRow } from '../state/selectors.ts';
import { Label } from './Line.tsx';
import { seriesLetter } from './Plot.tsx';
import { Table } from './Table.tsx';

interface Props {
  readonly model: Model;
  readonly all: readonly MarkedRow[];
  readonly columns: number;
}

interface TableRow {
  readonly name: string;
  readonly cells: readonly string[];
}

/** The differing parameters, the epoch and the metrics of the compared rows. */
export function CompareTable({ model, all, columns: width }: Props) {
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
  const seeds = varying.includes(SEED)
    ? ''
    : model.state.varying.includes(SEED)
      ? '; mean ± standard deviation over seeds'
      : '';
  return (
    <Box flexDirection="column" width={width} flexShrink={0}>
      <Label text={`${all.length} compared${seeds}`} columns={width} style="dim" />
      <Table table={columns} rows={[...parameters, states, ...metrics]} columns={width} />
    </Box>
  );
}

function metricText({ trial, config }: MarkedRow, name: string): string {
  if (config === undefined) return formatMetric(ownValue(trial.metrics, name));
  const spread = rowSpread(config, name);
  if (spread === undefined) return '-';
  return spread.n === 1 ? formatMetric(spread.mean) : formatSpread(spread.mean, spread.std);
}
