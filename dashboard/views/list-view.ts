/** A table with a cursor: agents, events, sweeps. */
import { EMPTY_LINE, line, type StyledLine } from '../../lib/text/segment.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import type { Model } from '../state/model.ts';
import { cursorOf } from '../state/ui.ts';
import type { ViewKind } from '../state/views.ts';
import { windowOf } from '../state/window.ts';

/** Room to say how many columns there is no room for. */
const MORE_COLUMNS = 4;

export interface List<Row> {
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly id: (row: Row) => string;
}

export function listView<Row>(
  model: Model,
  view: ViewKind,
  list: List<Row>,
  width: number,
  lines: number,
): StyledLine[] {
  const { columns, rows, id } = list;
  const room = Math.max(1, lines - 1);
  const indexOf = (wanted: string) => rows.findIndex((row) => id(row) === wanted);
  const { at, offset } = windowOf(cursorOf(model.ui, view), rows.length, room, indexOf);
  const window = rows.slice(offset, offset + room);
  const whole = layoutTable(columns, window, width);
  const {
    header,
    rows: cells,
    hidden,
  } = whole.hidden.length === 0 ? whole : layoutTable(columns, window, Math.max(1, width - MORE_COLUMNS));
  const more = hidden.length === 0 ? '' : ` +${hidden.length}`;
  return [
    { segments: [...header, { text: more, style: 'dim' }] },
    ...cells.map((segments, i): StyledLine => ({ segments, cursor: offset + i === at })),
    ...(rows.length === 0 ? [line('nothing yet', 'dim')] : []),
    ...Array<StyledLine>(Math.max(0, room - Math.max(1, cells.length))).fill(EMPTY_LINE),
  ];
}
