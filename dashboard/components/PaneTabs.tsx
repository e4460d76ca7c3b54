import { Box } from 'ink';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { positionIn } from '../action-context.ts';
import { PANES } from '../source.ts';
import type { Model } from '../state/model.ts';
import { listViewOf, viewOf } from '../state/ui.ts';
import { Line } from './Line.tsx';

/** The panes with their keys; on the right, the filter and the position of the cursor. */
export function PaneTabs({ model, columns }: { readonly model: Model; readonly columns: number }) {
  const place = positionOf(model);
  const wide = tabsOf(model, false);
  const tabs = columns - widthOf(wide) > widthOf(place) ? wide : tabsOf(model, true);
  const room = Math.max(0, columns - widthOf(tabs) - 1);
  return (
    <Box justifyContent="space-between" width={columns} flexShrink={0}>
      <Line segments={tabs} columns={columns} />
      {room < widthOf(place) / 2 ? null : <Line segments={place} columns={room} />}
    </Box>
  );
}

/** @param isNarrow whether names are abbreviated and closer together */
function tabsOf({ ui, state }: Model, isNarrow: boolean): Segment[] {
  const [{ kind: open }] = ui.stack;
  const failed = state.sweep?.counts?.failed ?? 0;
  return PANES.flatMap((pane, i): Segment[] => {
    const name = isNarrow && pane === 'parameters' ? 'params' : pane;
    return [
      { text: `${isNarrow ? '' : ' '}${i + 1} `, style: 'dim' },
      { text: pane === open ? `[${name}]` : name, style: pane === open ? 'bold' : 'dim' },
      ...(pane === 'errors' && failed > 0 ? [{ text: ` (${failed})`, style: 'yellow' as const }] : []),
      { text: ' ' },
    ];
  });
}

/** The position of the cursor in the list; with a filter, the filter and the number of rows without it. */
function positionOf(model: Model): Segment[] {
  const { ui, board, state, earlierEvents } = model;
  const list = listViewOf(ui);
  const isBoard = viewOf(ui).kind === 'sweep';
  const filter = list === undefined ? (isBoard ? ui.filterText : '') : ui.lists[list].filterText;
  const place = positionIn(model);
  const position = place === undefined ? '' : `${place.at + 1} of ${place.of}`;
  if (filter === '') return [{ text: position, style: 'dim' }];
  const all = isBoard
    ? board.configs.length
    : list === 'agents'
      ? state.agents.length
      : earlierEvents.length + state.events.length;
  return [{ text: `${position || '0'} of ${all}, filter: ${visibleText(filter)}`, style: 'magenta' }];
}
