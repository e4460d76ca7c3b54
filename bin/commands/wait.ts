import type { Command } from 'commander';
import { endedTotal, sweepEnded, trialTotal } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { EXIT, RefusedError, UnreachableError } from '../../proto/errors.ts';
import { type Sweep, SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { getSweep } from '../client/sweeps.ts';
import { watchSweep } from '../client/watch.ts';
import {
  durationOption,
  type OutputOptions,
  type ServerOptions,
  serverFlags,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { sweepJson } from '../output/json.ts';
import { note, print, printJson } from '../output/print.ts';

export interface WaitOptions extends ServerOptions, OutputOptions {
  readonly timeout?: number;
  /** Says nothing more: the exit code tells. */
  readonly quiet?: true;
}

/** How long a coordinator may be away: long enough to move it to another machine. */
const PATIENCE_MS = 60 * 60_000;

/** The longest delay that a timer of Node takes; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The sweep as it was last heard of; ended, unless the signal fired first. */
async function follow(connection: Connection, first: Sweep, flags: string, signal: AbortSignal): Promise<Sweep> {
  let sweep = first;
  const updates = watchSweep(connection, first.id, {
    patienceMs: PATIENCE_MS,
    signal,
    onAway: () => note(`the coordinator at ${connection.address} is away; waiting for it`),
    onBack: () => note('the coordinator is back'),
  });
  for await (const { update } of updates) {
    const news = update?.$case === 'snapshot' ? update.snapshot.sweep : update?.delta.sweep;
    if (news === undefined) continue;
    if (news.state === SweepState.PAUSED && sweep.state !== SweepState.PAUSED) {
      note(
        `sweep ${news.id} is paused: ${news.reason || 'no reason given'}. "trawl resume ${news.id}${flags}" goes on.`,
      );
    }
    sweep = news;
  }
  return sweep;
}

/** Waits with a limit and with Ctrl-C heard; undefined: interrupted. */
async function waitUntilEnded(connection: Connection, first: Sweep, options: WaitOptions): Promise<Sweep | undefined> {
  const stop = new AbortController();
  let interrupted = false;
  const onInterrupt = () => {
    interrupted = true;
    stop.abort();
  };
  process.once('SIGINT', onInterrupt);
  const limitMs = Math.min(options.timeout ?? MAX_TIMER_MS, MAX_TIMER_MS);
  const timer = options.timeout === undefined ? undefined : setTimeout(() => stop.abort(), limitMs);
  try {
    const sweep = await follow(connection, first, serverFlags(options), stop.signal);
    if (sweepEnded(sweep)) return sweep;
    if (interrupted) return undefined;
    const progress = `${endedTotal(sweep)} of ${trialTotal(sweep)} trials ended`;
    throw new UnreachableError(
      `sweep ${sweep.id} has not ended after ${formatSpan(limitMs)} (${progress}); it goes on. ` +
        `Wait longer with: trawl wait ${sweep.id}${serverFlags(options)}`,
    );
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', onInterrupt);
  }
}

async function wait(selector: string, options: WaitOptions): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep: first } = await getSweep(connection, selector);
    if (connection.offlineDir !== undefined && !sweepEnded(first)) {
      throw new RefusedError(
        `sweep ${first.id} has not ended, and no coordinator works on ${connection.offlineDir}: ` +
          `start one with "trawl coordinator --dir ${connection.offlineDir}"`,
      );
    }
    await waitFor(connection, first, options);
  });
}

/** Waits until the sweep has ended, and prints how; the exit code says it, too. */
export async function waitFor(connection: Connection, first: Sweep, options: WaitOptions): Promise<void> {
  const sweep = await waitUntilEnded(connection, first, options);
  if (sweep === undefined) {
    note(`interrupted; sweep ${first.id} goes on. Wait again with: trawl wait ${first.id}${serverFlags(options)}`);
    process.exitCode = EXIT.interrupted;
    return;
  }
  const unfinished = (sweep.counts?.failed ?? 0) + (sweep.counts?.cancelled ?? 0);
  if (unfinished > 0) process.exitCode = EXIT.failedTrials;
  if (options.quiet) return;
  if (options.output === 'json') return printJson(sweepJson(sweep));
  const counts = Object.entries(sweep.counts ?? {}).filter(([, count]) => count > 0);
  const summary = counts.map(([state, count]) => `${count} ${state}`).join(', ');
  const took = formatSpan(sweep.endedAtMs - sweep.createdAtMs);
  const line = `sweep ${sweep.id} (${sweep.name}) ${sweepState.of(sweep.state)}: ${summary} in ${took}`;
  return print(`${visibleText(line)}\n`);
}

export function registerWait(program: Command): void {
  const command = program
    .command('wait')
    .description('wait until a sweep has ended; a coordinator that restarts meanwhile is waited for')
    .argument('[sweep]', 'id, name or "last"', 'last')
    .option('--timeout <duration>', 'give up after so long: 90s, 15m, 2h, 1d (default: never)', durationOption);
  withHelp(withOutput(withServer(command)), {
    exits: [
      [0, 'ended, and every trial succeeded or was stopped early'],
      [1, 'ended with failed or cancelled trials'],
      [3, 'no coordinator could be reached, or --timeout passed'],
    ],
    examples: [
      ['trawl wait', 'for the newest sweep'],
      ['trawl wait 3 --timeout 2h && trawl best 3', 'then its best trials, if all went well'],
    ],
  }).action((sweep: string, options: WaitOptions) => wait(sweep, options));
}
