import { Box } from 'ink';
import { formatSpan } from '../draw/numbers.ts';
import { shortId } from '../draw/short-id.ts';
import { visibleText } from '../draw/visible-text.ts';
import type { DashboardState } from '../state/dashboard-state.ts';
import { Styled } from './styled.tsx';

/** The latest events, the newest at the bottom. */
export function Events({ state, lines }: { readonly state: DashboardState; readonly lines: number }) {
  const startedAtMs = state.sweep?.createdAtMs ?? 0;
  const shown = lines > 1 ? state.events.slice(-(lines - 1)) : [];
  return (
    <Box flexDirection="column" height={lines}>
      <Styled style="dim">events</Styled>
      {shown.map((event) => (
        <Styled key={event.seq}>
          {visibleText(
            `+${formatSpan(event.atMs - startedAtMs)} ${shortId(event.trialId)} ${event.kind} ${event.detail}`,
          )}
        </Styled>
      ))}
    </Box>
  );
}
