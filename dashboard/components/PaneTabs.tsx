import type { Segment } from '../../lib/text/segment.ts';
import { PANES } from '../source.ts';
import type { ViewKind } from '../state/ui.ts';
import { Line } from './Line.tsx';

/** The panes with their keys. */
export function PaneTabs({ open, columns }: { readonly open: ViewKind; readonly columns: number }) {
  const segments = PANES.flatMap((pane, i): Segment[] => [
    { text: ` ${i + 1} `, style: 'dim' },
    { text: pane === open ? `[${pane}]` : pane, style: pane === open ? 'bold' : 'dim' },
    { text: ' ' },
  ]);
  return <Line segments={segments} columns={columns} />;
}
