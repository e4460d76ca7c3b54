import type { Command } from 'commander';
import { shortId } from '../../lib/text/short-id.ts';
import { firstLine, visibleText } from '../../lib/text/visible-text.ts';
import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { stream, unary } from '../client/rpc.ts';
import { getSweep } from '../client/sweeps.ts';
import { outageNotes, watchSweep } from '../client/watch.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { isoTime } from '../output/format.ts';
import { jsonSafe, print } from '../output/print.ts';

interface Options extends ServerOptions, OutputOptions {
  readonly follow?: true;
  readonly reports?: true;
  readonly trial?: string;
}

const FROM_THE_FIRST = -1;
const PATIENCE_MS = 60 * 60_000;
const REPORTED = 'reported';

/** Returns the sequence number of the newest event. */
async function newestEvent(connection: Connection, sweep: string): Promise<number> {
  for await (const { update } of stream(connection, connection.client.watch, { sweep, sinceEventSeq: 0 })) {
    if (update?.$case === 'snapshot') return update.snapshot.eventSeq;
  }
  return 0;
}

/**
 * Yields the events of a sweep from the first one. Without `follow`, ends after the newest event; otherwise, ends with
 * the sweep.
 */
async function* eventsOf(connection: Connection, sweep: string, follow: boolean): AsyncGenerator<Event> {
  const until = follow ? Number.POSITIVE_INFINITY : await newestEvent(connection, sweep);
  const options = { patienceMs: follow ? PATIENCE_MS : 0, since: FROM_THE_FIRST, ...outageNotes(connection) };
  for await (const { update } of watchSweep(connection, sweep, options)) {
    if (update?.$case !== 'delta') continue;
    yield* update.delta.events.filter(({ seq }) => seq <= until);
    if (update.delta.eventSeq >= until) return;
  }
}

function textOf({ atMs, trialId, attempt, kind, detail }: Event): string {
  const which = trialId === '' ? '' : `${shortId(trialId)}${attempt === 0 ? '' : `/${attempt}`}`;
  return visibleText(`${isoTime(atMs)}  ${which.padEnd(10)}  ${kind.padEnd(9)}  ${firstLine(detail)}`.trimEnd());
}

function jsonOf({ seq, atMs, sweepId, trialId, attempt, kind, detail }: Event): string {
  const source = { sweep: sweepId, trial: trialId || null, attempt: attempt || null };
  return jsonSafe(JSON.stringify({ seq, at: isoTime(atMs), ...source, kind, detail }));
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
    .description('print the events of a sweep, oldest first')
    .argument('[sweep]', 'sweep id, name or "last"', 'last')
    .option('-f, --follow', 'follow until the sweep ends, across restarts of the coordinator')
    .option('--reports', 'include the report of each epoch')
    .option('--trial <trial>', 'only events of this trial (id or unambiguous prefix)');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl events', 'events of the newest sweep so far'],
      ['trawl events 3 -f', 'follow sweep 3'],
      ['trawl events --trial 3f2a91bc --reports', 'events of one trial, with every epoch'],
      ['trawl events -o json | jq -r .kind | sort | uniq -c', 'count events by kind; one JSON object per line'],
    ],
  }).action((sweep: string, options: Options) => events(sweep, options));
}
