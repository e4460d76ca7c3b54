import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { testFolder } from '../support/folder.ts';
import { TestRandom } from '../support/random.ts';
import { CALL_KINDS, TOO_LARGE, TRUNCATED } from './call-kinds.ts';
import { startFakeAgent } from './fake-agent.ts';
import { sendGarbage } from './garbage.ts';
import { dial, grpcFrame, type RawAnswer, type RawCall, rawCall } from './raw-call.ts';
import { METHODS, type WireMethod } from './schema.ts';
import { fuzzSeeds } from './seeds.ts';
import { expectRanOnce, killActiveSweeps, runSweep } from './still-works.ts';
import { changes, type StoredRows, storedRows } from './stored-rows.ts';
import { expectNoStrayFile, expectUnharmed, unreadable } from './unharmed.ts';

const CALLS = 8;
const CONNECTIONS = 40;
/** The lease is longer than the test, so that no lease of the fake agent expires. */
const LEASE = '30m';

/** The tables that a call of each method may change. The other methods change no table. */
const MAY_CHANGE: Readonly<Record<string, readonly string[]>> = {
  '/trawl.v1.SweepService/Submit': ['sweeps', 'trials', 'events', 'sources', 'warm_starts', 'warnings'],
  '/trawl.v1.SweepService/ControlSweep': ['sweeps', 'trials', 'attempts', 'events', 'warnings'],
  '/trawl.v1.SweepService/KillTrial': ['sweeps', 'trials', 'attempts', 'events', 'warnings'],
  '/trawl.v1.SweepService/ApplySweep': ['sweeps', 'sweep_versions', 'trials', 'events', 'retries', 'warnings'],
  '/trawl.v1.SweepService/RetryTrials': ['sweeps', 'trials', 'artifacts', 'retries', 'events'],
  '/trawl.v1.AttemptService/Open': ['trials', 'attempts', 'events'],
  '/trawl.v1.AttemptService/Report': [
    ...['sweeps', 'trials', 'attempts', 'reports', 'logs', 'artifacts', 'events', 'notices', 'warnings'],
    ...['programs', 'environments', 'agent_successes', 'identical_configs', 'rungs'],
  ],
  '/trawl.v1.OperationsService/DrainAgent': ['drains', 'events'],
  '/trawl.v1.OperationsService/UndrainAgent': ['drains', 'events'],
  '/trawl.v1.OperationsService/Prune': [
    ...['sweeps', 'trials', 'attempts', 'reports', 'logs', 'artifacts', 'events', 'retries', 'notices', 'warnings'],
    ...['sources', 'programs', 'environments', 'agent_successes', 'identical_configs', 'rungs', 'sweep_versions'],
    ...['warm_starts', 'suggestions'],
  ],
};

const { OK, CANCELLED, INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, PERMISSION_DENIED } = status;
const { RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, DATA_LOSS, UNIMPLEMENTED } = status;
/** The status codes that do not indicate a fault of the coordinator. */
const CODES: readonly (number | undefined)[] = [
  ...[OK, CANCELLED, INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, PERMISSION_DENIED],
  ...[RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, DATA_LOSS, UNIMPLEMENTED],
];
const SENTENCE = /\p{Letter}+ \P{Control}*\p{Letter}/u;

function isOrderly({ code, details, cancelled }: RawAnswer, { ending = 'end', mustEnd }: RawCall): boolean {
  if (cancelled) return ending !== 'end' || !mustEnd;
  return CODES.includes(code) && (code === OK || SENTENCE.test(details));
}

function describeCall({ path, pieces, headers = {} }: RawCall, answer: RawAnswer | undefined): string {
  const sent = pieces.map((piece) => Buffer.from(piece).toString('latin1').slice(0, 200));
  const code = answer?.code === undefined ? 'no status' : status[answer.code];
  return `${path} ${JSON.stringify({ sent, headers })} -> ${code} ${answer?.details.slice(0, 500)}`;
}

/** Sends all calls concurrently on one new connection. Returns the answers once all effects of the calls are stored. */
async function callAll(cluster: Cluster, calls: readonly RawCall[]): Promise<RawAnswer[]> {
  const session = dial(cluster.address);
  const answers = await Promise.all(calls.map((call) => rawCall(session, call)));
  const nothing = { path: '/trawl.v1.AttemptService/Open', pieces: [grpcFrame(new Uint8Array())], mustEnd: true };
  expect(await rawCall(session, nothing)).toMatchObject({ code: OK });
  session.destroy();
  return answers;
}

/**
 * Checks that each call gets an expected answer, and that rejected calls change nothing. Returns the store's rows after
 * the calls.
 */
