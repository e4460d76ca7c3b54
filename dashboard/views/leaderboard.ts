import type { Segment } from '../../lib/text/segment.ts';
import { layoutTable } from '../../lib/text/table.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from '../draw/line.ts';
import type { Model } from '../state/model.ts';
import { cursorOf, windowOf } from '../state/ui.ts';
import type { BoardColumn } from './board-columns.ts';

const GUTTER = 2;
const HIDDEN_COLUMNS = 10;

/** Draws the configs around the cursor, in the user's order. */
export function leaderboard(model: Model, width: number, lines: number): StyledLine[] {
  const { columns, rows, ui } = model;
  const shown = scrolled(columns, ui.columnOffset);
  const room = Math.max(1, lines - 1);
  const { at, offset } = windowOf(cursorOf(ui, 'sweep'), rows.length, room, rows.indexOf);
  const window = rows.slice(offset, offset + room);
  const table = shown.map((column) => ({ ...column, header: headed(column, model) }));
  const whole = layoutTable(table, window, width - GUTTER);
  const fits = whole.hidden.length === 0;
  const { header, rows: cells, hidden } = fits ? whole : layoutTable(table, window, width - GUTTER - HIDDEN_COLUMNS);
  const more = hidden.length > 0 ? `  ${hidden.length} more →` : '';
  const less = shown.length < columns.length ? `←${columns.length - shown.length}` : '  ';
  return [
    { segments: [{ text: less.padEnd(GUTTER), style: 'dim' }, ...header, { text: more, style: 'dim' }] },
    ...window.map((row, i): StyledLine => {
      const marked = ui.marks.has(row.id) ? '●' : ' ';
      const fold =
        row.trial === undefined && row.config.trials.length > 1 ? (ui.unfolded.has(row.id) ? '▾' : '▸') : ' ';
      const gutter: Segment = { text: `${marked}${fold}`, style: ui.marks.has(row.id) ? 'magenta' : 'dim' };
      return { segments: [gutter, ...(cells[i] ?? [])], cursor: offset + i === at };
    }),
    ...(window.length === 0 ? [empty(model)] : []),
    ...Array<StyledLine>(Math.max(0, room - Math.max(1, window.length))).fill(EMPTY_LINE),
  ];
}

function scrolled(columns: readonly BoardColumn[], from: number): BoardColumn[] {
  const fixed = columns.filter((column) => column.fixed);
  return [...fixed, ...columns.filter((column) => !column.fixed).slice(from)];
}

function headed({ header, descending }: BoardColumn, { ui, board }: Model): string {
  const sorted = ui.sortColumn ?? board.metrics[0]?.name;
  if (header.trimEnd() !== sorted) return header;
  return `${header.trimEnd()} ${descending === ui.reversed ? '▲' : '▼'}`;
}

function empty({ ui, state }: Model): StyledLine {
  if (state.sweep === undefined) return EMPTY_LINE;
  return styledLine(
    ui.filterText === '' ? '  no trials yet' : `  no trial matches ${ui.filterText} (q clears the filter)`,
    'dim',
  );
}
