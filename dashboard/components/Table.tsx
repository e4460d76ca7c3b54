import { Box } from 'ink';
import { useContext } from 'react';
import type { Segment } from '../../lib/text/segment.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import { Line } from './Line.tsx';
import { TerminalStyleContext } from './TerminalStyle.ts';

interface Props<Row> {
  readonly table: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly columns: number;
}

/** A table without a cursor. */
export function Table<Row>({ table, rows, columns }: Props<Row>) {
  const { ascii } = useContext(TerminalStyleContext);
  const { header, rows: cells } = layoutTable(table, rows, { width: columns, ascii });
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      <Line segments={header} columns={columns} />
      {cells.map((segments, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Line key={row} segments={segments} columns={columns} />
      ))}
    </Box>
  );
}

interface WindowProps<Row> extends Props<Row> {
  /** The index of the row under the cursor in `rows`; -1 without a cursor. */
  readonly cursor: number;
  readonly id: (row: Row) => string;
  /** Returns the marks in the two columns before a row. */
  readonly gutter?: (row: Row) => Segment;
  /** The text before the header. */
  readonly left?: string;
  /** Returns the text after the header, given the number of columns that do not fit. */
  readonly more?: (hidden: number) => string;
}

const GUTTER = 2;
const MOST_HIDDEN = 99;

/** The visible rows of a table with a cursor. The React keys of rows stay the same while rows move. */
export function WindowTable<Row>(props: WindowProps<Row>) {
  const { table, rows, columns, cursor, id, gutter, left = '', more = (hidden) => `${hidden} more` } = props;
  const { ascii } = useContext(TerminalStyleContext);
  const layout = layoutTable(table, rows, {
    width: columns - (gutter === undefined ? 0 : GUTTER),
    ascii,
    noteWidth: more(MOST_HIDDEN).length + GUTTER,
    isWindow: true,
  });
  const { header, rows: cells, hidden } = layout;
  const heading: Segment[] = [
    { text: gutter === undefined ? '' : left.padEnd(GUTTER), style: 'dim' },
    ...header,
    { text: hidden.length === 0 ? '' : `  ${more(hidden.length)}`, style: 'dim' },
  ];
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      <Line segments={heading} columns={columns} />
      {rows.map((row, at) => (
        <Line
          key={id(row)}
          segments={[...(gutter === undefined ? [] : [gutter(row)]), ...(cells[at] ?? [])]}
          columns={columns}
          cursor={at === cursor}
        />
      ))}
    </Box>
  );
}
