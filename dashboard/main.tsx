import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { render, useInput } from 'ink';
import { withResolvers } from '../lib/net/within.ts';
import { Dashboard } from './dashboard.ts';
import type { StyledLine } from './draw/line.ts';
import { paintStyledLine, type TerminalStyle } from './draw/paint.ts';
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
  /** The sweep's id or name, or `last`. */
  readonly sweep: string;
  readonly style: TerminalStyle;
  /** Whether the terminal supports Kitty's graphics protocol. */
  readonly kitty?: boolean;
  /** Whether every action that changes a sweep is disabled. */
  readonly readonly?: boolean;
  /** A notice in the header, such as the speed of a replay. */
  readonly banner?: string;
  /** Returns the current time in Unix milliseconds. A replay has its own clock. */
  readonly now?: () => number;
  /** Whether the dashboard closes when the sweep ends. */
  readonly endWithSweep?: boolean;
  /** Called for Ctrl-C. Without it, Ctrl-C quits. */
  readonly onInterrupt?: () => void;
  /** Aborting this signal closes the dashboard. */
  readonly signal?: AbortSignal;
}

/** How the dashboard closed. `ended` means that the sweep's stream has ended. `left` means that the user quit or the signal
 * fired, and the sweep continues. */
export type DashboardResult = 'ended' | 'left';

const FRAME_MS = 100;

/** The interval between frames without updates, in which durations and rates change. */
const IDLE_FRAME_MS = 1000;

const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };

/**
 * Shows a sweep on the whole terminal until the user quits (or the sweep ends, with `endWithSweep`), then restores the
 * terminal.
 * @throws {TrawlError} when the sweep cannot be watched, after the terminal is restored
 */
export async function runDashboard(source: Source, options: DashboardOptions): Promise<DashboardResult> {
  const { stdout, stdin, sweep, style, signal } = options;
  const size = (): Size => ({
    columns: stdout.columns || DEFAULT_SIZE.columns,
    rows: stdout.rows || DEFAULT_SIZE.rows,
  });
  const { promise: result, resolve: end, reject: fail } = withResolvers<DashboardResult>();
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
      lines.map((line) => paintStyledLine(line, columns, style)),
      imagesOf(lines, size()),
    );
  };
  const onPress = (pressed: Press) => {
    dashboard.press(pressed);
    draw();
  };
  screen.open();
  const ink = render(<Keys onPress={onPress} />, { stdout: discardOutput(), stdin, ...INK });
  const redraw = () => {
    screen.invalidate();
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
    return await result;
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

const ONCE_POLL_MS = 20;
const ONCE_TIMEOUT_MS = 20_000;

/**
 * Returns one complete frame, without a terminal.
 * @param options `view` defaults to the leaderboard
 * @throws {TrawlError} when the sweep cannot be watched
 */
export async function drawOnce(
  source: Source,
  options: { readonly sweep: string; readonly style: TerminalStyle; readonly size: Size; readonly view?: View },
): Promise<string> {
  const { style, size } = options;
  let failure: { readonly error: unknown } | undefined;
  const dashboard = new Dashboard(source, {
    style,
    kitty: false,
    readonly: false,
    banner: '',
    size: () => size,
    now: Date.now,
    onChange: () => {},
    onLeave: () => {},
    onInterrupt: () => {},
    onEnded: () => {},
    onFailed: (error) => {
      failure = { error };
    },
  });
  await dashboard.watch(options.sweep);
  try {
    if (options.view !== undefined) dashboard.open(options.view);
    // An answer can lead to further requests: the frame is complete when it is settled three times in a row.
    for (let settled = 0, waited = 0; settled < 3 && waited < ONCE_TIMEOUT_MS; waited += ONCE_POLL_MS) {
      await sleep(ONCE_POLL_MS);
      if (failure !== undefined) throw failure.error;
      dashboard.tick();
      settled = dashboard.settled ? settled + 1 : 0;
    }
    const lines = dashboard.frame().slice(0, -1);
    return lines
      .slice(0, lines.findLastIndex(({ segments }) => segments.some(({ text }) => text.trim() !== '')) + 1)
      .map((line) => `${paintStyledLine({ ...line, cursor: false }, size.columns, style).trimEnd()}\n`)
      .join('');
  } finally {
    dashboard.stop();
  }
}

/** Ink reads the keys but does not draw: its output takes 20 ms per frame, half of the response time of a key. */
const INK = { debug: true, exitOnCtrlC: false, patchConsole: false } as const;

function discardOutput(): NodeJS.WriteStream {
  const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
  return Object.assign(stream, { isTTY: false, columns: DEFAULT_SIZE.columns, rows: DEFAULT_SIZE.rows }) as never;
}

function imagesOf(lines: readonly StyledLine[], size: Size): PlacedImage[] {
  const last = HEADER_LINES + bodyLines(size);
  return lines.flatMap(({ spot }, row) => (spot === undefined || row + spot.lines > last ? [] : [{ ...spot, row }]));
}

function Keys({ onPress }: { readonly onPress: (press: Press) => void }) {
  useInput((input, key) => onPress({ input, key }));
  return null;
}
