import { Box } from 'ink';
import type { Segment } from '../../lib/text/segment.ts';
import { type BoardColumn, rowTrial } from '../state/board-columns.ts';
import type { BoardRow } from '../state/board-rows.ts';
import { listColumns, listLines } from '../state/layout.ts';
import type { Model } from '../state/model.ts';
import { cursorOf, windowOf } from '../state/ui.ts';
import { Label } from './Line.tsx';
import { WindowTable } from './Table.tsx';
import { TrialPreview } from './TrialPreview.tsx';

const PREVIEW_GAP = 2;

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/**
 * The configs around the cursor, in the order that the user chose. A preview of the row under the cursor is shown below
 * or beside the list if there is room.
 */
export function Leaderboard({ model, columns: width, lines }: Props) {
  const { columns, rows, ui } = model;
  const shown = scrolled(columns, ui.columnOffset);
  const listed = Math.min(lines, listLines(model));
  const room = Math.max(1, listed - 1);
  const { at, offset } = windowOf(cursorOf(ui, 'sweep'), rows.length, room, rows.indexOf);
  const window = rows.slice(offset, offset + room);
  const listWidth = listColumns(model);
  const beside = width - listWidth;
  const table = shown.map((column) => ({ ...column, header: headed(column, model) }));
  const gutter = (row: BoardRow): Segment => {
    const marked = ui.marks.has(row.id);
    const folds = row.trial === undefined && row.config.trials.length > 1;
    const fold = folds ? (ui.unfolded.has(row.id) ? '▾' : '▸') : ' ';
    return { text: `${marked ? '●' : ' '}${fold}`, style: marked ? 'magenta' : 'dim' };
  };
  const list = (
    <>
      <WindowTable
        table={table}
        rows={window}
        columns={listWidth}
        cursor={at - offset}
        id={({ id }) => id}
        gutter={gutter}
        left={shown.length < columns.length ? `←${columns.length - shown.length}` : ''}
        more={(hidden) => `${hidden} more →`}
      />
      {window.length === 0 && model.state.sweep !== undefined ? <Empty model={model} columns={width} /> : null}
    </>
  );
  const row = window[at - offset];
  const trial = row && rowTrial(row, model.board);
  if (beside === 0) {
    return (
      <>
        {list}
        <TrialPreview
          model={model}
          trial={trial}
          replicates={row?.config.trials ?? []}
          columns={width}
          lines={lines - listed}
        />
      </>
    );
  }
  return (
    <Box height={lines}>
      <Box flexDirection="column" width={listWidth} flexShrink={0}>
        {list}
      </Box>
      <Box paddingLeft={PREVIEW_GAP} flexShrink={0}>
        <TrialPreview
          model={model}
          trial={trial}
          replicates={row?.config.trials ?? []}
          columns={beside - PREVIEW_GAP}
          lines={lines}
        />
      </Box>
    </Box>
  );
}

function Empty({ model: { ui }, columns }: { readonly model: Model; readonly columns: number }) {
  const text = ui.filterText === '' ? '  no trials yet' : `  no trial matches ${ui.filterText} (q clears the filter)`;
  return <Label text={text} columns={columns} style="dim" />;
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