async function expectOrderlyAnswers(
  cluster: Cluster,
  what: string,
  calls: readonly RawCall[],
  before: StoredRows,
): Promise<StoredRows> {
  const answers = await callAll(cluster, calls);
  const unexpected = calls.flatMap((call, at) => {
    const answer = answers[at];
    return answer !== undefined && isOrderly(answer, call) ? [] : [describeCall(call, answer)];
  });
  expect(unexpected, what).toEqual([]);
  // A call that was cancelled or whose deadline passed also counts as received, because the coordinator may have
  // received the call.
  const received = calls.filter((_, at) => {
    const answer = answers[at];
    return answer?.code === OK || answer?.code === DEADLINE_EXCEEDED || answer?.answered || answer?.cancelled;
  });
  const allowed = new Set(received.flatMap(({ path }) => MAY_CHANGE[path] ?? []));
  const after = storedRows(cluster.dir);
  const changed = Object.entries(changes(before, after)).filter(([table]) => !allowed.has(table));
  expect(changed, what).toEqual([]);
  return after;
}

function callOf({ path, clientStreams, serverStreams }: WireMethod): RawCall {
  return { path, pieces: [], mustEnd: !clientStreams && !serverStreams };
}

function batches(methods: readonly WireMethod[]): [WireMethod, string[]][] {
  const kinds = Object.keys(CALL_KINDS);
  return methods.flatMap((method): [WireMethod, string[]][] =>
    method.path in MAY_CHANGE ? kinds.map((kind) => [method, [kind]]) : [[method, kinds]],
  );
}

test('every method rejects unreadable and oversized messages with the right code, and counts them', {
  timeout: 300_000,
}, async () => {
  const cluster = await Cluster.start(testFolder(), { requireToken: false });
  const before = storedRows(cluster.dir);
  const all = (piece: Uint8Array) => METHODS.map(({ path }) => ({ path, pieces: [piece], mustEnd: true }));
  const cut = await callAll(cluster, all(TRUNCATED));
  expect(cut.map(({ code }) => code)).toEqual(METHODS.map(() => INVALID_ARGUMENT));
  expect(await unreadable(cluster.metricsUrl, 'grpc')).toBe(METHODS.length);
  const large = await callAll(cluster, all(TOO_LARGE));
  expect(large.map(({ code }) => code)).toEqual(METHODS.map(() => RESOURCE_EXHAUSTED));
  expect(await unreadable(cluster.metricsUrl, 'grpc')).toBe(2 * METHODS.length);
  expect(changes(before, storedRows(cluster.dir))).toEqual({});
  expectUnharmed(cluster, 'coordinator');
});

test('after an invalid message to any method, the error is reported, no stored data changes, and calls still work', {
  timeout: 300_000 + 60_000 * fuzzSeeds().length,
}, async () => {
  const cluster = await Cluster.start(testFolder(), { lease: LEASE, requireToken: false });
  await cluster.startAgent('worker', 2);
  const done = await runSweep(cluster, 100);
  await cluster.agent('worker').stop();
  const finished = rowsOfSweep(storedRows(cluster.dir), done);
  for (const seed of fuzzSeeds()) {
    console.log(`TRAWL_FUZZ_SEED=${seed}`);
    const random = new TestRandom(seed);
    const samples = await startFakeAgent(cluster, `fake-${seed}`);
    let rows = storedRows(cluster.dir);
    for (const [method, kinds] of random.shuffled(batches(METHODS))) {
      const calls = kinds.flatMap((kind) =>
        Array.from({ length: CALLS }, () => ({ ...callOf(method), ...CALL_KINDS[kind]?.(method, samples, random) })),
      );
      const what = `TRAWL_FUZZ_SEED=${seed}: ${method.path}, ${kinds.join(', ')}`;
      rows = await expectOrderlyAnswers(cluster, what, calls, rows);
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, () => sendGarbage(cluster.address, random)));
    rows = await expectOrderlyAnswers(cluster, `TRAWL_FUZZ_SEED=${seed}: garbage`, [], rows);
    expectUnharmed(cluster, 'coordinator');
    await killActiveSweeps(cluster);
  }
  expect(await unreadable(cluster.metricsUrl, 'grpc')).toBeGreaterThan(0);
  expect([finished, []]).toContainEqual(rowsOfSweep(storedRows(cluster.dir), done));
  expectNoStrayFile(cluster);

  await cluster.startAgent('closer', 2);
  await expectRanOnce(cluster, await runSweep(cluster, 200));
});

function rowsOfSweep(rows: StoredRows, sweep: string): string[] {
  return [...rows].flatMap(([table, texts]) =>
    texts.filter((text) => `${JSON.parse(text)[table === 'sweeps' ? 'id' : 'sweep_id']}` === sweep),
  );
}
