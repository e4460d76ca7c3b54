import { Box } from 'ink';
import { bodyLines, hasHeader } from '../state/layout.ts';
import type { Model } from '../state/model.ts';
import { viewOf } from '../state/ui.ts';
import { Body } from './Body.tsx';
import { Header } from './Header.tsx';
import { KeyLine } from './KeyLine.tsx';
import { StatusLine } from './StatusLine.tsx';
import { TerminalStyleContext } from './TerminalStyle.ts';

interface Props {
  readonly model: Model;
  /** Whether the cursor and the key hints are shown. */
  readonly interactive?: boolean;
}

/**
 * The whole screen: header, current view and footer. A small terminal shows only the view, with prompts and messages
 * below.
 */
export function Screen({ model, interactive = true }: Props) {
  const { size, ui, readonly } = model;
  const { columns, rows } = size;
  const whole = hasHeader(size);
  const status = whole || ui.prompt !== undefined || ui.status !== undefined;
  const lines = whole ? bodyLines(size) : rows - (status ? 1 : 0);
  return (
    <TerminalStyleContext value={model.style}>
      <Box flexDirection="column" width={columns} height={rows} flexShrink={0}>
        {whole ? <Header model={model} columns={columns} /> : null}
        <Box flexDirection="column" height={lines} flexShrink={0} overflowY="hidden">
          <Body model={model} columns={columns} lines={lines} />
        </Box>
        {status ? <StatusLine model={model} columns={columns} /> : null}
        {whole && interactive ? (
          <KeyLine view={viewOf(ui).kind} readonly={readonly} replay={model.replay !== undefined} columns={columns} />
        ) : null}
      </Box>
    </TerminalStyleContext>
  );
}
