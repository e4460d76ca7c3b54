import { ErrorCode, Events, type NatsConnection, type Status } from 'nats';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { DENIED_FOR_MS, NatsState } from './nats-state.ts';

/** Returns the messages that are logged, and the events that occur, when nats.js reports these statuses. */
async function follow(statuses: readonly Partial<Status>[]) {
  const lines: string[] = [];
  const events: (string | undefined)[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line).msg) });
  async function* reported() {
    for (const status of statuses) yield { data: '', ...status } as Status;
  }
  const nats: Pick<NatsConnection, 'status'> = { status: () => reported() };
  const state = new NatsState(nats, log, {
    onProblem: (problem) => events.push(problem),
    onReconnect: () => events.push('reconnected'),
  });
  await new Promise((resolve) => setImmediate(resolve));
  return { lines, events, state, problem: state.problem };
}

const rejected = [{ type: Events.Error, data: ErrorCode.AuthorizationViolation }, { type: Events.Disconnect }] as const;

test('repeated rejections of a login are logged once, and `problem` states that the server rejects the login', async () => {
  const { lines, problem } = await follow([...rejected, ...rejected, ...rejected]);
  expect(lines).toEqual(['NATS does not accept the connection; retrying']);
  expect(problem).toBe('the connection to NATS is lost: the server rejects the login');
});

test('a reconnection after several failures is reported once', async () => {
  const { lines, events, problem } = await follow([
    { type: Events.Disconnect },
    ...rejected,
    { type: Events.Disconnect },
    { type: Events.Reconnect },
    { type: Events.Reconnect },
    { type: Events.Reconnect },
  ]);
  expect(lines).toEqual([
    'lost the connection to NATS; reconnecting',
    'NATS does not accept the connection; retrying',
    'reconnected to NATS',
  ]);
  expect(events).toEqual([
    'the connection to NATS is lost',
    'the connection to NATS is lost: the server rejects the login',
    undefined,
    'reconnected',
  ]);
  expect(problem).toBeUndefined();
});

test('an error that is not a rejected login does not count as a lost connection', async () => {
  const { lines, events } = await follow([{ type: Events.Error, data: ErrorCode.ProtocolError }]);
  expect({ lines, events }).toEqual({ lines: [], events: [] });
});

test('denials for subjects with the same pattern are logged once, and a denial ends if it is not repeated for some time', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const denied = (operation: string, subject: string): Partial<Status> => ({
      type: Events.Error,
      data: ErrorCode.PermissionsViolation,
      permissionContext: { operation, subject },
    });
    const { lines, state } = await follow([
      denied('publish', 'trawl.c.heartbeat.a'),
      denied('publish', 'trawl.c.heartbeat.a'),
      denied('subscription', '_INBOX.x1'),
      denied('subscription', '_INBOX.x2'),
      denied('publish', '$JS.ACK.TRAWL_OFFERS_c_p.agents.1.1.1.1.0'),
      denied('publish', '$JS.ACK.TRAWL_OFFERS_c_p.agents.1.2.2.2.0'),
      denied('publish', '$JS.API.CONSUMER.MSG.NEXT.TRAWL_OFFERS_c_p.agents'),
      denied('publish', 'trawl.c.offer.p.1.t.1'),
    ]);
    expect(lines).toEqual(Array(5).fill('the permissions on NATS deny a subject'));
    expect(state.problem).toBe(
      'the permissions on NATS deny publish to trawl.c.heartbeat.a and subscription to _INBOX.> and publish to $JS.ACK.> ' +
        'and publish to $JS.API.CONSUMER.MSG.NEXT.> and publish to trawl.c.offer.>',
    );
    vi.advanceTimersByTime(DENIED_FOR_MS);
    expect(state.problem).toBeUndefined();
    expect(lines.slice(5)).toEqual(Array(5).fill('NATS no longer denies the subject'));
  } finally {
    vi.useRealTimers();
  }
});
