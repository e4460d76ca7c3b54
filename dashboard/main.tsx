import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { render, useInput } from 'ink';
import { withResolvers } from '../lib/net/within.ts';
import type { StyledLine } from '../lib/text/segment.ts';
import { Dashboard } from './dashboard.ts';
import { paintLine, type TerminalStyle } from './draw/paint.ts';
import type { Press } from './keys.ts';
import { type PlacedImage, Screen } from './screen.ts';
import type { Source } from './source.ts';
import type { View } from './state/ui.ts';
import { bodyLines, type Size } from './views/frame.ts';
import { HEADER_LINES } from './views/header.ts';

export type { TerminalStyle, View };

export interface DashboardOptions {
  readonly stdout: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  /** Id, name or `last`. */
  readonly sweep: string;
  readonly style: TerminalStyle;
  /** Whether the terminal speaks Kitty's graphics protocol. */
  readonly kitty?: boolean;
  /** Nothing can be changed from here. */
  readonly readonly?: boolean;
  /** What is special of this showing. */
  readonly banner?: string;
  /** Unix milliseconds; a replay has a clock of its own. */
  readonly now?: () => number;
  /** Whether the end of the sweep is the end of the dashboard. */
  readonly endWithSweep?: boolean;
  /** Ctrl-C was pressed. What it means is the caller's; undefined: the same as q. */
  readonly onInterrupt?: () => void;
  /** Takes the dashboard off the screen at once. */
  readonly signal?: AbortSignal;
}

/** `ended`: the sweep's stream is over. `left`: the user pressed q, or the signal fired; the sweep goes on. */
export type DashboardResult = 'ended' | 'left';

/** How often the screen is drawn at most for what is heard: updates that come faster are folded into one frame. */
const FRAME_MS = 100;

/** Clocks and paces move on even when nothing is heard. */
const IDLE_FRAME_MS = 1000;

/** Where a terminal does not say how large it is. */
const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };

/**
 * Shows a sweep on the whole terminal until the user leaves (or the sweep ends, where so asked), and gives the terminal
 * back as it was.
 * @throws {TrawlError} when the sweep cannot be watched, once the terminal is given back
 */
export async function runDashboard(source: Source, options: DashboardOptions): Promise<DashboardResult> {
  const { stdout, stdin, sweep, style, signal } = options;
  const size = (): Size => ({
    columns: stdout.columns || DEFAULT_SIZE.columns,
    rows: stdout.rows || DEFAULT_SIZE.rows,
  });
  const { promise: over, resolve: end, reject: fail } = withResolvers<DashboardResult>();
  const leave = () => end('left');
  let changed = false;
  const dashboard = new Dashboard(source, {
    style,
    size,
    kitty: options.kitty ?? false,
    readonly: options.readonly ?? false,
    banner: options.banner ?? '',
    now: options.now ?? Date.now,
    onChange: () => {
      changed = true;
    },
    onLeave: leave,
    onInterrupt: options.onInterrupt ?? leave,
    onEnded: () => {
      changed = true;
      if (options.endWithSweep) end('ended');
    },
    onFailed: fail,
  });
  await dashboard.watch(sweep);

  const screen = new Screen(stdout);
  let drawnAtMs = 0;
  const draw = () => {
    changed = false;
    drawnAtMs = Date.now();
    const lines = dashboard.frame();
    const { columns } = size();
    screen.show(
      lines.map((line) => paintLine(line, columns, style)),
      picturesOf(lines, size()),
    );
  };
  const onPress = (pressed: Press) => {
    dashboard.press(pressed);
    draw();
  };
  screen.open();
  const ink = render(<Keys onPress={onPress} />, { stdout: nowhere(), stdin, ...INK });
  const redraw = () => {
    screen.forget();
    draw();
  };
  const timer = setInterval(() => {
    if (dashboard.tick() || changed || Date.now() - drawnAtMs >= IDLE_FRAME_MS) draw();
  }, FRAME_MS);
  draw();
  stdout.on('resize', redraw);
  process.on('SIGCONT', redraw);
  signal?.addEventListener('abort', leave, { once: true });
  if (signal?.aborted) leave();
  try {
    return await over;
  } finally {
    clearInterval(timer);
    stdout.off('resize', redraw);
    process.off('SIGCONT', redraw);
    signal?.removeEventListener('abort', leave);
    dashboard.stop();
    ink.unmount();
    await ink.waitUntilExit();
    screen.close();
  }
}

/** How often a frame that is drawn once looks whether everything is there, and how long it waits for that. */
const ONCE_POLL_MS = 20;
const ONCE_PATIENCE_MS = 20_000;

/**
 * One frame, without a terminal, once everything that it shows is there.
 * @param view where to style; the leaderboard unless said
 * @throws {TrawlError} when the sweep cannot be watched
 */
export async function drawOnce(
  source: Source,
  options: { readonly sweep: string; readonly style: TerminalStyle; readonly size: Size; readonly view?: View },
): Promise<string> {
  const { style, size } = options;
  let failure: { readonly error: unknown } | undefined;
  const dashboard = new Dashboard(source, {
    ...{ style, kitty: false, readonly: false, banner: '', size: () => size, now: Date.now },
    ...{ onChange: () => {}, onLeave: () => {}, onInterrupt: () => {}, onEnded: () => {} },
    onFailed: (error) => {
      failure = { error };
    },
  });
  await dashboard.watch(options.sweep);
  try {
    if (options.view !== undefined) dashboard.open(options.view);
    // What comes asks for more: twice settled is settled.
    for (let settled = 0, waited = 0; settled < 3 && waited < ONCE_PATIENCE_MS; waited += ONCE_POLL_MS) {
      await sleep(ONCE_POLL_MS);
      if (failure !== undefined) throw failure.error;
      dashboard.tick();
      settled = dashboard.settled ? settled + 1 : 0;
    }
    // Nobody presses keys: the line that names them is left off, and what is empty above it.
    const lines = dashboard.frame().slice(0, -1);
    return lines
      .slice(0, lines.findLastIndex(({ segments }) => segments.some(({ text }) => text.trim() !== '')) + 1)
      .map((line) => `${paintLine({ ...line, cursor: false }, size.columns, style).trimEnd()}\n`)
      .join('');
  } finally {
    dashboard.stop();
  }
}

/** Ink has the keys and not the screen: taking each frame apart by the character costs it 20 ms, half of a key's wait. */
const INK = { debug: true, exitOnCtrlC: false, patchConsole: false } as const;

/** A terminal that Ink may write to. */
function nowhere(): NodeJS.WriteStream {
  const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
  return Object.assign(stream, { isTTY: false, columns: DEFAULT_SIZE.columns, rows: DEFAULT_SIZE.rows }) as never;
}

/** Those that are wholly in sight. */
function picturesOf(lines: readonly StyledLine[], size: Size): PlacedImage[] {
  const last = HEADER_LINES + bodyLines(size);
  return lines.flatMap(({ spot }, row) => (spot === undefined || row + spot.lines > last ? [] : [{ ...spot, row }]));
}

/** Every key that is pressed; draws nothing. */
function Keys({ onPress }: { readonly onPress: (press: Press) => void }) {
  useInput((input, key) => onPress({ input, key }));
  return null;
}
