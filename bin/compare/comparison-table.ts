import { leftOutOfMeansText } from '../../lib/domain/trial-result.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Style } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import { spreadText } from '../output/format.ts';
import { replicatesText } from '../output/ranking-tables.ts';
import { renderTable, sharedLine } from '../output/table.ts';
import { paint, type Terminal } from '../output/terminal.ts';
import { type ConfigComparison, type Difference, LEVEL } from './comparison.ts';

interface Row {
  readonly name: string;
  /** One cell per config. */
  readonly cells: readonly string[];
  readonly style?: (at: number) => Style | undefined;
}

const DIGITS = 3;
const signed = (value: number) => `${value > 0 ? '+' : ''}${Number(value.toPrecision(DIGITS))}`;

function differenceText(difference: Difference | undefined): string {
  if (difference === undefined) return '';
  const { mean, low, high } = difference;
  return `${signed(mean)} (${signed(low)} to ${signed(high)})`;
}

const isSignificant = (difference: Difference | undefined) =>
  difference !== undefined && (difference.low > 0 || difference.high < 0);

/**
 * Returns a note that no difference is shown for the configs with these ids, because early stopping cut off some of
 * their trials. Empty without ids.
 */
function cutOffText(ids: readonly string[]): string {
  if (ids.length === 0) return '';
  return `no difference is shown for ${ids.join(', ')}: early stopping cut off trials with bad values, so the mean of their other trials is biased`;
}

/**
 * Renders a table with one column per config. The rows are the varying parameters, the number of replicates in each
 * state, and the metrics. Below each metric, a row shows the differences from the first config.
 */
export function renderComparison(
  { configs, shared, parameters, metrics, cutOff }: ConfigComparison,
  terminal: Terminal,
): string {
  const rows: Row[] = [
    ...parameters.map(({ name, values }) => ({ name, cells: values.map((value) => String(value ?? '')) })),
    { name: 'replicates', cells: configs.map(replicatesText) },
    ...metrics.flatMap(({ name, spreads, differences }): Row[] => [
      { name, cells: spreads.map(spreadText) },
      ...(differences.some((one) => one !== undefined)
        ? [
            {
              name: '  difference',
              cells: differences.map(differenceText),
              style: (at: number) => (isSignificant(differences[at]) ? undefined : ('dim' as const)),
            },
          ]
        : []),
    ]),
  ];
  const id = (text: string) => (terminal.width === undefined ? text : shortId(text));
  const columns: Column<Row>[] = [
    { header: 'config', cell: ({ name }) => name },
    ...configs.map(
      (config, at): Column<Row> => ({
        header: id(config.id),
        numeric: true,
        cell: ({ cells }) => cells[at] ?? '',
        style: (row) => row.style?.(at),
      }),
    ),
  ];
  const legend = `mean ± standard deviation; difference from ${id(configs[0]?.id ?? '')} with its ${LEVEL * 100}% confidence interval (Welch)`;
  const notes = [
    legend,
    leftOutOfMeansText(configs),
    cutOffText(cutOff.flatMap((is, at) => (is ? [id(configs[at]?.id ?? '')] : []))),
  ];
  const below = notes.filter((text) => text !== '').map((text) => `${paint(text, 'dim', terminal)}\n`);
  return `${sharedLine(shared, terminal)}${renderTable(columns, rows, terminal)}${below.join('')}`;
}
