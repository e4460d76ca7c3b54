import type { Command } from 'commander';
import { sweepProgress } from '../../lib/domain/progress.ts';
import { endedByTarget } from '../../lib/domain/target.ts';
import { isPausedAndIdle, sweepEnded } from '../../lib/domain/trial-state.ts';
import { formatSpan, MAX_TIMER_MS } from '../../lib/text/duration.ts';
import { atMostText } from '../../lib/text/trials-to-come.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { EXIT, RejectedError, UnreachableError } from '../../proto/errors.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { type Connection, LEADER_WAIT_MS, withConnection } from '../client/connect.ts';
import { followPauses, pauseText } from '../client/pauses.ts';
import { getSweep } from '../client/sweeps.ts';
import { outageNotes, watchSweep } from '../client/watch.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { durationOption } from '../options/values.ts';
import { countsText } from '../output/format.ts';
import { sweepJson } from '../output/json.ts';
import { note, print, printJson } from '../output/print.ts';
import { suggested } from '../output/suggested.ts';
import { isInteractive } from '../output/terminal.ts';
import { WarningNotes } from '../output/warnings.ts';

export interface WaitOptions extends ServerOptions, OutputOptions {
  readonly timeout?: number;
  /** If true, no summary is printed, so that the exit code is the only result. */
  readonly quiet?: true;
}

/**
 * The time for which the coordinator may be unreachable before the command fails. This time is enough to move the
 * coordinator to another machine.
 */
const PATIENCE_MS = 60 * 60_000;

/**
 * Waits until the sweep ends or the signal is aborted. Without a terminal, also stops waiting once the sweep is paused
 * and has no running trials. Returns the last known state of the sweep.
 */
async function follow(
  connection: Connection,
  first: Sweep,
  options: ServerOptions,
  signal: AbortSignal,
): Promise<Sweep> {
  let sweep = first;
  const warnings = new WarningNotes(note);
  warnings.take(first);
  const updates = watchSweep(connection, first.id, {
    patienceMs: PATIENCE_MS,
    signal,
    ...outageNotes(connection),
  });
  const onPause = (paused: Sweep) => {
    note(`${pauseText(paused)}; resume it with: ${suggested(`resume ${paused.id}`, options)}`);
  };
  for await (const { update } of followPauses(updates, { endWhenHalted: !isInteractive(), onPause })) {
    const next = update?.$case === 'snapshot' ? update.snapshot.sweep : update?.delta.sweep;
    if (next === undefined) continue;
    warnings.take(next);
    sweep = next;
  }
  return sweep;
}

/**
 * Waits until the sweep ends. Without a terminal, also stops waiting once the sweep is paused and has no running
 * trials. Returns the sweep, or undefined on Ctrl-C.
 * @throws {UnreachableError} when `timeout` expires
 */
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
    const sweep = await follow(connection, first, options, stop.signal);
    if (sweepEnded(sweep)) return sweep;
    if (interrupted) return undefined;
    if (!stop.signal.aborted && isPausedAndIdle(sweep)) return sweep;
    const { finished, total } = sweepProgress(sweep);
    const progress = `${finished} of ${atMostText(sweep)}${total} trials finished`;
    throw new UnreachableError(
      `timed out after ${formatSpan(limitMs)}; sweep ${sweep.id} continues (${progress}). ` +
        `Wait longer with: ${suggested(`wait ${sweep.id}`, options)}`,
    );
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', onInterrupt);
  }
}

async function wait(selector: string, options: WaitOptions): Promise<void> {
  const leaderWaitMs = Math.min(options.timeout ?? LEADER_WAIT_MS, LEADER_WAIT_MS);
  await withConnection({ ...options, leaderWaitMs }, async (connection) => {
    const { sweep: first } = await getSweep(connection, selector);
    const { offline } = connection;
    if (offline !== undefined && !sweepEnded(first)) {
      throw new RejectedError(
        `sweep ${first.id} has not ended, and no coordinator uses its store; start one with ` +
          `"${suggested('coordinator', offline)}"`,
      );
    }
    await waitFor(connection, first, options);
  });
}

/** Waits as {@link waitUntilEnded} does, prints a summary, and sets the exit code. */
export async function waitFor(connection: Connection, first: Sweep, options: WaitOptions): Promise<void> {
  const sweep = await waitUntilEnded(connection, first, options);
  if (sweep === undefined) {
    note(`interrupted; sweep ${first.id} continues. Wait again with: ${suggested(`wait ${first.id}`, options)}`);
    process.exitCode = EXIT.interrupted;
    return;
  }
  const cancelled = endedByTarget(sweep) ? 0 : (sweep.counts?.cancelled ?? 0);
  if (isPausedAndIdle(sweep) || cancelled + (sweep.counts?.failed ?? 0) > 0) process.exitCode = EXIT.failedTrials;
  if (options.quiet) return;
  if (options.output === 'json') return printJson(sweepJson(sweep));
  const duration = formatSpan((sweep.endedAtMs || Date.now()) - sweep.createdAtMs);
  const line = `sweep ${sweep.id} (${sweep.name}) ${sweepState.of(sweep.state)}: ${countsText(sweep.counts)} in ${duration}`;
  return print(`${visibleText(line)}\n`);
}

export function registerWait(program: Command): void {
  const command = program
    .command('wait')
    .description(
      'wait until a sweep ends, even if the coordinator restarts; without a terminal, also return when it is paused',
    )
    .argument('[sweep]', 'sweep id, name or "last"', 'last')
    .option('--timeout <duration>', 'time to wait, such as 90s, 15m, 1h30m or 1d (default: no limit)', durationOption);
  withHelp(withOutput(withServer(command)), {
    exits: [
      [
        0,
        'the sweep ended, and no trial failed or was cancelled (trials cancelled because of the target do not count)',
      ],
      [1, 'a trial failed or was cancelled; or, without a terminal, the sweep was paused'],
      [3, 'no coordinator could be reached, or --timeout expired'],
    ],
    examples: [
      ['trawl wait', 'wait for the newest sweep'],
      ['trawl wait 3 --timeout 2h && trawl best 3', 'wait, and show the best configs if the exit code is 0'],
    ],
  }).action((sweep: string, options: WaitOptions) => wait(sweep, options));
}
