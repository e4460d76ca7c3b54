/** Faults of a NATS server and of its configuration. The faults occur one after the other, while trials run. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, StorageType } from 'nats';
import { expect } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { ConfiguredNats } from '../support/configured-nats.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { exactlyOnce, type NoopSweep, noopSweepText } from './noop-sweep.ts';

/** The sweep takes longer than all faults together, so that each fault affects running trials. */
const SWEEP: NoopSweep = { trials: 120, epochs: 6, epochMs: 400 };
const LEASE = '3s';
/** The minimum duration of a fault: longer than the lease. */
const FAULT_MS = 5_000;

interface Fault {
  readonly name: string;
  begin(nats: ConfiguredNats, cluster: Cluster): Promise<void> | void;
  /** What the coordinator's /readyz must show during the fault. Undefined if /readyz may stay unchanged. */
  readonly ready?: RegExp;
  /** What the agent's /readyz must show during the fault. Undefined if /readyz may stay unchanged. */
  readonly agentReady?: RegExp;
  end(nats: ConfiguredNats): Promise<void> | void;
}

const restarted = { end: (nats: ConfiguredNats) => nats.restart({}) };
const reloaded = { end: (nats: ConfiguredNats) => nats.reload({}) };

const FAULTS: readonly Fault[] = [
  {
    name: 'logins are rejected after a restart',
    begin: (nats) => nats.restart({ password: 'wrong' }),
    ready: /the connection to NATS is lost: the server rejects the login/,
    agentReady: /the connection to NATS is lost: the server rejects the login/,
    ...restarted,
  },
  {
    name: 'the password is changed by a reload',
    begin: (nats) => nats.reload({ password: 'wrong' }),
    ready: /the connection to NATS is lost/,
    ...reloaded,
  },
  {
    name: 'JetStream is disabled',
    begin: (nats) => nats.restart({ jetstream: () => '' }),
    ready: /offers cannot be published on NATS: JetStream is not enabled/,
    ...restarted,
  },
  {
    name: 'max_payload is smaller than a heartbeat',
    begin: (nats) => nats.restart({ more: 'max_payload: 32' }),
    agentReady: /heartbeats cannot be sent over NATS: the max_payload of the server is smaller than/,
    ...restarted,
  },
  {
    name: 'no permission to publish',
    begin: (nats) => nats.reload({ permissions: '{publish: {deny: ">"}}' }),
    ready: /offers cannot be published on NATS/,
    ...reloaded,
  },
  {
    name: 'no permission to send heartbeats',
    begin: (nats) => nats.reload({ permissions: '{publish: {deny: "trawl.*.heartbeat.>"}}' }),
    agentReady: /the permissions on NATS deny publish to trawl\.\w+\.heartbeat\.agent/,
    ...reloaded,
  },
  {
    name: 'no permission to pull offers',
    begin: (nats) => nats.reload({ permissions: '{publish: {deny: "$JS.API.CONSUMER.MSG.NEXT.>"}}' }),
    agentReady: /the permissions on NATS deny publish to \$JS\.API\.CONSUMER\.MSG\.NEXT/,
    ...reloaded,
  },
  {
    name: 'no permission to acknowledge offers',
    begin: (nats) => nats.reload({ permissions: '{publish: {deny: "$JS.ACK.>"}}' }),
    agentReady: /the permissions on NATS deny publish to \$JS\.ACK/,
    ...reloaded,
  },
  {
    name: 'no permission to read or create streams',
    begin: (nats) => nats.reload({ permissions: '{publish: {deny: ["$JS.API.STREAM.>", "$JS.API.INFO"]}}' }),
    ready: /offers cannot be published on NATS/,
    ...reloaded,
  },
  {
    name: 'no permission to receive heartbeats',
    begin: (nats) => nats.reload({ permissions: '{subscribe: {deny: "trawl.>"}}' }),
    ready: /heartbeats do not arrive over NATS/,
    ...reloaded,
  },
  {
    name: 'no permission to receive messages',
    begin: (nats) => nats.reload({ permissions: '{subscribe: {deny: ">"}}' }),
    ready: /offers cannot be published on NATS/,
    ...reloaded,
  },
  {
    name: 'no memory for streams',
    begin(nats) {
      nats.forgetStreams();
      return nats.restart({ jetstream: (dir) => `jetstream {store_dir: ${JSON.stringify(dir)}, max_memory_store: 1}` });
    },
    ready: /offers cannot be published on NATS/,
    ...restarted,
  },
  {
    name: 'another client uses the only stream that the account may have',
    async begin(nats) {
      nats.forgetStreams();
      await nats.restart({ account: 'jetstream: {max_mem: 64MB, max_streams: 1}' });
      const other = await connect({ servers: nats.url, user: nats.user, pass: nats.password });
      await other.jetstreamManager().then((manager) =>
        until('the stream is taken', () =>
          manager.streams.add({ name: 'OTHER', subjects: ['other'], storage: StorageType.Memory }).then(
            () => true,
            // If the coordinator was first to create its stream, the test deletes the stream and tries again.
            () =>
              manager.streams
                .names()
                .next()
                .then(async (names) => {
                  for (const name of names) await manager.streams.delete(name);
                  return false;
                }),
          ),
        ),
      );
      await other.close();
    },
    ready: /offers cannot be published on NATS: maximum number of streams reached/,
    ...restarted,
  },
  {
    name: 'the coordinator is a slow consumer',
    async begin(nats, cluster) {
      await nats.restart({ more: 'write_deadline: "100ms"' });
      await sleep(2_000);
      const { pid } = cluster.coordinator;
      process.kill(pid, 'SIGSTOP');
      const other = await connect({ servers: nats.url, user: nats.user, pass: nats.password });
      const name = /"cluster":"(\w+)"/.exec(readFileSync(cluster.logOf('coordinator'), 'utf8'))?.[1];
      const message = new Uint8Array(500_000);
      await until('the server closes the connection', async () => {
        for (let sent = 0; sent < 20; sent++) other.publish(`trawl.${name}.heartbeat.other`, message);
        await other.flush();
        return nats.log().includes('Slow Consumer');
      });
      await other.close();
      process.kill(pid, 'SIGCONT');
    },
    ...restarted,
  },
  {
    name: 'one connection only',
    begin: (nats) => nats.restart({ more: 'max_connections: 1' }),
    ...restarted,
  },
  {
    name: 'one subscription per connection',
    begin: (nats) => nats.restart({ more: 'max_subscriptions: 1' }),
    ...restarted,
  },
  { name: 'lame duck mode', begin: (nats) => nats.signal('SIGUSR2'), ...restarted },
  {
    name: 'the streams are gone',
    begin(nats) {
      nats.forgetStreams();
      return nats.restart({});
    },
    end: () => {},
  },
];

