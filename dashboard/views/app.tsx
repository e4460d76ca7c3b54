import { Box, useInput } from 'ink';
import { useState } from 'react';
import type { DashboardState } from '../state/dashboard-state.ts';
import { sweepEnded } from '../state/trial-state.ts';
import { Events } from './events.tsx';
import { Failures, failedTrials } from './failures.tsx';
import { HEADER_LINES, Header } from './header.tsx';
import { Leaderboard, leaderboardLength } from './leaderboard.tsx';
import { shareRoom } from './room.ts';
import { Running, runningTrials } from './running.tsx';
import { ColourContext, Styled } from './styled.tsx';

export interface AppProps {
  readonly state: DashboardState;
  /** Unix milliseconds. */
  readonly now: number;
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
  /** q was pressed. */
  readonly onLeave: () => void;
  /** Ctrl-C was pressed: in raw mode it is a key, not a signal. */
  readonly onInterrupt: () => void;
}

const FOOTER_LINES = 1;
const KEYS = 'j/k scroll · q leave (the sweep goes on) · Ctrl-C interrupt';

/** The whole screen. One line short of the terminal, because Ink clears a screen that is full at every frame. */
export function App({ state, now, columns, rows, colour, onLeave, onInterrupt }: AppProps) {
  const [offset, setOffset] = useState(0);
  const room = shareRoom(
    rows - 1 - HEADER_LINES - FOOTER_LINES,
    runningTrials(state).length,
    failedTrials(state).length,
  );
  const furthest = Math.max(0, leaderboardLength(state) - Math.max(1, room.leaderboard - 1));
  useInput((input, key) => {
    if (key.ctrl && input === 'c') onInterrupt();
    else if (input === 'q') onLeave();
    else if (input === 'j' || key.downArrow) setOffset((at) => Math.min(furthest, at + 1));
    else if (input === 'k' || key.upArrow) setOffset((at) => Math.max(0, Math.min(furthest, at) - 1));
  });
  return (
    <ColourContext value={colour}>
      <Box flexDirection="column" width={columns}>
        <Header state={state} now={now} columns={columns} />
        <Leaderboard state={state} columns={columns} lines={room.leaderboard} offset={Math.min(offset, furthest)} />
        <Failures state={state} lines={room.failures} />
        {room.running > 0 && <Running state={state} now={now} lines={room.running} />}
        {room.events > 0 && <Events state={state} lines={room.events} />}
        <Styled style="dim">{state.sweep && sweepEnded(state.sweep) ? '' : KEYS}</Styled>
      </Box>
    </ColourContext>
  );
}
