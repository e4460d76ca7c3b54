/** Tests the session of an agent with a gRPC server that ends streams in each way that a coordinator can. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  AttemptServiceService,
  type Claim,
  type ClaimRequest,
  type Record as RecordMessage,
  type ReportRequest,
  type ReportResponse,
  Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { coordinatorClient } from './coordinator-client.ts';
import { CoordinatorSession, type SessionEvents } from './coordinator-session.ts';
import { openSpool, type Spool } from './spool.ts';

const WAIT = { timeout: 20_000 };

type Call = ServerDuplexStream<ReportRequest, ReportResponse>;

const key = { sweepId: '1', trialId: 't', attempt: 1 };
const CLAIM: Claim = { key, slot: 0, pack: 0 };

let server: Server;
let port: number;
let calls: Call[];
let requests: ClaimRequest[];
let records: RecordMessage[];
/** Whether the server accepts the outcome RETURNED. Coordinators of older releases do not accept it. */
let acceptsReturns: boolean;
/**
 * The number of calls of the unary method Open. The server rejects them, because claims must be sent on the Report
 * stream.
 */
let unaryClaims: number;
let dir: string;
let spool: Spool;
let session: CoordinatorSession;

async function listen(at: number): Promise<void> {
  server = new Server();
  server.addService(AttemptServiceService, {
    open: (_: unknown, callback: (error: object) => void) => {
      unaryClaims += 1;
      callback({ code: status.UNAVAILABLE });
    },
    report: (call: Call) => {
      calls.push(call);
      call.on('error', () => {});
      call.on('data', ({ message }: ReportRequest) => {
        if (message?.$case === 'batch') {
          requests.push(...message.batch.claimRequests);
          records.push(...message.batch.records);
        }
        if (message?.$case === 'record') records.push(message.record);
        if (message?.$case !== 'hello') return;
        const accepts = { acceptsBatches: true, acceptsReturns };
        const welcome = Welcome.fromPartial({ cluster: 'c', heartbeatMs: 1_000, pools: ['p'], ...accepts });
        call.write({ message: { $case: 'welcome', welcome } });
      });
    },
  });
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${at}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
}

beforeEach(async () => {
  [calls, requests, records, unaryClaims, acceptsReturns] = [[], [], [], 0, true];
  await listen(0);
  dir = mkdtempSync(join(tmpdir(), 'trawl-agent-'));
  spool = openSpool(dir).spool;
  const hello = {
    agentId: 'a',
    incarnation: 'a1',
    instance: 'folder',
    location: 'here',
    protocol: 3,
    version: '0',
    host: 'host',
    backend: 'wasm',
    pack: 1,
    slots: 1,
    gpus: [],
    metrics: '',
    labels: {},
    slotFacts: [],
    trainers: [],
  };
  const events: SessionEvents = {
    onWelcome: () => {},
    onDismissed: () => {},
    onStopped: () => {},
    onSpoolShrunk: () => {},
    onDrain: () => {},
    onPools: () => {},
    onReturnOrder: () => {},
    onRejected: () => {},
  };
  const client = coordinatorClient([`127.0.0.1:${port}`], () => undefined);
  session = new CoordinatorSession(client, dir, hello, spool, events, pino({ level: 'silent' }));
  await vi.waitFor(() => expect(session.isWelcome).toBe(true), { timeout: 10_000 });
});
afterEach(() => {
  session.close();
  server.forceShutdown();
  spool.close();
  rmSync(dir, { recursive: true });
});

/** Returns the error of a claim, and the time until the claim failed. The time limit of a claim is 10 s. */
async function failure(claim: Promise<unknown>): Promise<{ message: string; ms: number }> {
  const begin = performance.now();
  const message = await claim.then(
    () => 'no error',
    (error: Error) => error.message,
  );
  return { message, ms: performance.now() - begin };
}

test.each([
  ['the coordinator stops', () => server.forceShutdown()],
  ['the coordinator ends the stream without an error', () => calls[0]?.end()],
  ['the coordinator ends the stream with an error', () => calls[0]?.emit('error', { code: status.INTERNAL })],
  ['the agent renews its certificate', () => session.renew()],
])(
  'when %s, claims that are still waiting for an answer fail immediately, and so do later claims',
  async (_, loseStream) => {
    const first = failure(session.open([CLAIM]));
    await vi.waitFor(() => expect(requests).toHaveLength(1), WAIT);
    loseStream();
    const { message, ms } = await first;
    expect(message).toBe('the stream to the coordinator ended');
    expect(ms).toBeLessThan(5_000);
    expect(session.isWelcome).toBe(false);
    const later = await failure(session.open([CLAIM]));
    expect(later.message).not.toMatch(/no error|did not answer/);
    expect(later.ms).toBeLessThan(5_000);
  },
);

