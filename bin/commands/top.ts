import { type Command, InvalidArgumentError, Option } from 'commander';
import type { View } from '../../dashboard/main.tsx';
import { PANES, type Pane } from '../../dashboard/source.ts';
import { BadInputError } from '../../proto/errors.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { type GlobalOptions, parseCount, type ServerOptions, withHelp, withServer } from '../options/common.ts';
import { print } from '../output/print.ts';
import { coordinatorSource } from '../top/coordinator-source.ts';
import { historyOf, replaySource } from '../top/replay-source.ts';
import { hasKittyGraphics, lookOf, onTerminal } from '../top/terminal.ts';

interface Options extends GlobalOptions, ServerOptions {
  readonly once?: true;
  readonly view: Pane;
  readonly trial?: string;
  readonly columns?: number;
  readonly rows?: number;
  readonly replay?: true;
  readonly speed: number;
  readonly readonly?: true;
  readonly ascii?: true;
  readonly pictures: 'auto' | 'kitty' | 'blocks';
}

/** A frame that goes into a file or a pipe, where nobody says how large. */
const PIPE_SIZE = { columns: 120, rows: 50 };

function parseSpeed(text: string): number {
  const speed = Number(text);
  if (!(speed > 0) || !Number.isFinite(speed)) throw new InvalidArgumentError('Expected a number above 0, such as 10.');
  return speed;
}

async function top(sweep: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { stdout } = process;
    const style = lookOf(options, stdout, process.env);
    if (options.once) {
      const { drawOnce } = await import('../../dashboard/main.tsx');
      const size = {
        columns: options.columns ?? (stdout.columns || PIPE_SIZE.columns),
        rows: options.rows ?? (stdout.rows || PIPE_SIZE.rows),
      };
      const view = await viewOf(connection, sweep, options);
      return print(await drawOnce(coordinatorSource(connection, 0), { sweep, style, size, view }));
    }
    if (!stdout.isTTY || !process.stdin.isTTY) {
      throw new BadInputError('top needs a terminal: --once prints one frame without one');
    }
    const speed = options.replay === undefined ? undefined : options.speed;
    const replay =
      speed === undefined ? undefined : replaySource(connection, await historyOf(connection, sweep), speed);
    const source = replay?.source ?? coordinatorSource(connection, Number.POSITIVE_INFINITY);
    await untilSignalled((signal) =>
      onTerminal(source, {
        signal,
        sweep,
        style,
        kitty: options.pictures === 'kitty' || (options.pictures === 'auto' && hasKittyGraphics(process.env)),
        readonly: options.readonly === true || replay !== undefined || connection.offlineDir !== undefined,
        banner: speed === undefined ? '' : `REPLAY ${speed}×`,
        ...(replay === undefined ? {} : { now: replay.now }),
      }),
    );
  });
}

async function viewOf(connection: Connection, sweep: string, { trial: prefix, view }: Options): Promise<View> {
  if (prefix === undefined) return { kind: view };
  const { trial } = await unary(connection, connection.client.getTrial, { sweep, trial: prefix });
  return { kind: 'trial', trialId: trial?.id ?? prefix };
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** Signals that end a process take the dashboard off the screen first. */
async function untilSignalled<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const end = () => stop.abort();
  for (const signal of ENDING) process.on(signal, end);
  try {
    return await work(stop.signal);
  } finally {
    for (const signal of ENDING) process.off(signal, end);
  }
}

export function registerTop(program: Command): void {
  const command = program
    .command('top')
    .description('watch a sweep live: leaderboard, curves, parameters, agents, events; ? lists the keys')
    .argument('[sweep]', 'id, name or "last"', 'last')
    .option('--readonly', 'nothing can be changed from here')
    .option('--once', 'print one frame and end; needs no terminal')
    .addOption(new Option('--view <view>', 'what --once prints').choices(PANES).default('sweep'))
    .option('--trial <id>', 'with --once: this trial')
    .option('--columns <n>', 'width of the frame that --once prints', parseCount)
    .option('--rows <n>', 'its height', parseCount)
    .option('--replay', 'play a finished sweep once more, from its events and reports')
    .option('--speed <times>', 'how much faster than it was', parseSpeed, 10)
    .option('--ascii', 'nothing but ASCII (the default where the locale is not UTF-8)')
    .addOption(
      new Option('--pictures <how>', "Kitty's graphics, or half blocks")
        .choices(['auto', 'kitty', 'blocks'])
        .default('auto'),
    );
  withHelp(withServer(command), {
    examples: [
      ['trawl top', 'the newest sweep'],
      ['trawl top 3 --server host:7070 --readonly', 'another machine’s sweep, read-only'],
      ['trawl top --once --columns 200', 'one frame, for a file or a mail'],
      ['trawl top 3 --replay --speed 60', 'an hour in a minute'],
    ],
  }).action((sweep: string, _options: Options, self: Command) => top(sweep, self.optsWithGlobals<Options>()));
}
