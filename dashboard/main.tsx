import { setTimeout as sleep } from 'node:timers/promises';
import { render, renderToString } from 'ink';
import { withResolvers } from '../lib/net/within.ts';
import { setColors } from './colors.ts';
import { App } from './components/App.tsx';
import { Screen } from './components/Screen.tsx';
import { Dashboard } from './dashboard.ts';
import type { Source } from './source.ts';
import type { StartProgress } from './state/start-progress.ts';
import type { View } from './state/ui.ts';
import { frameSize, inkOutput, type Size, type TerminalStyle } from './terminal.ts';
import { copyText, ENTER_SCREEN, LEAVE_SCREEN, MOUSE_OFF, MOUSE_ON } from './terminal-escapes.ts';

export type { TerminalStyle, View };

export interface DashboardOptions {
  readonly stdout: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  /** The sweep's id or name, or `last`. */
  readonly sweep: string;
  readonly style: TerminalStyle;
  /** Whether the terminal supports Kitty's graphics protocol. */
  readonly kitty?: boolean;
  /** Whether every action that changes a sweep, a trial or an agent is disabled. */
  readonly readonly?: boolean;
  /** A notice in the header, such as the speed of a replay. */
  readonly banner?: string;
  /** The steps that the command has taken since its start. They are shown until the sweep is known. */
  readonly progress?: StartProgress;
  /** Returns the current time in Unix milliseconds. A replay has its own clock. */
  readonly now?: () => number;
  /** Whether the dashboard closes when the sweep ends. */
  readonly endWithSweep?: boolean;
  /** Called when the first frame is drawn. */
  readonly onFirstFrame?: () => void;
  /** Called for Ctrl-C. If `onInterrupt` is undefined, Ctrl-C quits. */
  readonly onInterrupt?: () => void;
  /** Aborting this signal closes the dashboard. */
  readonly signal?: AbortSignal;
}

/**
 * The reason why the dashboard closed. `ended` means that the sweep's stream has ended. `left` means that the user quit
 * or the signal was aborted.
 */
export type DashboardResult = 'ended' | 'left';

/**
 * The maximum frame rate of Ink. It is high enough that the response to a key appears without a noticeable delay.
 * Without keys, the dashboard publishes at most ten models per second (see use-model.ts).
 */
const MAX_FPS = 60;

/**
 * Shows a sweep on the whole terminal until the user quits, or, with `endWithSweep`, until the sweep ends. Restores the
 * terminal afterward.
 * @throws {TrawlError} when the sweep cannot be watched, after the terminal is restored
 */
export async function runDashboard(source: Source, options: DashboardOptions): Promise<DashboardResult> {
  const { stdout, stdin, sweep, style, signal } = options;
  const { promise: result, resolve: end, reject: fail } = withResolvers<DashboardResult>();
  const leave = () => end('left');
  const dashboard = new Dashboard(source, {
    style,
    size: frameSize(stdout),
    kitty: options.kitty ?? false,
    readonly: options.readonly ?? false,
    banner: options.banner ?? '',
    progress: options.progress,
    now: options.now ?? Date.now,
    onLeave: leave,
    onInterrupt: options.onInterrupt ?? leave,
    onCopy: (text) => stdout.write(copyText(text)),
    onEnded: () => {
      if (options.endWithSweep) end('ended');
    },
    onFailed: fail,
  });
  setColors(style);
  const restore = openScreen(stdout);
  const ink = render(<App dashboard={dashboard} frameSize={() => frameSize(stdout)} />, {
    stdout: inkOutput(stdout),
    stdin,
    exitOnCtrlC: false,
    patchConsole: false,
    incrementalRendering: true,
    maxFps: MAX_FPS,
  });
  const closed = ink.waitUntilExit();
  options.onFirstFrame?.();
  dashboard.watch(sweep).catch(fail);
  signal?.addEventListener('abort', leave, { once: true });
  if (signal?.aborted) leave();
  try {
    return await Promise.race([result, closed.then(() => result)]);
  } finally {
    signal?.removeEventListener('abort', leave);
    dashboard.close();
    ink.unmount();
    await closed.catch(() => {});
    restore();
  }
}

/**
 * Opens the alternate screen.
 * @returns a function that restores the terminal; the function also runs when the process exits
 */
function openScreen(stdout: NodeJS.WriteStream): () => void {
  const restore = () => {
    process.off('exit', restore);
    process.off('uncaughtExceptionMonitor', restore);
    stdout.write(MOUSE_OFF + LEAVE_SCREEN);
  };
  stdout.write(ENTER_SCREEN + MOUSE_ON);
  process.on('exit', restore);
  process.on('uncaughtExceptionMonitor', restore);
  return restore;
}

const ONCE_POLL_MS = 20;
const ONCE_TIMEOUT_MS = 20_000;

/**
 * Returns one complete frame, without a terminal.
 * @param options what to draw. The default view is the leaderboard.
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
    size,
    now: Date.now,
    onLeave: () => {},
    onInterrupt: () => {},
    onCopy: () => {},
    onEnded: () => {},
    onFailed: (error) => {
      failure = { error };
    },
  });
  await dashboard.watch(options.sweep);
  try {
    if (options.view !== undefined) dashboard.open(options.view);
    // An answer can lead to further requests. The frame is complete when three checks in a row find no pending request.
    for (let settled = 0, waited = 0; settled < 3 && waited < ONCE_TIMEOUT_MS; waited += ONCE_POLL_MS) {
      await sleep(ONCE_POLL_MS);
      if (failure !== undefined) throw failure.error;
      dashboard.tick();
      settled = dashboard.settled ? settled + 1 : 0;
    }
    dashboard.publish();
    setColors(style);
    const lines = renderToString(<Screen model={dashboard.model()} interactive={false} />, {
      columns: size.columns,
    }).split('\n');
    const last = lines.findLastIndex((line) => line.trim() !== '');
    return lines
      .slice(0, last + 1)
      .map((line) => `${line.trimEnd()}\n`)
      .join('');
  } finally {
    dashboard.stop();
  }
}
