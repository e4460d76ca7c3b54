/** Tests how the parts of an agent work together, with a simulated coordinator, queue and worker. */
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from 'nats';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  type AttemptKey,
  type Claim,
  Grant,
  Offer,
  type OpenResponse,
  type Record as RecordMessage,
  type ReportRequest,
  type ReportResponse,
  Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Assignment, FromWorker } from '../worker/ipc.ts';
import { AgentRuntime } from './agent.ts';
import type { CoordinatorClient } from './coordinator-client.ts';
import { openSpool } from './spool.ts';
import type { ReportStream } from './stream-messages.ts';
import type { WorkerEvents } from './worker-process.ts';

const WAIT = { timeout: 20_000 };

const NO_ANSWER: OpenResponse = { decisions: [], leaderEpoch: 0 };
const key = (trialId: string): AttemptKey => ({ sweepId: '1', trialId, attempt: 1 });

function natsWith(offered: readonly AttemptKey[]): NatsConnection {
  const messages = offered.map((key) => {
    const data = Offer.encode(Offer.fromPartial({ key })).finish();
    return { data, subject: 'offer', ack: () => true, nak: () => {}, working: () => {} };
  });
  const fetch = async () => {
    const pulled = messages.splice(0, 1);
    return {
      close: async () => {},
      status: async () => [],
      async *[Symbol.asyncIterator]() {
        yield* pulled;
        await new Promise((resolve) => setTimeout(resolve, 100));
      },
    };
  };
  const jetstream = () => ({ consumers: { getPullConsumerFor: () => ({ fetch }) } });
  return { publish: () => {}, jetstream } as unknown as NatsConnection;
}

function startAgent(open: CoordinatorClient['open'], ...offered: AttemptKey[]) {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-agent-'));
  const { spool } = openSpool(dir);
  const records: RecordMessage[] = [];
  const receive = (message: ReportResponse['message']) => stream.emit('data', { message });
  const stream = Object.assign(new EventEmitter(), {
    write: ({ message }: ReportRequest) => {
      if (message?.$case !== 'record') return true;
      records.push(message.record);
      const { key, seq } = message.record;
      setImmediate(() => receive({ $case: 'ack', ack: { key, seq } }));
      return true;
    },
    cancel: vi.fn(),
  });
  const leave = vi.fn();
  const begun: (readonly Assignment[])[] = [];
  let worker: WorkerEvents | undefined;
  const agent = new AgentRuntime({
    dir,
    server: 'coordinator',
    connect: () => ({
      leave,
      renew: () => {},
      report: () => stream as unknown as ReportStream,
      open,
      upload: async () => 'stored',
      download: async () => false,
      downloadCode: async () => {},
      close: () => {},
    }),
    hello: {
      agentId: 'a',
      incarnation: 'a1',
      instance: 'folder',
      location: 'here',
      protocol: 2,
      version: '0',
      host: 'host',
      slots: 1,
      gpus: [],
      metrics: '',
      labels: {},
      slotFacts: [{ gpus: 0, vramBytes: 0 }],
      trainers: ['noop'],
    },
    gpuFigures: () => [],
    startWorker: (_slot, events: WorkerEvents) => {
      worker = events;
      setImmediate(() => events.onMessage({ kind: 'ready', backend: 'wasm', pack: 2 }));
      return { pid: 1, run: (assignments) => begun.push(assignments), stop: () => {}, kill: () => {} };
    },
    spool,
    nats: natsWith(offered),
    log: pino({ level: 'silent' }),
    onUnreadableOffer: () => {},
    onDatasetUse: () => {},
  });
  onTestFinished(async () => {
    await agent.stop();
    spool.close();
    rmSync(dir, { recursive: true });
  });
  const sendFromWorker = (message: FromWorker) => worker?.onMessage(message);
  return { agent, receive, records, begun, sendFromWorker, stream, leave };
}

test('if the agent cannot read the grant of an attempt, the attempt fails in preflight, and the rest of its pack runs', async () => {
  const readable = Grant.fromPartial({ trainer: 'noop' });
  const unreadable = Grant.fromPartial({ trainer: 'noop', parameters: { lr: {} } });
  const decisions: OpenResponse['decisions'] = [
    { key: key('t'), answer: { $case: 'grant', grant: unreadable }, mates: [{ key: key('u'), grant: readable }] },
  ];
  const { agent, receive, records, begun } = startAgent(
    (_, __, onAnswer) => onAnswer(null, { decisions, leaderEpoch: 0 }),
    key('t'),
  );
  await agent.up();
  receive({ $case: 'welcome', welcome: Welcome.fromPartial({ cluster: 'c', heartbeatMs: 1_000, pools: ['p'] }) });
  await vi.waitFor(() => expect(begun).toHaveLength(1), WAIT);
  expect(begun).toMatchObject([[{ key: key('u') }]]);
  await vi.waitFor(() => expect(records).toHaveLength(1), WAIT);
  expect(records[0]).toMatchObject({
    key: key('t'),
    seq: 1,
    body: {
      ended: {
        outcome: 'ATTEMPT_OUTCOME_FAILED',
        failure: {
          class: 'FAILURE_CLASS_PREFLIGHT',
          message: 'the agent could not read the grant: parameter lr has no value on the wire',
        },
      },
    },
  });
});

