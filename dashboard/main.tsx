import { render } from 'ink';
import type { WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import { EMPTY_STATE } from './state/dashboard-state.ts';
import { reduceAll } from './state/reducer.ts';
import { App } from './views/app.tsx';

export interface DashboardOptions {
  readonly stdout: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  readonly colour: boolean;
  /** Ctrl-C was pressed. The dashboard stays until the stream ends or `signal` fires: what it means is the caller's. */
  readonly onInterrupt: () => void;
  /** Takes the dashboard off the screen at once. */
  readonly signal?: AbortSignal;
}

/** `ended`: the stream is over. `left`: the user pressed q, or the signal fired; the sweep goes on. */
export type DashboardResult = 'ended' | 'left';

/** How often the screen is drawn: updates that come faster are folded into one frame. */
const FRAME_MS = 100;

/** Clocks and paces move on even when nothing is heard. */
const IDLE_FRAME_MS = 1000;

/** Where a terminal does not say how large it is. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/**
 * Shows a sweep on the terminal until its Watch stream ends or the user leaves. Leaves the last frame on the screen.
 * After `left` the stream may still wait for an update: the caller, who opened it, ends it.
 * @throws whatever the stream throws, once the terminal is given back
 */
export async function runDashboard(
  updates: AsyncIterable<WatchResponse>,
  options: DashboardOptions,
): Promise<DashboardResult> {
  const { stdout, stdin, colour, onInterrupt, signal } = options;
  let state = EMPTY_STATE;
  let waiting: WatchResponse[] = [];
  let drawnAtMs = 0;
  let over = false;
  let leave: () => void = () => {};
  const left = new Promise<DashboardResult>((resolve) => {
    leave = () => resolve('left');
  });

  const frame = () => {
    const now = Date.now();
    state = reduceAll(state, waiting);
    waiting = [];
    drawnAtMs = now;
    return (
      <App
        state={state}
        now={now}
        columns={stdout.columns || DEFAULT_COLUMNS}
        rows={stdout.rows || DEFAULT_ROWS}
        colour={colour}
        onLeave={leave}
        onInterrupt={onInterrupt}
      />
    );
  };
  const ink = render(frame(), { stdout, stdin, exitOnCtrlC: false });
  const draw = () => ink.rerender(frame());
  const timer = setInterval(() => {
    if (waiting.length > 0 || Date.now() - drawnAtMs >= IDLE_FRAME_MS) draw();
  }, FRAME_MS);
  stdout.on('resize', draw);
  signal?.addEventListener('abort', leave, { once: true });
  if (signal?.aborted) leave();

  const drain = async (): Promise<DashboardResult> => {
    for await (const update of updates) {
      if (over) return 'left';
      waiting.push(update);
    }
    return 'ended';
  };
  const drained = drain();
  try {
    return await Promise.race([drained, left]);
  } finally {
    clearInterval(timer);
    stdout.off('resize', draw);
    signal?.removeEventListener('abort', leave);
    draw();
    ink.unmount();
    await ink.waitUntilExit();
    over = true;
    // Whatever the stream does from here on is no longer shown.
    drained.catch(() => undefined);
  }
}
