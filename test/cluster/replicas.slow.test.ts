/** Tests the offer queue on a real NATS cluster when a server joins late, and when a server is permanently lost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JetStreamManager, NatsConnection } from 'nats';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { Offers } from '../../coordinator/transport/offers.ts';
import { connectNats } from '../../lib/net/connect-nats.ts';
import { offerStream } from '../../proto/subjects.ts';
import { testFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const CLUSTER = 'c1';
const POOL = 'p1';
const WANTED = {
  pools: () => new Set([POOL]),
  offers: () => [{ pool: POOL, key: { sweepId: '1', trialId: 't1', attempt: 1 } }],
};

/** An election usually takes seconds, but can take more than a minute on a busy machine. */
const ELECTION_LIMIT_MS = 240_000;

type Start = (index: number) => Promise<ChildProcess>;

async function threeServers(hasOwnRoute: boolean): Promise<{ urls: string; start: Start }> {
  const folder = testFolder();
  const { path } = await findNatsBinary({ install: false });
  const ports = await Promise.all(Array.from({ length: 6 }, freePort));
  const routes = ports.slice(3).map((port) => `"nats-route://127.0.0.1:${port}"`);
  // A new cluster takes its expected size from the routes of its first server. If one of these routes leads to the
  // server itself, the expected size is four, so the first two servers are not a majority and cannot elect a leader.
  const routesOf = (index: number) => routes.filter((_, at) => hasOwnRoute || at !== index).join(', ');
  const start = async (index: number) => {
    const dir = join(folder, `${index}`);
    mkdirSync(dir, { recursive: true });
    writeFileSync(
      join(dir, 'nats.conf'),
      `server_name: s${index}
listen: "127.0.0.1:${ports[index]}"
jetstream { store_dir: ${JSON.stringify(dir)}, max_memory_store: 16777216 }
cluster { name: c, listen: "127.0.0.1:${ports[index + 3]}", no_advertise: true, routes: [${routesOf(index)}] }
`,
    );
    const server = spawn(path, ['--config', join(dir, 'nats.conf')], { stdio: 'ignore' });
    onTestFinished(() => stop(server));
    return server;
  };
  return {
    urls: ports
      .slice(0, 3)
      .map((port) => `nats://127.0.0.1:${port}`)
      .join(','),
    start,
  };
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, 'exit');
  server.kill('SIGKILL');
  await exit;
}

async function connected(urls: string): Promise<NatsConnection> {
  const nats = await until('a server answers', () => connectNats(urls, 'test').catch(() => undefined));
  onTestFinished(() => nats.close());
  return nats;
}

/** Reconciles the queue, and retries until the cluster is available. */
async function reconciled(offers: Offers): Promise<void> {
  await until('the queue is reconciled', () =>
    offers.reconcile(WANTED).then(
      () => true,
      () => false,
    ),
  );
}

async function copiesOf(manager: JetStreamManager) {
  return (await manager.streams.info(offerStream(CLUSTER, POOL))).config.num_replicas;
}

async function hasCompleteCopies(manager: JetStreamManager, count: number): Promise<boolean> {
  const { cluster, state } = await manager.streams.info(offerStream(CLUSTER, POOL));
  // The list of replicas leaves out the leader.
  const others = cluster?.replicas ?? [];
  return state.messages === 1 && others.length === count - 1 && others.every(({ current }) => current);
}

test('with two servers, the queue has one replica, and after a third server has joined, the queue has three replicas', {
  timeout: 300_000,
}, async () => {
  const { urls, start } = await threeServers(false);
  await start(0);
  await start(1);
  const nats = await connected(urls);
  const offers = new Offers(nats, CLUSTER, pino({ level: 'silent' }), () => {});
  await reconciled(offers);
  const manager = await nats.jetstreamManager();
  expect(await copiesOf(manager)).toBe(1);
  await start(2);
  await until('the queue has three copies', async () => {
    await reconciled(offers);
    return (await copiesOf(manager)) === 3;
  });
  await until('each copy is complete', () => hasCompleteCopies(manager, 3));
});

test('if the only server with a copy of a queue is permanently lost, the queue is recreated on the other servers', {
  timeout: 300_000,
}, async () => {
  const { urls, start } = await threeServers(true);
  const servers = [await start(0), await start(1), await start(2)];
  const nats = await connected(urls);
  const manager = await until('JetStream answers', () => nats.jetstreamManager().catch(() => undefined));
  const offers = new Offers(nats, CLUSTER, pino({ level: 'silent' }), () => {});
  // A server that has not yet joined the cluster cannot vote for a new leader. A complete copy of the queue proves that
  // the server has joined the cluster.
  await until('each server has a complete copy', async () => {
    await reconciled(offers);
    return hasCompleteCopies(manager, 3);
  });
  const { config } = await manager.streams.info(offerStream(CLUSTER, POOL));
  const one = await until('the queue has one copy', () =>
    manager.streams.update(config.name, { ...config, num_replicas: 1 }).catch(() => undefined),
  );
  const leader = await until('the copy has a leader', async () => {
    return (await manager.streams.info(one.config.name).catch(() => undefined))?.cluster?.leader;
  });
  await stop(servers[Number(leader.slice(1))] as ChildProcess);
  await until(
    'the remaining servers have a leader',
    () => manager.getAccountInfo().catch(() => undefined),
    ELECTION_LIMIT_MS,
  );
  // The test repeats the rebuild because the deletion of the queue can be lost. A coordinator would repeat the rebuild
  // in a later round.
  await until('the queue is recreated', () =>
    offers.rebuild(POOL, WANTED).then(
      () => true,
      () => false,
    ),
  );
  await until('the offer is in the queue', async () => {
    return (await manager.streams.info(config.name).catch(() => undefined))?.state.messages === 1;
  });
});