export const NATS_FAULTS_LIMIT_MS = 900_000;

/**
 * Checks that the agent and the coordinator survive every fault, that no lease or report is lost, and that a fault has
 * no effect after it has ended.
 * @param binary the path of nats-server; default: the installed program
 * @param every a number n: every n-th fault is tested, with 1/n of the trials. Default: 1, which tests all faults
 */
export async function surviveNatsFaults(binary?: string, every = 1): Promise<void> {
  const faults = FAULTS.filter((_, at) => at % every === 0);
  const noop = { ...SWEEP, trials: SWEEP.trials / every };
  const folder = testFolder();
  const nats = await ConfiguredNats.start(folder, {}, binary);
  const cluster = await Cluster.start(folder, { lease: LEASE, natsUrl: nats.url });
  const agentPages = `127.0.0.1:${await freePort()}`;
  await cluster.startAgent('agent', 2, undefined, 1, ['--metrics', agentPages]);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(noop)));
  const readyz = async (base = cluster.metricsUrl) => {
    const response = await fetch(new URL('/readyz', base), { headers: cluster.headers });
    return `${response.status} ${(await response.text()).trim()}`;
  };
  const agentReadyz = () => readyz(`http://${agentPages}`);
  const pids = [cluster.coordinator.pid, cluster.agent('agent').pid];
  for (const { name, begin, ready, agentReady, end } of faults) {
    await until(`a trial runs before: ${name}`, async () => ((await cluster.sweep(sweep))?.counts?.running ?? 0) > 0);
    await begin(nats, cluster);
    const begun = performance.now();
    if (ready !== undefined) await until(`/readyz reports: ${name}`, async () => ready.test(await readyz()));
    if (agentReady !== undefined) {
      await until(`/readyz of the agent reports: ${name}`, async () => agentReady.test(await agentReadyz()));
    }
    await sleep(Math.max(0, FAULT_MS - (performance.now() - begun)));
    await end(nats);
    const ended = performance.now();
    await until(`/readyz reports ok after: ${name}`, async () => (await readyz()) === '200 ok');
    const seconds = ((performance.now() - ended) / 1_000).toFixed(1);
    console.log(`${name}: ready again after ${seconds} s`);
  }
  await until('/readyz of the agent reports ok', async () => (await agentReadyz()) === '200 ok');
  expect([cluster.coordinator.pid, cluster.agent('agent').pid]).toEqual(pids);
  for (const part of ['coordinator', 'agent']) {
    expect(readFileSync(cluster.logOf(part), 'utf8')).not.toMatch(/uncaught|unhandled|"level":60/i);
  }
  const { attempts } = await exactlyOnce(cluster, sweep, noop);
  expect(attempts.map(({ number, failureClass }) => [number, failureClass])).toEqual(
    Array(noop.trials).fill([1, null]),
  );
}
