import type { NatsConnection } from 'nats';
import { expect, onTestFinished, test } from 'vitest';
import { connectNats } from '../../lib/net/connect-nats.ts';
import { Heartbeat } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { allHeartbeats, heartbeatSubject, isAttemptKey, offerStream } from '../../proto/subjects.ts';
import { untilRunning } from '../faults/noop-sweep.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { TestRandom } from '../support/random.ts';
import { until } from '../support/until.ts';
import { publishFuzzed } from './publish-fuzzed.ts';
import { type RecordedMessage, recordMessages } from './record-messages.ts';
import { fuzzSeeds } from './seeds.ts';
import { expectRanOnce, killActiveSweeps, runSweep } from './still-works.ts';
import { changes, type StoredRows, storedRows } from './stored-rows.ts';
import { patterns } from './subjects.ts';
import { expectUnharmed, unreadable } from './unharmed.ts';

const AGENT = 'worker';
const MESSAGES = 150;
const REPLAYS = 150;

/** Submits a sweep whose trial runs throughout the test, and a sweep that is paused throughout the test. */
async function atWork(cluster: Cluster): Promise<{ sweeps: string[]; trials: string[] }> {
  const long = 'trainer: noop\nparameters: {x: {values: [1]}, duration_ms: {value: 3600000}}\n';
  const held = await cluster.json<{ sweep: string }>('submit', sweepFile(cluster.folder, long));
  await untilRunning(cluster, held.sweep, 1);
  const text = 'trainer: noop\nparameters: {x: {values: [2, 3, 4]}}\n';
  const paused = await cluster.json<{ sweep: string }>('submit', sweepFile(cluster.folder, text));
  await cluster.run('pause', paused.sweep);
  const sweeps = [held.sweep, paused.sweep];
  const trials = (await Promise.all(sweeps.map((sweep) => cluster.json<{ trial: string }[]>('trials', sweep)))).flat();
  return { sweeps, trials: trials.map(({ trial }) => trial) };
}

function unreadableHeartbeats(cluster: string, sent: readonly RecordedMessage[]): number {
  const [trawl, , beat] = allHeartbeats(cluster).split('.');
  return sent.filter(({ subject, data }) => {
    const parts = subject.split('.');
    if (parts.length !== 4 || parts[0] !== trawl || parts[1] !== cluster || parts[2] !== beat || parts[3] === '')
      return false;
    try {
      const { agentId, held, claimed } = Heartbeat.decode(data);
      return subject === heartbeatSubject(cluster, agentId) && ![...held, ...claimed].every(isAttemptKey);
    } catch {
      return true;
    }
  }).length;
}

/** Returns the address of the agent's metrics. The agent has sent this address to the coordinator. */
async function agentMetricsUrl(cluster: Cluster): Promise<string> {
  const groups = (await (await fetch(new URL('/sd', cluster.metricsUrl))).json()) as { targets: string[] }[];
  return `http://${groups[0]?.targets[0]}/metrics`;
}

/** Returns the agent's only pool. There is only one, because all slots of the agent are alike. */
async function onlyPool(nats: NatsConnection, cluster: string): Promise<string> {
  const manager = await nats.jetstreamManager();
  const streams = offerStream(cluster, '');
  for await (const name of manager.streams.names()) if (name.startsWith(streams)) return name.slice(streams.length);
  throw new Error('there is no stream of offers');
}

async function streamIsEmpty(nats: NatsConnection, cluster: string, pool: string): Promise<boolean> {
  const manager = await nats.jetstreamManager();
  return (await manager.streams.info(offerStream(cluster, pool))).state.messages === 0;
}

test('no message on any subject changes stored data or stops the coordinator or the agent', {
  timeout: 300_000 + 60_000 * fuzzSeeds().length,
}, async () => {
  const cluster = await Cluster.start(testFolder(), { requireToken: false });
  const nats = await connectNats(cluster.natsUrl, 'test');
  onTestFinished(() => nats.close());
  const recorded = recordMessages(nats);
  await nats.flush();
  await cluster.startAgent(AGENT, 2);
  await runSweep(cluster, 100);
  const { sweeps, trials } = await atWork(cluster);
  const rows: StoredRows = storedRows(cluster.dir);
  const name = rows
    .get('meta')
    ?.flatMap((row) => (JSON.parse(row).name === 'cluster' ? [JSON.parse(row).value] : []))[0];
  await until('a heartbeat was recorded', () =>
    recorded().some(({ subject }) => subject === heartbeatSubject(name, AGENT)),
  );
  const pool = await onlyPool(nats, name);
  const samples = { cluster: name, agentId: AGENT, sweeps, trials };

  let expected = 0;
  for (const seed of fuzzSeeds()) {
    console.log(`TRAWL_FUZZ_SEED=${seed}`);
    const random = new TestRandom(seed);
    const sent = [
      ...patterns(AGENT, pool).flatMap((pattern) =>
        Array.from({ length: MESSAGES }, () => publishFuzzed(nats, pattern, samples, random)),
      ),
      ...Array.from({ length: REPLAYS }, () => publishFuzzed(nats, random.pick(recorded()), samples, random)),
    ].flat();
    await nats.flush();
    expected += unreadableHeartbeats(name, sent);
    await until(
      `${expected} unreadable heartbeats are counted`,
      async () => (await unreadable(cluster.metricsUrl, 'nats')) >= expected,
    );
    await until('the invalid offers have been removed', () => streamIsEmpty(nats, name, pool));
    expectUnharmed(cluster, 'coordinator', AGENT);
    expect(changes(rows, storedRows(cluster.dir)), `TRAWL_FUZZ_SEED=${seed}`).toEqual({});
  }
  expect(await unreadable(cluster.metricsUrl, 'nats')).toBe(expected);
  expect(await unreadable(await agentMetricsUrl(cluster), 'nats')).toBeGreaterThan(0);

  await killActiveSweeps(cluster);
  await expectRanOnce(cluster, await runSweep(cluster, 200));
});
