import { sum } from 'd3-array';
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
  const forms = FORMS.map((form) => tabsOf(model, form));
  const tabs = forms.find((segments) => columns - widthOf(segments) > widthOf(place)) ?? forms.at(-1) ?? [];
  return (
    <Box justifyContent="space-between" width={columns} flexShrink={0}>
      <Line segments={tabs} columns={columns} />
      <Line segments={place} columns={Math.max(0, columns - widthOf(tabs) - 1)} />
    </Box>
  );
}

/**
 * The forms of the list of panes: names with wide gaps, names with narrow gaps, or only the name of the open pane. The
 * first form that leaves room for the position of the cursor and the filter is used.
 */
const FORMS = ['wide', 'narrow', 'keys'] as const;

function tabsOf({ ui, state }: Model, form: (typeof FORMS)[number]): Segment[] {
  const [{ kind: open }] = ui.stack;
  const failed = state.sweep?.counts?.failed ?? 0;
  return PANES.flatMap((pane, i): Segment[] => {
    const name = form !== 'wide' && pane === 'parameters' ? 'params' : pane;
    const isOpen = pane === open;
    const title = form === 'keys' && !isOpen ? '' : `${isOpen ? `[${name}]` : name} `;
    return [
      { text: `${form === 'wide' ? ' ' : ''}${i + 1} `, style: 'dim' },
      { text: title, style: isOpen ? 'bold' : 'dim' },
      ...(pane === 'errors' && failed > 0 ? [{ text: `(${failed}) `, style: 'yellow' as const }] : []),
    ];
  });
}

/**
 * The position of the cursor in the list. For a filtered list, also the filter and the number of rows without the
 * filter.
 */
function positionOf(model: Model): Segment[] {
  const { ui, board, state, earlierEvents } = model;
  const list = listViewOf(ui);
  const isBoard = viewOf(ui).kind === 'sweep';
  const filter = list === undefined ? (isBoard ? ui.filterText : '') : ui.lists[list].filterText;
  const place = positionIn(model);
  const position = place === undefined ? '' : `${place.at + 1} of ${place.of}`;
  if (filter === '') return [{ text: position, style: 'dim' }];
  const all = isBoard
    ? rowCount(board, ui.unfolded)
    : list === 'agents'
      ? state.agents.length
      : earlierEvents.length + state.events.length;
  return [{ text: `${position || 'none'} (${all} in all), filter: ${visibleText(filter)}`, style: 'magenta' }];
}

/** The number of rows of the leaderboard without a filter: the configs, and the replicates of unfolded configs. */
const rowCount = ({ configs, at }: Model['board'], unfolded: ReadonlySet<string>): number =>
  configs.length +
  sum(unfolded, (id) => {
    const replicates = configs[at.get(id) ?? -1]?.trials.length ?? 0;
    return replicates === 1 ? 0 : replicates;
  });
