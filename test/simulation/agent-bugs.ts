/** Bugs of an agent. */
import type { CoordinatorClient, ReportStream } from '../../agent/supervisor/coordinator-client.ts';
import type { Spool } from '../../agent/supervisor/spool.ts';
import type { ReportResponse } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Bug } from './bug.ts';

/** Records are deleted when they have been read to be sent. */
function emptiedWhenSent(spool: Spool): Spool {
  const after = spool.after.bind(spool);
  spool.after = (id, limit) => {
    const batch = after(id, limit);
    spool.acknowledge(batch.flatMap(({ record: { key, seq } }) => (key === undefined ? [] : { key, seq })));
    return batch;
  };
  return spool;
}

/** @returns the stream, on which answers that `drops` are not heard */
function deafTo(stream: ReportStream, drops: (answer: ReportResponse['message']) => boolean): ReportStream {
  const emit = stream.emit.bind(stream) as (event: string, ...args: unknown[]) => boolean;
  stream.emit = (event: string, ...args: unknown[]) =>
    event === 'data' && drops((args[0] as ReportResponse).message) ? false : emit(event, ...args);
  return stream;
}

const changed = (change: (link: CoordinatorClient) => Partial<CoordinatorClient>): Bug['link'] => {
  return (link) => ({ ...link, ...change(link) });
};

export const AGENT_BUGS: Readonly<Record<string, Bug>> = {
  'spool-dropped-on-restart': {
    about: 'an agent forgets at its start what it has not brought to the coordinator',
    losesSpool: true,
  },
  'untold-not-held': {
    about: 'heartbeats do not name the attempts that are over and have not been told of',
    spool: (spool) => Object.assign(spool, { attempts: () => [] }),
  },
  'spool-emptied-when-sent': {
    about: 'records are deleted when they are sent, not when they are acknowledged',
    spool: emptiedWhenSent,
  },
  'dismissals-ignored': {
    about: 'an agent goes on with attempts that are not its own any more',
    link: changed((link) => ({ report: () => deafTo(link.report(), (answer) => answer?.$case === 'refused') })),
  },
  'claims-not-repeated': {
    about: 'a claim that is not answered is not made again',
    link: changed((link) => ({
      open: (request, withinMs, answered) =>
        link.open(request, withinMs, (error, response) => error === null && answered(error, response)),
    })),
  },
  'record-before-file': {
    about: "an artifact's record leaves before its file is with the coordinator",
    link: changed(() => ({ upload: async () => 'stored' })),
  },
  'checkpoint-not-fetched': {
    about: 'an attempt goes on from a checkpoint that has not been fetched',
    link: changed(() => ({ download: async () => true })),
  },
};