test('an agent ignores a coordinator with an older leader epoch, and calls another coordinator', async () => {
  const { agent, receive, stream, leave } = startAgent(
    (_, __, onAnswer) => onAnswer(new Error('unused'), NO_ANSWER),
    key('t'),
  );
  await agent.up();
  const welcome = (more: Partial<Welcome>) =>
    receive({
      $case: 'welcome',
      welcome: Welcome.fromPartial({ cluster: 'c', heartbeatMs: 1_000, pools: ['p'], ...more }),
    });
  const drain = () => receive({ $case: 'command', command: { kind: { $case: 'drain', drain: { graceMs: 60_000 } } } });
  welcome({ leaderEpoch: 3 });
  expect(agent.unreadyReason()).toBeUndefined();
  stream.emit('end');
  await vi.waitFor(() => expect(stream.listenerCount('data')).toBe(2), WAIT);
  welcome({ leaderEpoch: 2 });
  expect(stream.cancel).toHaveBeenCalled();
  expect(leave).toHaveBeenCalled();
  drain();
  expect(agent.unreadyReason()).toMatch(/coordinator/);
  stream.emit('end');
  await vi.waitFor(() => expect(stream.listenerCount('data')).toBe(3), WAIT);
  leave.mockClear();
  welcome({ leaderEpoch: 3 });
  expect(agent.unreadyReason()).toBeUndefined();
  expect(leave).not.toHaveBeenCalled();
  // Each cluster counts its leader epochs separately, so epoch 1 of another cluster is not older.
  welcome({ cluster: 'd', leaderEpoch: 1 });
  expect(leave).not.toHaveBeenCalled();
});

test.each<[string, (agent: ReturnType<typeof startAgent>) => void]>([
  ['stops', ({ agent }) => void agent.stop()],
  ['leaves', ({ agent }) => void agent.leave(60_000)],
  [
    'is drained',
    ({ receive }) => receive({ $case: 'command', command: { kind: { $case: 'drain', drain: { graceMs: 60_000 } } } }),
  ],
])(
  'if an attempt is granted after the agent %s, the agent returns the attempt and does not start it',
  async (_, act) => {
    const grant = Grant.fromPartial({ trainer: 'noop' });
    let answer = () => {};
    const started = startAgent(({ claims }, _, onAnswer) => {
      const decisions = claims.map(({ key }) => ({ key, answer: { $case: 'grant', grant } as const, mates: [] }));
      answer = () => onAnswer(null, { decisions, leaderEpoch: 0 });
    }, key('t'));
    const { agent, receive, records, begun } = started;
    await agent.up();
    receive({
      $case: 'welcome',
      welcome: Welcome.fromPartial({ cluster: 'c', heartbeatMs: 1_000, pools: ['p'], acceptsReturns: true }),
    });
    const unclaimed = answer;
    await vi.waitFor(() => expect(answer).not.toBe(unclaimed), WAIT);
    act(started);
    answer();
    await vi.waitFor(() => expect(records).toHaveLength(1), WAIT);
    expect(records).toMatchObject([
      { key: key('t'), seq: 1, body: { ended: { outcome: 'ATTEMPT_OUTCOME_RETURNED' } } },
    ]);
    await agent.stop();
    expect(records).toHaveLength(1);
    expect(begun).toEqual([]);
  },
);

test('when an agent stops, it immediately returns its queued attempts, so that none of them starts when a running attempt ends', async () => {
  const grant = Grant.fromPartial({ trainer: 'noop', prefetch: 1 });
  const granted: Claim[] = [];
  const { agent, receive, records, begun, sendFromWorker } = startAgent(
    ({ claims }, _, onAnswer) => {
      const decisions = claims.map((claim) => ({
        key: claim.key,
        answer: { $case: 'grant', grant } as const,
        mates: [],
      }));
      granted.push(...claims);
      onAnswer(null, { decisions, leaderEpoch: 0 });
    },
    key('t'),
    key('u'),
  );
  await agent.up();
  receive({
    $case: 'welcome',
    welcome: Welcome.fromPartial({ cluster: 'c', heartbeatMs: 1_000, pools: ['p'], acceptsReturns: true }),
  });
  await vi.waitFor(() => expect(granted).toHaveLength(2), WAIT);
  sendFromWorker({ kind: 'started', keys: [key('t')] });
  const stopped = agent.stop();
  sendFromWorker({ key: key('t'), kind: 'done' });
  await stopped;
  expect(begun).toMatchObject([[{ key: key('t') }]]);
  expect(records.map(({ key, body }) => [key?.trialId, body?.$case === 'ended' && body.ended.outcome])).toEqual([
    ['u', 'ATTEMPT_OUTCOME_RETURNED'],
    ['t', 'ATTEMPT_OUTCOME_SUCCEEDED'],
  ]);
});
