import type { Command } from 'commander';
import { shortId } from '../../lib/text/short-id.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { stream, unary } from '../client/rpc.ts';
import { getSweep } from '../client/sweeps.ts';
import { watchSweep } from '../client/watch.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { isoTime } from '../output/format.ts';
import { jsonSafe, note, print } from '../output/print.ts';

interface Options extends ServerOptions, OutputOptions {
  readonly follow?: true;
  readonly reports?: true;
  readonly trial?: string;
}

/** As in WatchRequest: every event of the sweep. */
const FROM_THE_FIRST = -1;
/** How long a coordinator may be away while its events are followed. */
const PATIENCE_MS = 60 * 60_000;
/** The kind of event of which there is one an epoch. */
const REPORTED = 'reported';

/** The newest event that there is at present. */
async function newestEvent(connection: Connection, sweep: string): Promise<number> {
  for await (const { update } of stream(connection, connection.client.watch, { sweep, sinceEventSeq: 0 })) {
    if (update?.$case === 'snapshot') return update.snapshot.eventSeq;
  }
  return 0;
}

/** A sweep's events from its first: those that there are, or, when it is followed, until it has ended. */
async function* eventsOf(connection: Connection, sweep: string, follow: boolean): AsyncGenerator<Event> {
  const until = follow ? Number.POSITIVE_INFINITY : await newestEvent(connection, sweep);
  const heard = {
    onAway: () => note(`the coordinator at ${connection.address} is away; waiting for it`),
    onBack: () => note('the coordinator is back'),
  };
  const patienceMs = follow ? PATIENCE_MS : 0;
  for await (const { update } of watchSweep(connection, sweep, { patienceMs, since: FROM_THE_FIRST, ...heard })) {
    if (update?.$case !== 'delta') continue;
    yield* update.delta.events.filter(({ seq }) => seq <= until);
    if (update.delta.eventSeq >= until) return;
  }
}

function textOf({ atMs, trialId, attempt, kind, detail }: Event): string {
  const which = trialId === '' ? '' : `${shortId(trialId)}${attempt === 0 ? '' : `/${attempt}`}`;
  return visibleText(`${isoTime(atMs)}  ${which.padEnd(10)}  ${kind.padEnd(9)}  ${detail}`.trimEnd());
}

function jsonOf({ seq, atMs, sweepId, trialId, attempt, kind, detail }: Event): string {
  const whose = { sweep: sweepId, trial: trialId || null, attempt: attempt || null };
  return jsonSafe(JSON.stringify({ seq, at: isoTime(atMs), ...whose, kind, detail }));
}

async function events(selector: string, { follow, reports, trial, output, ...options }: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, selector);
    const only = trial && (await unary(connection, connection.client.getTrial, { sweep: sweep.id, trial })).trial?.id;
    for await (const event of eventsOf(connection, sweep.id, follow ?? false)) {
      if ((event.kind === REPORTED && !reports) || (only && event.trialId !== only)) continue;
      await print(`${output === 'json' ? jsonOf(event) : textOf(event)}\n`);
    }
  });
}

export function registerEvents(program: Command): void {
  const command = program
    .command('events')
    .description('print what happened in a sweep, the oldest first')
    .argument('[sweep]', 'id, name or "last"', 'last')
    .option('-f, --follow', 'go on until the sweep ends; a coordinator that restarts meanwhile is waited for')
    .option('--reports', 'the reports of single epochs, too')
    .option('--trial <trial>', "a trial's id or the start of it: its events only");
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl events', 'of the newest sweep'],
      ['trawl events 3 -f', 'as they come'],
      ['trawl events --trial 3f2a91bc --reports', 'one trial, epoch by epoch'],
      ['trawl events -o json | jq -r .kind | sort | uniq -c', 'a JSON object a line'],
    ],
  }).action((sweep: string, options: Options) => events(sweep, options));
}