test('after a restart of the coordinator, claims and records are sent on the next stream', async () => {
  // The server reads none of these records. The stream is therefore full, and the session is waiting for room when the
  // stream is lost.
  calls[0]?.pause();
  const text = 'x'.repeat(100_000);
  const body = { $case: 'log', log: { text } } as const;
  spool.add(Array.from({ length: 60 }, (_, at) => ({ key, seq: at + 1, atMs: 1, body })));
  session.wake();
  await new Promise((resolve) => setTimeout(resolve, 100));
  server.forceShutdown();
  await vi.waitFor(() => expect(session.isWelcome).toBe(false), { timeout: 5_000 });
  records = [];
  await listen(port);
  await vi.waitFor(() => expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, at) => at + 1)), {
    timeout: 15_000,
  });
  const claim = session.open([CLAIM]);
  await vi.waitFor(() => expect(requests).toHaveLength(1), WAIT);
  const decision = { key, answer: undefined, mates: [] };
  const claimAnswers = [{ id: requests[0]?.id ?? 0, decisions: [decision] }];
  calls.at(-1)?.write({ message: { $case: 'batch', batch: { acks: [], claimAnswers, gatherMs: 0 } } });
  expect(await claim).toHaveLength(1);
  expect(unaryClaims).toBe(0);
}, 30_000);

test('reports wait for each other for as long as the coordinator requests, and the end of an attempt is sent with them', async () => {
  const add = (seq: number, body: RecordMessage['body']) => {
    spool.add([{ key, seq, atMs: 1, body }]);
    session.wake();
  };
  const report = (seq: number) => add(seq, { $case: 'epoch', epoch: { epoch: seq, metrics: {} } });
  const received = (count: number) => vi.waitFor(() => expect(records).toHaveLength(count), WAIT);
  const claim = session.open([CLAIM]);
  await vi.waitFor(() => expect(requests).toHaveLength(1), WAIT);
  const claimAnswers = [{ id: requests[0]?.id ?? 0, decisions: [] }];
  calls[0]?.write({ message: { $case: 'batch', batch: { acks: [], claimAnswers, gatherMs: 600_000 } } });
  await claim;
  report(1);
  await received(1);
  report(2);
  add(3, { $case: 'log', log: { text: 'text' } });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(records).toHaveLength(1);
  add(4, { $case: 'ended', ended: { outcome: 'ATTEMPT_OUTCOME_SUCCEEDED', failure: undefined } });
  await received(4);
  report(5);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(records).toHaveLength(4);
  session.flush();
  await received(5);
  expect(records.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);

  // A coordinator of an older version takes over. It requests no time, and none of these records is acknowledged.
  records = [];
  calls.at(-1)?.end();
  await received(5);
  for (const seq of [6, 7, 8]) {
    report(seq);
    await received(seq);
  }
}, 60_000);

test('to a coordinator that does not accept RETURNED, a returned attempt is reported as drained, also if this coordinator takes over', async () => {
  const ended = { outcome: 'ATTEMPT_OUTCOME_RETURNED', failure: undefined } as const;
  spool.add([{ key, seq: 1, atMs: 1, body: { $case: 'ended', ended } }]);
  session.wake();
  const sentAs = async (expected: object) => {
    await vi.waitFor(() => expect(records).toHaveLength(1), { timeout: 10_000 });
    expect(records).toMatchObject([{ key, seq: 1, atMs: 1, body: { $case: 'ended', ended: expected } }]);
  };
  const takeOver = (accepts: boolean) => {
    [records, acceptsReturns] = [[], accepts];
    calls.at(-1)?.end();
  };
  await sentAs(ended);
  takeOver(false);
  await sentAs({ outcome: 'ATTEMPT_OUTCOME_FAILED', failure: { class: 'FAILURE_CLASS_DRAINED' } });
  takeOver(true);
  await sentAs(ended);
}, 30_000);
