import { once } from 'node:events';
import { type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type AttemptKey,
  AttemptServiceClient,
  type Hello,
  type OpenRequest,
  type OpenResponse,
  type Record as RecordMessage,
  type ReportRequest,
  type ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { MAX_CLAIMS } from '../../proto/limits.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import { collected } from '../../test/support/collected.ts';
import { databaseOf } from '../../test/support/coordinator/database-of.ts';
import { INSECURE, newFolder, noopSweep, type Served, serve } from '../../test/support/coordinator/serve.ts';
import { agentControl } from '../app/agent-control.ts';
import { sweepControl } from '../app/sweep-control.ts';
import { onHeartbeat } from '../core/agents.ts';
import { NO_STEP } from '../core/step.ts';
import { trialReports } from '../store/report-stream.ts';
import { MAX_UNREAD_ANSWERS, MAX_UNSETTLED_RECORDS } from './limits.ts';

let served: Served;
let client: AttemptServiceClient;

beforeEach(async () => {
  served = await serve(newFolder());
  client = new AttemptServiceClient(served.address, INSECURE);
});
afterEach(() => {
  client.close();
  served.stop();
});

const HELLO: Hello = {
  agentId: 'a',
  incarnation: 'a1',
  instance: 'folder',
  location: 'here',
  protocol: PROTOCOL,
  leaderEpoch: 0,
  acceptsBatches: false,
  version: '0',
  host: 'h',
  slots: 2,
  slotFacts: [0, 1].map(() => ({ gpus: 0, vramBytes: 0 })),
  labels: {},
  trainers: ['noop'],
  backend: 'wasm',
  gpus: [],
  metrics: '',
  pack: 1,
};

class Stream {
  readonly call: ClientDuplexStream<ReportRequest, ReportResponse> = client.report();
  readonly #answers = this.call[Symbol.asyncIterator]();

  hello(more: Partial<Hello> = {}): this {
    this.call.write({ message: { $case: 'hello', hello: { ...HELLO, ...more } } });
    return this;
  }

  record(key: AttemptKey | undefined, seq: number, body: RecordMessage['body']): this {
    this.call.write({ message: { $case: 'record', record: { key, seq, atMs: 5, body } } });
    return this;
  }

  async next(): Promise<ReportResponse['message']> {
    return ((await this.#answers.next()).value as ReportResponse | undefined)?.message;
  }

  /** Waits until the server closes the stream with an error, and returns this error. */
  async broken(): Promise<ServiceError> {
    this.call.resume();
    const [error] = (await once(this.call, 'error')) as [ServiceError];
    return error;
  }
}

function open(request: Partial<OpenRequest>): Promise<OpenResponse> {
  return new Promise((resolve, reject) => {
    client.open({ agentId: 'a', incarnation: 'a1', claims: [], ...request }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

const epoch = (n: number): RecordMessage['body'] => ({
  $case: 'epoch',
  epoch: { epoch: n, metrics: { test_loss: 1 / n } },
});
const SUCCEEDED: RecordMessage['body'] = {
  $case: 'ended',
  ended: { outcome: 'ATTEMPT_OUTCOME_SUCCEEDED', failure: undefined },
};

/** Submits a sweep, sends a hello, and waits until the sweep's trials are offered. */
async function offered(trials: number): Promise<{ stream: Stream; keys: AttemptKey[] }> {
  await sweepControl(served.runtime).submit({
    fileName: 's.yaml',
    text: noopSweep(trials),
    requestId: 'r',
    source: undefined,
  });
  const stream = new Stream().hello();
  expect((await stream.next())?.$case).toBe('welcome');
  await expect.poll(() => served.offers.length).toBe(trials);
  return { stream, keys: served.offers };
}

const stored = (key: AttemptKey) => served.runtime.queries.trials.get(key.sweepId, key.trialId);

describe('batches', () => {
  test('the records and claims of a batch are answered in one message, after all their changes are durable', async () => {
    const { keys, stream: first } = await offered(3);
    first.call.cancel();
    const stream = new Stream().hello({ acceptsBatches: true });
    expect((await stream.next())?.$case).toBe('welcome');
    const [key, next] = keys;
    await open({ claims: [{ key, slot: 0, pack: 0 }] });
    const records = [epoch(1), SUCCEEDED].map((body, at) => ({ key, seq: at + 1, atMs: 5, body }));
    const claimRequests = [{ id: 7, claims: [{ key: next, slot: 0, pack: 0 }] }];
    stream.call.write({ message: { $case: 'batch', batch: { records, claimRequests } } });
    const answer = await stream.next();
    expect(answer).toMatchObject({
      batch: {
        acks: [{ key, seq: 2 }],
        claimAnswers: [{ id: 7, decisions: [{ key: next, answer: { $case: 'grant' } }] }],
      },
    });
    expect((await stored(key as AttemptKey)).state).toBe('TRIAL_STATE_SUCCEEDED');
    expect((await stored(next as AttemptKey)).state).toBe('TRIAL_STATE_RUNNING');
    stream.call.end();
  });

  test('after a gap in a batch, neither later records nor the claims of the batch are handled', async () => {
    const { keys, stream: first } = await offered(3);
    first.call.cancel();
    const stream = new Stream().hello({ acceptsBatches: true });
    expect((await stream.next())?.$case).toBe('welcome');
    const [key, other, next] = keys;
    const claims = [key, other].map((one, slot) => ({ key: one, slot, pack: 0 }));
    await open({ claims });
    const record = (of: AttemptKey | undefined, seq: number) => ({ key: of, seq, atMs: 5, body: epoch(seq) });
    const records = [record(key, 1), record(key, 3), record(other, 1)];
    const claimRequests = [{ id: 7, claims: [{ key: next, slot: 0, pack: 0 }] }];
    stream.call.write({ message: { $case: 'batch', batch: { records, claimRequests } } });
    expect(await stream.broken()).toMatchObject({ details: expect.stringContaining('expected 2, got 3') });
    // The records before the gap may not be stored yet. `settle` returns after all changes are stored.
    await served.runtime.settle(NO_STEP);
    expect((await stored(key as AttemptKey)).epoch).toBe(1);
    expect((await stored(other as AttemptKey)).epoch).toBe(0);
    expect((await stored(next as AttemptKey)).state).toBe('TRIAL_STATE_OFFERED');
  });

  test('a batch with too many claims ends the stream', async () => {
    const stream = new Stream().hello({ acceptsBatches: true });
    const claims = Array.from({ length: MAX_CLAIMS / 2 + 1 }, () => ({ key: undefined, slot: 0, pack: 0 }));
    const claimRequests = [1, 2].map((id) => ({ id, claims }));
    stream.call.write({ message: { $case: 'batch', batch: { records: [], claimRequests } } });
    const details = `too many claims: ${MAX_CLAIMS + 2} (max ${MAX_CLAIMS})`;
    expect(await stream.broken()).toMatchObject({ code: status.INVALID_ARGUMENT, details });
  });

  test.each([
    ['records', Array(MAX_UNSETTLED_RECORDS + 1).fill({ key: undefined, seq: 0, atMs: 0, body: undefined }), []],
    ['claim requests without claims', [], Array(MAX_UNSETTLED_RECORDS + 1).fill({ id: 1, claims: [] })],
  ])('a batch with too many %s ends the stream', async (_, records, claimRequests) => {
    const stream = new Stream().hello({ acceptsBatches: true });
    stream.call.write({ message: { $case: 'batch', batch: { records, claimRequests } } });
    const details = `too many records and claim requests: ${MAX_UNSETTLED_RECORDS + 1} (max ${MAX_UNSETTLED_RECORDS})`;
    expect(await stream.broken()).toMatchObject({ code: status.INVALID_ARGUMENT, details });
  });

  test('a batch with as many records as allowed is answered', async () => {
    const stream = new Stream().hello({ acceptsBatches: true });
    expect((await stream.next())?.$case).toBe('welcome');
    const key = { sweepId: '1', trialId: 'none', attempt: 1 };
    const records = Array.from({ length: MAX_UNSETTLED_RECORDS }, (_, at) => ({
      key,
      seq: at + 1,
      atMs: 5,
      body: epoch(1),
    }));
    stream.call.write({ message: { $case: 'batch', batch: { records, claimRequests: [] } } });
    expect(await stream.next()).toMatchObject({ $case: 'refused', refused: { key } });
    stream.call.end();
  });
});

describe('streams', () => {
  test('a stream begins with a hello, which is answered with a welcome', async () => {
    const pool = expect.stringMatching(/^[0-9a-f]{16}$/);
    expect(await new Stream().hello().next()).toEqual({
      $case: 'welcome',
      welcome: {
        cluster: served.cluster,
        heartbeatMs: 1_000,
        leaseDurationMs: served.runtime.core.leaseMs,
        acceptsBatches: true,
        acceptsReturns: true,
        gatherMs: 0,
        drain: undefined,
        pools: [pool, pool],
        leaderEpoch: 0,
      },
    });
    expect(served.runtime.core.agents.get('a')).toMatchObject({ state: 'connected', slots: 2, incarnation: 'a1' });
  });

  test('a leader sends its leader epoch to agents, and rejects an agent that knows a newer leader', async () => {
    const onNewerLeader = vi.fn();
    const leader = await serve(newFolder(), { leaderEpoch: 5, onNewerLeader });
    const before = client;
    client = new AttemptServiceClient(leader.address, INSECURE);
    onTestFinished(() => {
      client.close();
      client = before;
      leader.stop();
    });
    for (const known of [0, 4, 5]) {
      const welcome = await new Stream().hello({ leaderEpoch: known }).next();
      expect(welcome).toMatchObject({ welcome: { leaderEpoch: 5 } });
    }
    expect((await open({})).leaderEpoch).toBe(5);
    expect(onNewerLeader).not.toHaveBeenCalled();
    const error = await new Stream().hello({ leaderEpoch: 6 }).broken();
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'another coordinator leads' });
    expect(onNewerLeader).toHaveBeenCalledOnce();
  });

  test('a coordinator without standbys accepts an agent with any leader epoch', async () => {
    expect(await new Stream().hello({ leaderEpoch: 6 }).next()).toMatchObject({ welcome: { leaderEpoch: 0 } });
  });

  test('a drain is sent immediately, and is repeated in every welcome until the drain ends', async () => {
    const control = agentControl(served.runtime);
    const stream = new Stream().hello();
    await stream.next();
    expect(await control.drain('a', { graceMs: 90_000, reason: 'new driver' })).toMatchObject({
      drainReason: 'new driver',
    });
    const drain = { graceMs: expect.closeTo(90_000, -4) };
    expect(await stream.next()).toMatchObject({ command: { kind: { $case: 'drain', drain } } });
    expect(await new Stream().hello({ incarnation: 'a2' }).next()).toMatchObject({ welcome: { drain } });
    const again = new Stream().hello({ incarnation: 'a3' });
    await again.next();
    await control.undrain('a', '');
    expect(await again.next()).toMatchObject({ command: { kind: { $case: 'undrain' } } });
    expect(await new Stream().hello().next()).toMatchObject({ welcome: { drain: undefined } });
  });

  test('a drain of an unknown agent is rejected with a list of the known agents', async () => {
    await new Stream().hello().next();
    await new Stream().hello({ agentId: 'ab', incarnation: 'ab1' }).next();
    const control = agentControl(served.runtime);
    await expect(control.drain('b', { graceMs: 0, reason: '' })).rejects.toThrow(/no agent "b"; known agents: a, ab/);
    await expect(control.drain('', { graceMs: 0, reason: '' })).rejects.toThrow(/no agent ""/);
    expect(await control.drain('a', { graceMs: 0, reason: '' })).toMatchObject({ id: 'a' });
  });

  test('the stream of a new process replaces the stream of a dead process, even if the hello of the dead process arrives later', async () => {
    await new Stream().hello({ incarnation: 'a2' }).next();
    const dead = new Stream().hello({ incarnation: 'a1' });
    await dead.next();
    const { agents } = served.runtime.core;
    expect(agents.get('a')?.incarnation).toBe('a1');
    dead.call.on('error', () => {});
    dead.call.cancel();
    await expect.poll(() => agents.get('a')?.incarnation).toBe('a2');
  });

  const other = { incarnation: 'b1', instance: 'other folder', location: 'there', host: 'h2' };

  test('a second agent with the id of a connected agent is rejected permanently, and the first agent continues', async () => {
    const first = new Stream().hello();
    await first.next();
    const error = await new Stream().hello(other).broken();
    expect(error).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: expect.stringContaining('agent id a is in use by the agent on host h'),
    });
    expect(await new Stream().hello({ ...other, instance: 'folder' }).broken()).toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    expect(served.runtime.core.agents.get('a')).toMatchObject({ incarnation: 'a1', host: 'h', disconnected: false });
    await agentControl(served.runtime).drain('a', { graceMs: 0, reason: '' });
    expect(await first.next()).toMatchObject({ command: { kind: { $case: 'drain' } } });
  });

  test('an agent can take the id of an agent that was silent for one lease duration, and the stream of the silent agent ends', async () => {
    const first = new Stream().hello();
    await first.next();
    const { core } = served.runtime;
    const { agents, leaseMs } = core;
    const held = agents.get('a');
    core.listeningSince = Number.NEGATIVE_INFINITY;
    if (held === undefined) throw new Error('the agent is not registered');
    held.lastHeardAt -= leaseMs * 0.7;
    const early = await new Stream().hello(other).broken();
    expect(early).toMatchObject({ code: status.ABORTED, details: expect.stringMatching(/host h, .* free in \d/) });
    held.lastHeardAt -= leaseMs;
    const ended = first.broken();
    expect(await new Stream().hello(other).next()).toMatchObject({ $case: 'welcome' });
    expect((await ended).details).toBe('agent id a now belongs to another agent');
    expect(await new Stream().hello().broken()).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: expect.stringContaining('on host h2'),
    });
  });

  test('a stream that does not begin with a hello is closed', async () => {
    const error = await new Stream().record({ sweepId: '1', trialId: 't', attempt: 1 }, 1, epoch(1)).broken();
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('hello') });
  });

  test.each([
    ['another protocol', { protocol: PROTOCOL + 1 }, /protocol 4, but this coordinator uses 3/],
    ['an invalid id', { agentId: 'a..b' }, /invalid agent id "a\.\.b"/],
    ['no slots', { slots: 0 }, /slots/],
    ['a host name of a thousand characters', { host: 'h'.repeat(1_000) }, /hello message of agent a too large/],
    ['a GPU name of a thousand characters', { gpus: ['g'.repeat(1_000)] }, /hello message of agent a too large/],
    ['a thousand GPUs', { gpus: Array(1_000).fill('g') }, /hello message of agent a too large/],
    ['absurdly many slots', { slots: 4_000_000_000 }, /slots/],
    ['slots without a description', { slotFacts: [] }, /has 2 slots, but describes 0/],
    ['an invalid label name', { labels: { '-': 'a' } }, /"-" cannot name a label/],
    ['no incarnation', { incarnation: '' }, /incarnation/],
    ['no instance', { instance: '' }, /instance/],
  ])('a hello with %s is rejected with a reason, and the agent is not registered', async (_, more, message) => {
    const error = await new Stream().hello(more).broken();
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toMatch(message);
    expect(served.runtime.core.agents.size).toBe(0);
  });

  test.each([
    ['no attempt', undefined, epoch(1)],
    ['nothing in it', { sweepId: '1', trialId: 't', attempt: 1 }, undefined],
  ])('a stream is closed if a record on it has %s', async (_, key, body) => {
    const stream = new Stream().hello();
    await stream.next();
    expect(await stream.record(key, 1, body).broken()).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe('an Open', () => {
  test('an Open grants an offered trial, stores the grant, and returns the trainer and the parameters of the trial', async () => {
    const { keys } = await offered(1);
    const { decisions } = await open({ claims: [{ key: keys[0], slot: 1, pack: 0 }] });
    expect(decisions[0]?.answer).toMatchObject({ $case: 'grant', grant: { trainer: 'noop', seed: 0 } });
    expect(decisions[0]?.answer).toHaveProperty('grant.parameters.x.kind.number', 0);
    for (const key of keys) expect(await stored(key)).toMatchObject({ state: 'TRIAL_STATE_RUNNING', agentId: 'a' });
  });

  test('an Open answers each claim separately, in order', async () => {
    const { keys } = await offered(2);
    const stranger = { sweepId: '1', trialId: 'none', attempt: 1 };
    const { decisions } = await open({
      claims: [stranger, keys[1], keys[0]].map((key) => ({ key, slot: 0, pack: 0 })),
    });
    expect(decisions.map(({ answer }) => answer?.$case)).toEqual(['refusal', 'grant', 'grant']);
  });

  test('a claim of an agent without a session is rejected with the code NO_SESSION', async () => {
    const { keys } = await offered(1);
    const { decisions } = await open({ agentId: 'b', claims: [{ key: keys[0], slot: 0, pack: 0 }] });
    expect(decisions[0]?.answer).toMatchObject({ refusal: { code: 'REFUSAL_CODE_NO_SESSION' } });
  });

  test('an Open with too many claims is rejected as a whole', async () => {
    const { keys } = await offered(1);
    const claims = Array.from({ length: MAX_CLAIMS + 1 }, () => ({ key: keys[0], slot: 0, pack: 0 }));
    await expect(open({ claims })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(served.runtime.core.leases.size).toBe(0);
  });

  test('if any claim of an Open has no attempt key, none of its claims is granted', async () => {
    const { keys } = await offered(1);
    const claims = [keys[0], undefined].map((key) => ({ key, slot: 0, pack: 0 }));
    await expect(open({ claims })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(served.runtime.core.leases.size).toBe(0);
  });
});

describe('records', () => {
  async function granted(trials = 1) {
    const { stream, keys } = await offered(trials);
    await open({ claims: keys.map((key, slot) => ({ key, slot, pack: 0 })) });
    const [key] = keys;
    if (key === undefined) throw new Error('the test expects an offered trial');
    return { stream, key };
  }

  test('records are acknowledged in order once they are durable, and one acknowledgement can cover several records', async () => {
    const { stream, key } = await granted();
    stream
      .record(key, 1, epoch(1))
      .record(key, 2, { $case: 'log', log: { text: 'hello\n' } })
      .record(key, 3, epoch(2));
    let seq = 0;
    while (seq < 3) {
      const answer = await stream.next();
      if (answer?.$case !== 'ack') throw new Error(`not an acknowledgement: ${JSON.stringify(answer)}`);
      expect(answer.ack.seq).toBeGreaterThan(seq);
      seq = answer.ack.seq;
    }
    expect(await stored(key)).toMatchObject({ epoch: 2, metrics: { test_loss: 0.5 } });
    expect(await served.runtime.queries.attempts.log(key.sweepId, key.trialId, 1, 0)).toEqual([
      { seq: 2, text: 'hello\n' },
    ]);
  });

  test('records that are sent again after a reconnect are acknowledged again, but stored only once', async () => {
    const { stream, key } = await granted();
    await stream.record(key, 1, epoch(1)).next();
    stream.call.cancel();
    stream.call.on('error', () => {});
    const again = new Stream().hello();
    await again.next();
    expect(await again.record(key, 1, epoch(1)).next()).toMatchObject({ ack: { seq: 1 } });
    expect(await collected(trialReports(served.runtime.queries, key.sweepId, key.trialId))).toHaveLength(1);
  });

  test('a gap in the records closes the stream with an error that states the gap, and later records are not stored', async () => {
    const { stream, key } = await granted();
    stream.record(key, 1, epoch(1)).record(key, 3, epoch(3)).record(key, 2, epoch(2));
    expect(await stream.broken()).toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringMatching(/expected 2, got 3/),
    });
    await served.runtime.settle(NO_STEP);
    expect((await stored(key)).epoch).toBe(1);
  });

  test('if the first records of an attempt are missing, the attempt ends, but the stream stays open', async () => {
    const { stream, key } = await granted(2);
    const message = `records 1 to 2 of ${key.sweepId}/${key.trialId}/1 are missing: was the store restored from a backup?`;
    expect(await stream.record(key, 3, epoch(3)).next()).toEqual({
      $case: 'refused',
      refused: { key, code: 'REFUSAL_CODE_ENDED', message },
    });
    expect(await stored(key)).toMatchObject({ epoch: 0, attempts: 1 });
    expect(await stream.record(key, 4, epoch(4)).next()).toMatchObject({ $case: 'refused' });
    await expect.poll(() => served.offers).toContainEqual({ ...key, attempt: 2 });
  });

  test('records of an ended attempt are rejected and counted, but the stream stays open', async () => {
    const { stream, key } = await granted(2);
    await stream.record(key, 1, SUCCEEDED).next();
    expect((await stored(key)).state).toBe('TRIAL_STATE_SUCCEEDED');
    expect(await stream.record(key, 2, epoch(9)).next()).toMatchObject({
      $case: 'refused',
      refused: { key, code: 'REFUSAL_CODE_ENDED' },
    });
    expect((await served.metrics.supersededReports.get()).values[0]?.value).toBe(1);
    expect((await stored(key)).epoch).toBe(0);
  });

  test('when a sweep is killed, its attempts are refused immediately, with the reason of the kill', async () => {
    const { stream, key } = await granted();
    await sweepControl(served.runtime).act(
      key.sweepId,
      { action: 'SWEEP_ACTION_KILL', reason: 'wrong data', priority: 0 },
      '',
    );
    expect(await stream.next()).toMatchObject({ refused: { key, message: 'wrong data' } });
  });

  test('records of an attempt that an earlier incarnation started are accepted until a heartbeat of the next incarnation omits the attempt', async () => {
    const { key } = await granted();
    const next = new Stream().hello({ incarnation: 'a2' });
    await next.next();
    expect(await next.record(key, 1, epoch(1)).next()).toMatchObject({ ack: { seq: 1 } });
    const beat = { agentId: 'a', incarnation: 'a2', held: [], leaving: false };
    await served.runtime.settle(onHeartbeat(served.runtime.core, beat, 0));
    expect(await next.record(key, 2, SUCCEEDED).next()).toMatchObject({ $case: 'refused' });
    expect((await stored(key)).state).not.toBe('TRIAL_STATE_SUCCEEDED');
  });
});

test('the stream of an agent that never reads its answers is closed', { timeout: 60_000 }, async () => {
  const call = client.report();
  call.write({ message: { $case: 'hello', hello: HELLO } });
  await once(call, 'data');
  call.pause();
  const stranger = { sweepId: '9'.repeat(64), trialId: 'x'.repeat(64), attempt: 1 };
  const broken = once(call, 'error');
  let sent = 0;
  for (; sent < 2 * MAX_UNREAD_ANSWERS; sent++) {
    const message = { $case: 'record', record: { key: stranger, seq: 1, atMs: 5, body: epoch(1) } } as const;
    if (!call.write({ message })) await Promise.race([once(call, 'drain'), broken.catch(() => {})]);
  }
  call.resume();
  expect((await broken)[0]).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
});

test('if a write to the store fails, the call fails, and the coordinator is told to stop', async () => {
  const { keys } = await offered(1);
  databaseOf(served.runtime).exec('drop table attempts');
  await expect(open({ claims: [{ key: keys[0], slot: 0, pack: 0 }] })).rejects.toMatchObject({ code: status.INTERNAL });
  expect(served.broken).not.toHaveLength(0);
});
