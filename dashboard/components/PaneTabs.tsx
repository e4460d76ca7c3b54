import { Box } from 'ink';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { PANES } from '../source.ts';
import { agentRows } from '../state/agent-rows.ts';
import { eventRows } from '../state/event-rows.ts';
import type { Model } from '../state/model.ts';
import { cursorOf, listViewOf, viewOf, windowOf } from '../state/ui.ts';
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

function positionOf(model: Model): Segment[] {
  const { ui, rows, board } = model;
  const list = listViewOf(ui);
  if (list !== undefined && ui.lists[list].filterText !== '') {
    const [shown, all] = list === 'agents' ? agentCounts(model) : eventCounts(model);
    return [{ text: `${shown} of ${all}, filter: ${visibleText(ui.lists[list].filterText)}`, style: 'magenta' }];
  }
  if (viewOf(ui).kind !== 'sweep' || board.configs.length === 0) return [];
  const { at } = windowOf(cursorOf(ui, 'sweep'), rows.length, 1, rows.indexOf);
  const position: Segment = { text: `${at + 1} of ${rows.length}`, style: 'dim' };
  if (ui.filterText === '') return [position];
  return [position, { text: ` of ${board.configs.length}, filter: ${visibleText(ui.filterText)}`, style: 'magenta' }];
}

const agentCounts = (model: Model) => [agentRows(model).length, model.state.agents.length] as const;

const eventCounts = (model: Model) =>
  [eventRows(model).length, model.earlierEvents.length + model.state.events.length] as const;
