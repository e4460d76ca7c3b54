import { setTimeout as sleep } from 'node:timers/promises';
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { UnreachableError } from '../../proto/errors.ts';
import type { SweepServiceServer } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { Config, type Report } from '../../proto/gen/trawl/v1/types.ts';
import { serveCanned } from '../../test/support/cli/canned-service.ts';
import { trialAt } from '../../test/support/dashboard/sample.ts';
import { type Connection, connect } from './connect.ts';
import { LogPosition, listConfigs, listTrials, streamCurves, streamLog, streamReports } from './sweeps.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

const reports = (attempt: number, ...epochs: number[]): Report[] =>
  epochs.map((epoch) => ({ attempt, epoch, atMs: 1, metrics: { loss: epoch } }));

/**
 * A method that streams messages, and a function that reads the stream. The connection breaks after `breaksAfter`
 * messages.
 */
interface Case {
  readonly method: keyof SweepServiceServer;
  readonly messages: readonly object[];
  readonly breaksAfter: number;
  readonly read: (connection: Connection) => Promise<unknown>;
}

const LOG_REQUEST = { sweep: '7', trial: 'a', attempt: 1, follow: false };

const cases: Record<string, Case> = {
  'the trials of a sweep': {
    method: 'listTrials',
    messages: [{ trials: [trialAt(0), trialAt(1)] }, { trials: [trialAt(2)] }],
    breaksAfter: 1,
    read: async (connection) => (await listTrials(connection, { sweep: '7' })).map(({ id }) => id),
  },
  'the configs of a sweep': {
    method: 'listConfigs',
    messages: [{ configs: [Config.fromPartial({ id: 'a' })] }, { configs: [Config.fromPartial({ id: 'b' })] }],
    breaksAfter: 1,
    read: async (connection) => (await listConfigs(connection, { sweep: '7' })).map(({ id }) => id),
  },
  'the reports of a trial': {
    method: 'listReports',
    messages: [
      { reports: reports(1, 0, 1) },
      { reports: [...reports(1, 2), ...reports(2, 0)] },
      { reports: reports(2, 1) },
    ],
    breaksAfter: 2,
    read: (connection) => collect(streamReports(connection, '7', 'a')),
  },
  'the curves of a sweep, in the middle of a curve': {
    method: 'listCurves',
    messages: [
      { curves: [{ trialId: 'a', reports: reports(1, 0, 1) }] },
      { curves: [{ trialId: 'b', reports: reports(1, 0, 1) }] },
      { curves: [{ trialId: 'b', reports: reports(1, 2, 3) }] },
      { curves: [{ trialId: 'c', reports: reports(1, 0) }] },
    ],
    breaksAfter: 2,
    read: (connection) => collect(streamCurves(connection, '7')),
  },
  'a log, in the middle of a line': {
    method: 'readLog',
    messages: [{ text: 'epoch 1\nepo' }, { text: 'ch 2\n' }, { text: 'epoch 3\n' }],
    breaksAfter: 1,
    read: async (connection) => (await collect(streamLog(connection, LOG_REQUEST))).join(''),
  },
};

/**
 * Serves the messages of a case. The streams of the first `breaks` calls break. Returns the address of the server, and a
 * function that returns the number of calls.
 */
async function serveBroken({ method, messages, breaksAfter }: Case, breaks = 1) {
  let calls = 0;
  const answer = async (call: ServerWritableStream<unknown, object>) => {
    calls += 1;
    const isBroken = calls <= breaks;
    for (const message of isBroken ? messages.slice(0, breaksAfter) : messages) call.write(message);
    if (!isBroken) return call.end();
    // Gives the client time to receive the messages before the connection breaks.
    await sleep(50);
    call.emit('error', { code: status.UNAVAILABLE, details: 'Connection dropped' });
  };
  const { address, stop } = await serveCanned({ [method]: answer });
  stops.push(stop);
  return { address, calls: () => calls };
}

async function reading(server: string): Promise<Connection> {
  const connection = await connect({ server, identity: false });
  stops.push(() => void connection.close());
  return connection;
}

test.each(Object.entries(cases))(
  '%s: if the stream breaks, each message is still read exactly once',
  async (_name, each) => {
    const whole = await serveBroken(each, 0);
    const expected = await each.read(await reading(whole.address));
    const broken = await serveBroken(each);
    // Two names of the same server, so that the client assumes that there are several coordinators.
    const both = `${broken.address},${broken.address.replace('127.0.0.1', 'localhost')}`;
    expect(await each.read(await reading(both))).toEqual(expected);
    expect(broken.calls()).toBe(2);
  },
);

test('with one coordinator, a stream that breaks is an error', async () => {
  const [each] = Object.values(cases);
  if (each === undefined) throw new Error('there is no case');
  const broken = await serveBroken(each);
  await expect(each.read(await reading(broken.address))).rejects.toThrow(UnreachableError);
  expect(broken.calls()).toBe(1);
});

test('the fifth restart of a stream is the last, and the next break is an error', async () => {
  const [each] = Object.values(cases);
  if (each === undefined) throw new Error('there is no case');
  const broken = await serveBroken(each, Number.POSITIVE_INFINITY);
  const both = `${broken.address},${broken.address.replace('127.0.0.1', 'localhost')}`;
  await expect(each.read(await reading(both))).rejects.toThrow(UnreachableError);
  expect(broken.calls()).toBe(6);
});

test('a broken stream of curves cannot resume if the trial at which it broke has been removed', async () => {
  const curve = (trialId: string) => ({ curves: [{ trialId, reports: reports(1, 0) }] });
  let calls = 0;
  const { address, stop } = await serveCanned({
    async listCurves(call) {
      calls += 1;
      call.write(curve(calls === 1 ? 'a' : 'b'));
      if (calls > 1) return call.end();
      await sleep(50);
      call.emit('error', { code: status.UNAVAILABLE, details: 'Connection dropped' });
    },
  });
  stops.push(stop);
  const connection = await reading(`${address},${address.replace('127.0.0.1', 'localhost')}`);
  await expect(collect(streamCurves(connection, '7'))).rejects.toThrow('no longer has trial a');
});

test('after a restart, the reader of a log skips the text that was read before, even if the chunks differ', () => {
  const position = new LogPosition();
  expect(['ab', 'cd'].map((chunk) => position.take(chunk))).toEqual(['ab', 'cd']);
  position.restart();
  expect(['a', 'bc', 'def', 'g'].map((chunk) => position.take(chunk))).toEqual(['', '', 'ef', 'g']);
});
