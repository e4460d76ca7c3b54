import { type Command, InvalidArgumentError } from 'commander';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { firstLine, visibleText } from '../../lib/text/visible-text.ts';
import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import { EVENT_KINDS, type EventKind } from '../../proto/names.ts';
import { type Connection, LEADER_WAIT_MS, withConnection } from '../client/connect.ts';
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
  readonly kind?: readonly EventKind[];
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
 * Yields all events of a sweep, oldest first. Without `follow`, ends after the event that was the newest at the time of
 * the call. With `follow`, ends when the sweep ends.
 */
async function* eventsOf(connection: Connection, sweep: string, follow: boolean): AsyncGenerator<Event> {
  const until = follow ? Number.POSITIVE_INFINITY : await newestEvent(connection, sweep);
  // With several coordinators, this command waits for a takeover by a standby even without `follow`.
  const listPatienceMs = connection.hasStandbys ? LEADER_WAIT_MS : 0;
  const options = {
    patienceMs: follow ? PATIENCE_MS : listPatienceMs,
    since: FROM_THE_FIRST,
    ...outageNotes(connection),
  };
  for await (const { update } of watchSweep(connection, sweep, options)) {
    if (update?.$case !== 'delta') continue;
    yield* update.delta.events.filter(({ seq }) => seq <= until);
    if (update.delta.eventSeq >= until) return;
  }
}

function textOf({ atMs, trialId, attempt, agentId, kind, detail, by }: Event): string {
  const which = trialId === '' ? agentId : `${shortId(trialId)}${attempt === 0 ? '' : `/${attempt}`}`;
  const what = [firstLine(detail), by && `(by ${by})`].filter((part) => part !== '').join(' ');
  return visibleText(`${isoTime(atMs)}  ${which.padEnd(10)}  ${kind.padEnd(9)}  ${what}`.trimEnd());
}

function jsonOf({ seq, atMs, sweepId, trialId, attempt, agentId, kind, detail, by }: Event): string {
  const sweep = agentId === '' ? sweepId : null;
  const source = { sweep, trial: trialId || null, attempt: attempt || null, agent: agentId || null };
  return jsonSafe(JSON.stringify({ seq, at: isoTime(atMs), ...source, kind, detail, by: by || null }));
}

interface Selection {
  readonly sweepId: string;
  /** If undefined, the events of all trials, of the sweep itself and of the agents are selected. */
  readonly trialId: string | undefined;
}

/**
 * @param selector the id or the name of a sweep, or `last`. If undefined, the sweep of the trial is selected or,
 * without a trial, the newest sweep
 * @param name the selector of a trial; undefined if the whole sweep is selected
 */
async function select(
  connection: Connection,
  selector: string | undefined,
  name: string | undefined,
): Promise<Selection> {
  if (name === undefined)
    return { sweepId: (await getSweep(connection, selector ?? 'last')).sweep.id, trialId: undefined };
  const request = { sweep: selector ?? '', trial: name };
  const { trial } = await unary(connection, connection.client.getTrial, request);
  if (trial === undefined) throw new Error('the response of the coordinator contains no trial');
  return { sweepId: trial.sweepId, trialId: trial.id };
}

async function events(
  selector: string | undefined,
  { follow, reports, trial, kind: kinds, output, ...options }: Options,
): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweepId, trialId } = await select(connection, selector, trial);
    const isShown = ({ kind }: Event) => {
      return kinds === undefined ? kind !== REPORTED || reports === true : kinds.some((one) => one === kind);
    };
    for await (const event of eventsOf(connection, sweepId, follow ?? false)) {
      if (!isShown(event) || (trialId !== undefined && event.trialId !== trialId)) continue;
      await print(`${output === 'json' ? jsonOf(event) : textOf(event)}\n`);
    }
  });
}

function kindOption(text: string, before: readonly EventKind[] = []): readonly EventKind[] {
  const kind = EVENT_KINDS.find((one) => one === text);
  if (kind !== undefined) return [...before, kind];
  throw new InvalidArgumentError(`Expected one of: ${EVENT_KINDS.join(', ')}${didYouMean(text, EVENT_KINDS)}`);
}

export function registerEvents(program: Command): void {
  const command = program
    .command('events')
    .description('print the events of a sweep, and the events of all agents until its end; oldest first')
    .argument('[sweep]', 'sweep id, name or "last" (default: the sweep of --trial, or else last)')
    .option('-f, --follow', 'follow until the sweep ends, across restarts of the coordinator')
    .option('--reports', 'include the report of each epoch')
    .option('--trial <trial>', 'only events of this trial (id, unambiguous prefix or SWEEP/ID)')
    .option(
      '--kind <kind>',
      'only events of this kind, such as failed, lost or "sweep paused"; repeatable',
      kindOption,
    );
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl events', 'events of the newest sweep, from its start until now'],
      ['trawl events 3 -f', 'follow sweep 3'],
      ['trawl events --trial 3f2a91bc --reports', 'events of one trial, with every epoch'],
      ['trawl events --kind lost --kind returned', 'only events of agents that were lost or returned'],
      ['trawl events -o json | jq -r .kind | sort | uniq -c', 'count events by kind; one JSON object per line'],
    ],
  }).action((sweep: string | undefined, options: Options) => events(sweep, options));
}
