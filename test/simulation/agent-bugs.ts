/** Planted bugs of an agent. */
import type { CoordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import type { Spool } from '../../agent/supervisor/spool.ts';
import type { ReportStream } from '../../agent/supervisor/stream-messages.ts';
import type {
  AttemptKey,
  OpenResponse,
  Record as RecordMessage,
  ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Bug } from './bug.ts';

function deleteWhenSent(spool: Spool): Spool {
  const after = spool.after.bind(spool);
  spool.after = (id, limit) => {
    const batch = after(id, limit);
    spool.acknowledge(batch.flatMap(({ record: { key, seq } }) => (key === undefined ? [] : { key, seq })));
    return batch;
  };
  return spool;
}

function withoutReturns(spool: Spool): Spool {
  const add = spool.add.bind(spool);
  spool.add = (records) => add(records.filter(({ body }) => !isReturn(body)));
  return spool;
}

/** Withholds the records that return attempts, and renews the leases of these attempts. */
function withheldReturns(spool: Spool): Spool {
  const withheld: AttemptKey[] = [];
  const add = spool.add.bind(spool);
  const attempts = spool.attempts.bind(spool);
  spool.add = (records) => {
    withheld.push(...records.flatMap(({ key, body }) => (key !== undefined && isReturn(body) ? key : [])));
    add(records.filter(({ body }) => !isReturn(body)));
  };
  spool.attempts = () => [...attempts(), ...withheld];
  return spool;
}

/** For each granted attempt, writes a record that returns it. */
function returnGranted(spool: Spool, { decisions }: OpenResponse): void {
  const ended = { outcome: 'ATTEMPT_OUTCOME_RETURNED', failure: undefined } as const;
  const granted = decisions.filter(({ answer }) => answer?.$case === 'grant');
  spool.add(granted.map(({ key }) => ({ key, seq: 1, atMs: 0, body: { $case: 'ended', ended } })));
}

function isReturn(body: RecordMessage['body']): boolean {
  return body?.$case === 'ended' && body.ended.outcome === 'ATTEMPT_OUTCOME_RETURNED';
}

function withoutAnswers(stream: ReportStream, drops: (answer: ReportResponse['message']) => boolean): ReportStream {
  const emit = stream.emit.bind(stream) as (event: string, ...args: unknown[]) => boolean;
  stream.emit = (event: string, ...args: unknown[]) =>
    event === 'data' && drops((args[0] as ReportResponse).message) ? false : emit(event, ...args);
  return stream;
}

const changed = (change: (client: CoordinatorClient) => Partial<CoordinatorClient>): Bug['client'] => {
  return (client) => ({ ...client, ...change(client) });
};

export const AGENT_BUGS: Readonly<Record<string, Bug>> = {
  'spool-dropped-on-restart': {
    about: 'an agent loses its unsent records on restart',
    losesSpool: true,
  },
  'ended-not-held': {
    about: 'heartbeats omit ended attempts whose results were not sent',
    spool: (spool) => Object.assign(spool, { attempts: () => [] }),
  },
  'spool-deleted-when-sent': {
    about: 'records are deleted when they are sent, not when they are acknowledged',
    spool: deleteWhenSent,
  },
  'returns-not-reported': {
    about: 'an agent discards queued attempts without a record',
    spool: withoutReturns,
  },
  'returns-held-back': {
    about: 'an agent withholds the records that return attempts, and renews the leases of these attempts',
    spool: withheldReturns,
  },
  'returned-attempts-run': {
    about: 'an agent returns its granted attempts, but starts them nevertheless',
    client: (client, spool) => ({
      ...client,
      open: (request, withinMs, answered, stream) =>
        client.open(
          request,
          withinMs,
          (error, response) => {
            answered(error, response);
            if (error === null) returnGranted(spool, response);
          },
          stream,
        ),
    }),
  },
  'rejections-ignored': {
    about: 'an agent continues attempts that it has lost',
    client: changed((client) => ({
      report: () => withoutAnswers(client.report(), (answer) => answer?.$case === 'refused'),
    })),
  },
  'claims-not-repeated': {
    about: 'an unanswered claim is not repeated',
    client: changed((client) => ({
      open: (request, withinMs, answered, stream) =>
        client.open(request, withinMs, (error, response) => error === null && answered(error, response), stream),
    })),
  },
  'record-before-file': {
    about: "an artifact's record is sent before the coordinator has its file",
    client: changed(() => ({ upload: async () => 'stored' })),
  },
  'checkpoint-not-fetched': {
    about: 'an attempt resumes from a checkpoint that was not downloaded',
    client: changed(() => ({ download: async () => true })),
  },
};
