import { type Command, Option } from 'commander';
import { deferredSource } from '../../dashboard/deferred-source.ts';
import type { TerminalStyle, View } from '../../dashboard/main.tsx';
import { PANES, type Pane, type Source } from '../../dashboard/source.ts';
import { StartProgress } from '../../dashboard/state/start-progress.ts';
import { withResolvers } from '../../lib/net/within.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { Connection } from '../client/connect.ts';
import { type GlobalOptions, type ServerOptions, withHelp, withServer } from '../options/common.ts';
import { countUpTo, parseSpeed } from '../options/values.ts';
import { print } from '../output/print.ts';
import { isInteractive } from '../output/terminal.ts';
import { hasKittyGraphics, onTerminal, terminalLook } from '../top/terminal.ts';

interface Options extends GlobalOptions, ServerOptions {
  readonly once?: true;
  readonly view: Pane;
  readonly trial?: string;
  readonly columns?: number;
  readonly rows?: number;
  readonly replay?: true;
  readonly speed: number;
  readonly readonly?: true;
  readonly pictures: 'auto' | 'kitty' | 'blocks';
}

const PIPE_SIZE = { columns: 120, rows: 50 };

/**
 * Loads the code that connects to the coordinator. The dashboard draws its first frame before it calls this function,
 * because the frame does not need the code, and loading the code takes about as long as drawing the frame.
 */
const loadClient = async () => {
  const [{ withConnection }, { unary }, { coordinatorSource }] = await Promise.all([
    import('../client/connect.ts'),
    import('../client/rpc.ts'),
    import('../top/coordinator-source.ts'),
  ]);
  return { withConnection, unary, coordinatorSource };
};

async function top(sweep: string, options: Options): Promise<void> {
  const style = terminalLook(options, process.stdout, process.env);
  if (options.once) {
    const { withConnection } = await loadClient();
    return withConnection(options, (connection) => printFrame(connection, sweep, style, options));
  }
  if (!isInteractive()) throw new BadInputError('top needs a terminal; use --once to print one frame');
  await untilSignaled((signal) => showSweep(sweep, style, options, signal));
}

async function printFrame(
  connection: Connection,
  sweep: string,
  style: TerminalStyle,
  options: Options,
): Promise<void> {
  const { stdout } = process;
  const { drawOnce } = await import('../../dashboard/main.tsx');
  const { coordinatorSource } = await loadClient();
  const size = {
    columns: options.columns ?? (stdout.columns || PIPE_SIZE.columns),
    rows: options.rows ?? (stdout.rows || PIPE_SIZE.rows),
  };
  const view = await viewOf(connection, sweep, options);
  return print(await drawOnce(coordinatorSource(connection, 0), { sweep, style, size, view }));
}

/** Opens the dashboard immediately, and connects to the coordinator after the first frame. */
async function showSweep(sweep: string, style: TerminalStyle, options: Options, signal: AbortSignal): Promise<void> {
  const progress = new StartProgress();
  const { promise: ready, resolve, reject } = withResolvers<Source>();
  ready.catch(() => {});
  const { promise: drawn, resolve: onFirstFrame } = withResolvers<void>();
  let now = Date.now;
  const shown = onTerminal(deferredSource(ready), {
    signal,
    sweep,
    style,
    progress,
    now: () => now(),
    kitty: options.pictures === 'kitty' || (options.pictures === 'auto' && hasKittyGraphics(process.env)),
    readonly: options.readonly === true,
    onFirstFrame,
  });
  await Promise.race([drawn, shown]);
  const connected = connect(options, async (connection) => {
    const { coordinatorSource } = await loadClient();
    progress.report(`connecting to ${connection.address}`);
    if (options.replay) {
      const { historyOf, replaySource } = await import('../top/replay-source.ts');
      progress.report('loading the events and reports of the sweep');
      const history = await historyOf(connection, sweep, options);
      const replay = replaySource(coordinatorSource(connection, 0), history, options.speed);
      now = replay.now;
      resolve(replay.source);
    } else resolve(coordinatorSource(connection, Number.POSITIVE_INFINITY));
    await shown;
  });
  connected.catch(reject);
  await shown;
  // If the user quits before the connection is open, the process exits without waiting for the connection.
  if (await isPending(ready)) process.exit();
  await connected;
}

async function connect(options: Options, use: (connection: Connection) => Promise<void>): Promise<void> {
  const { withConnection } = await loadClient();
  return withConnection(options, use);
}

const PENDING = Symbol('pending');

const isPending = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise, Promise.resolve(PENDING)])) === PENDING;

async function viewOf(connection: Connection, sweep: string, { trial: prefix, view }: Options): Promise<View> {
  if (prefix === undefined) return { kind: view };
  const { unary } = await loadClient();
  const { trial } = await unary(connection, connection.client.getTrial, { sweep, trial: prefix });
  return { kind: 'trial', trialId: trial?.id ?? prefix };
}

const TERMINATION_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** Aborts the work when a signal arrives, so that the dashboard restores the terminal before the process ends. */
async function untilSignaled<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const end = () => stop.abort();
  for (const signal of TERMINATION_SIGNALS) process.on(signal, end);
  try {
    return await work(stop.signal);
  } finally {
    for (const signal of TERMINATION_SIGNALS) process.off(signal, end);
  }
}

/** The maximum width and height of a frame, in cells. */
const MAX_FRAME = 1_000;

export function registerTop(program: Command): void {
  const command = program
    .command('top')
    .description('show the live dashboard of a sweep; press ? for the keys')
    .argument('[sweep]', 'sweep id, name or "last"', 'last')
    .option('--readonly', 'disable all actions that change something')
    .option('--once', 'print one frame and exit (needs no terminal)')
    .addOption(new Option('--view <view>', 'view that --once prints').choices(PANES).default('sweep'))
    .option('--trial <id>', 'with --once: print the view of this trial')
    .option('--columns <n>', 'with --once: width of the frame', countUpTo(MAX_FRAME))
    .option('--rows <n>', 'with --once: height of the frame', countUpTo(MAX_FRAME))
    .option('--replay', 'replay an ended sweep from its events and reports')
    .option('--speed <factor>', 'speed of the replay', parseSpeed, 10)
    .addOption(
      new Option('--pictures <how>', 'how to draw images: with the Kitty graphics protocol or with half blocks')
        .choices(['auto', 'kitty', 'blocks'])
        .default('auto'),
    );
  withHelp(withServer(command), {
    examples: [
      ['trawl top', 'watch the newest sweep'],
      ['trawl top 3 --server host:7070 --readonly', 'watch a sweep on another machine, read-only'],
      ['trawl top --once --columns 200', 'print one frame, for a file or an e-mail'],
      ['trawl top 3 --replay --speed 60', 'replay an hour in a minute'],
    ],
  }).action((sweep: string, _options: Options, self: Command) => top(sweep, self.optsWithGlobals<Options>()));
}
