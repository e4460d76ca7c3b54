import type { Column } from '../../lib/text/table.ts';
import type { Model } from '../state/model.ts';
import { cursorOf, type ViewKind, windowOf } from '../state/ui.ts';
import { Label } from './Line.tsx';
import { WindowTable } from './Table.tsx';

interface Props<Row> {
  readonly model: Model;
  readonly view: ViewKind;
  readonly table: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly id: (row: Row) => string;
  /** The text of an empty list. */
  readonly empty: string;
  readonly columns: number;
  readonly lines: number;
}

/** The rows of a list around its cursor. */
export function ListTable<Row>({ model, view, table, rows, id, empty, columns, lines }: Props<Row>) {
  const room = Math.max(1, lines - 1);
  const indexOf = (wanted: string) => rows.findIndex((row) => id(row) === wanted);
  const { at, offset } = windowOf(cursorOf(model.ui, view), rows.length, room, indexOf);
  return (
    <>
      <WindowTable
        table={table}
        rows={rows.slice(offset, offset + room)}
        columns={columns}
        cursor={at - offset}
        id={id}
      />
      {rows.length === 0 ? <Label text={empty} columns={columns} style="dim" /> : null}
    </>
  );
}
