import { Box } from 'ink';
import { useContext, useEffect } from 'react';
import { shortId } from '../../lib/text/short-id.ts';
import type { Model } from '../state/model.ts';
import { cursorOf } from '../state/ui.ts';
import { wrappedLog } from '../state/wrapped-log.ts';
import { Label } from './Line.tsx';
import { ScreenContext } from './ScreenContext.ts';

interface Props {
  readonly model: Model;
  readonly trialId: string;
  readonly columns: number;
  readonly lines: number;
}

const HEADING_LINES = 1;

/** The log of a trial's latest attempt. Only the visible lines are drawn. */
export function LogView({ model, trialId, columns, lines }: Props) {
  const { onContentLines } = useContext(ScreenContext);
  const all = wrappedLog(model.log, columns);
  const room = Math.max(1, lines - HEADING_LINES);
  const contentLines = all.length + HEADING_LINES;
  useEffect(() => onContentLines(contentLines), [contentLines, onContentLines]);
  const from = Math.min(cursorOf(model.ui, 'log').offset, Math.max(0, all.length - room));
  const attempt = model.state.trials.get(trialId)?.attempts ?? 0;
  const position =
    all.length > room ? `, lines ${from + 1} to ${Math.min(all.length, from + room)} of ${all.length}` : '';
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text={`log of trial ${shortId(trialId)}, attempt ${attempt}${position}`} columns={columns} style="bold" />
      {all.length === 0 ? <Label text="no output yet" columns={columns} style="dim" /> : null}
      {all.slice(from, from + room).map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line's number is its identity
        <Label key={from + at} text={text} columns={columns} />
      ))}
    </Box>
  );
}
