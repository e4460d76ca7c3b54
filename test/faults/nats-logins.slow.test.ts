/** Tests logins that fail until the configuration or the certificate of the NATS server is corrected. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { readCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { readToken, tokenFile } from '../../lib/files/token-file.ts';
import { TestIdentities } from '../security/identities.ts';
import { Cluster } from '../support/cluster.ts';
import { ConfiguredNats, type NatsConfig } from '../support/configured-nats.ts';
import { type Daemon, startDaemon, startProgram } from '../support/daemon.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { exactlyOnce, type NoopSweep, noopSweepText, untilRunning } from './noop-sweep.ts';

const SWEEP: NoopSweep = { trials: 6, epochs: 40, epochMs: 400 };
const LEASE = '3s';
/** The duration of each outage: long enough for several login attempts, and longer than two leases. */
const REJECTED_MS = 8_000;
const LIMIT = { timeout: 300_000 };

/** Returns how many lines of a log contain a message. */
function count(log: string, message: string): number {
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes(message)).length;
}

const REJECTED = 'NATS does not accept the ';

const rejections: readonly (readonly [string, NatsConfig])[] = [
  ['the password is wrong', { password: 'wrong' }],
  ['the user is missing', { user: 'other' }],
];

describe.each(rejections)('while %s', (_, rejected) => {
  test(
    'a starting coordinator and a starting agent wait, and both work once the login is corrected',
    LIMIT,
    async () => {
      const folder = testFolder();
      const nats = await ConfiguredNats.start(folder, rejected);
      const starting = Cluster.start(folder, { lease: LEASE, natsUrl: nats.url });
      const log = join(folder, 'coordinator.log');
      await until('the coordinator logs the rejection', () => existsSync(log) && count(log, REJECTED) > 0);
      await sleep(REJECTED_MS);
      expect(count(log, REJECTED)).toBe(1);
      nats.reload({});
      const cluster = await starting;
      expect(count(cluster.logOf('coordinator'), 'NATS accepts the login')).toBe(1);

      await nats.restart(rejected);
      const metrics = await freePort();
      await cluster.startAgent('agent', 2, undefined, 1, ['--metrics', `127.0.0.1:${metrics}`]);
      const { pid } = cluster.agent('agent');
      const readyz = async () =>
        (await fetch(`http://127.0.0.1:${metrics}/readyz`, { headers: cluster.headers })).text();
      await until('/readyz of the agent names the rejection', () =>
        readyz().then(
          (text) => text.startsWith('NATS does not accept the login'),
          () => false,
        ),
      );
      await sleep(REJECTED_MS);
      nats.reload({});
      const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
      await untilRunning(cluster, sweep, 2);
      expect(cluster.agent('agent').pid).toBe(pid);
      expect(count(cluster.logOf('agent'), REJECTED)).toBe(1);
      expect(count(cluster.logOf('agent'), 'NATS accepts the login')).toBe(1);
      expect((await readyz()).trim()).toBe('ok');
    },
  );

  test('a coordinator that waits for NATS serves /healthz, /metrics, and the reason at /readyz', LIMIT, async () => {
    const folder = testFolder();
    const nats = await ConfiguredNats.start(folder, rejected);
    const [dir, metrics] = [join(folder, 'coordinator'), await freePort()];
    const log = join(folder, 'coordinator.log');
    const addresses = ['--listen', '127.0.0.1:0', '--metrics', `127.0.0.1:${metrics}`];
    await startDaemon(log, 'coordinator', '--dir', dir, '--nats', nats.url, ...addresses);
    const page = async (path: string, headers = {}) => {
      const response = await fetch(`http://127.0.0.1:${metrics}${path}`, { headers });
      return { status: response.status, text: (await response.text()).trim() };
    };
    const own = () => ({ authorization: `Bearer ${readToken(tokenFile(dir))}` });
    await until('the coordinator has its token', () => existsSync(tokenFile(dir)));
    await until('/readyz names the rejection', () =>
      page('/readyz', own()).then(
        ({ status, text }) => status === 503 && text.startsWith('NATS does not accept the login'),
        () => false,
      ),
    );
    expect(await page('/readyz')).toEqual({ status: 503, text: 'not ready' });
    expect(await page('/healthz')).toEqual({ status: 200, text: 'ok' });
    expect((await page('/metrics')).status).toBe(401);
    expect((await page('/metrics', own())).text).toMatch(/^# HELP trawl_/m);
    expect(await page('/sd', own())).toEqual({ status: 200, text: '[]' });
    nats.reload({});
    await until('/readyz is ok', async () => (await page('/readyz')).status === 200);
    expect((await page('/metrics', own())).text).toMatch(/^trawl_build_info\{/m);
  });

  test(
    'running trials continue; each process logs one line at its first rejected login, and one line when it reconnects',
    LIMIT,
    async () => {
      const folder = testFolder();
      const nats = await ConfiguredNats.start(folder);
      const cluster = await Cluster.start(folder, { lease: LEASE, natsUrl: nats.url });
      const metrics = await freePort();
      await cluster.startAgent('agent', 2, undefined, 1, ['--metrics', `127.0.0.1:${metrics}`]);
      const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
      await untilRunning(cluster, sweep, 2);
      const pids = [cluster.coordinator.pid, cluster.agent('agent').pid];
      nats.reload(rejected);
      const pages = [cluster.metricsUrl, `http://127.0.0.1:${metrics}`].map((url) => new URL('/readyz', url));
      for (const page of pages) {
        await until(`${page} names the rejection`, async () =>
          /rejects the login/.test(await (await fetch(page, { headers: cluster.headers })).text()),
        );
      }
      await sleep(REJECTED_MS);
      nats.reload({});
      for (const page of pages) await until(`${page} is ok`, async () => (await fetch(page)).status === 200);
      const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
      expect(attempts.map(({ number, failureClass }) => [number, failureClass])).toEqual(
        Array(SWEEP.trials).fill([1, null]),
      );
      expect(pids[1]).toBe(cluster.agent('agent').pid);
      for (const part of ['coordinator', 'agent']) {
        expect(count(cluster.logOf(part), REJECTED), part).toBe(1);
        expect(count(cluster.logOf(part), 'reconnected to NATS'), part).toBe(1);
      }
    },
  );
});

test(
  'an untrusted server certificate ends no process, and all processes work once the certificate is replaced',
  LIMIT,
  async () => {
    const folder = testFolder();
    const identities = await TestIdentities.init(join(folder, 'certs'));
    const others = await TestIdentities.init(join(folder, 'other-certs'));
    const agentIdentity = await identities.add('agent-1', 'agent');
    const serverDir = join(folder, 'nats');
    cpSync(identities.server, serverDir, { recursive: true });
    const use = ({ server }: TestIdentities) => {
      for (const file of ['ca.pem', 'cert.pem', 'key.pem']) cpSync(join(server, file), join(serverDir, file));
    };
    const { path } = await findNatsBinary({ install: false });
    const port = await freePort();
    let nats: Daemon | undefined;
    const restart = async () => {
      await nats?.killNow();
      const command = `cd "$1" && exec "$2" --config nats.conf --addr 127.0.0.1 --port ${port}`;
      nats = await startProgram(join(folder, 'nats.log'), 'sh', ['-c', command, 'sh', serverDir, path]);
    };
    const natsUrl = `tls://127.0.0.1:${port}`;
    const dir = join(folder, 'coordinator');
    const logs = { coordinator: join(folder, 'coordinator.log'), agent: join(folder, 'agent.log') };
    const secured = (identity: string) => ['--identity', identity, '--nats', natsUrl, '--log-format', 'json'];

    use(others);
    await restart();
    const coordinator = await startDaemon(
      logs.coordinator,
      'coordinator',
      ...secured(identities.server),
      ...['--dir', dir, '--lease', LEASE, '--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0'],
    );
    await until('the coordinator waits', () => count(logs.coordinator, REJECTED) === 1);
    await sleep(2_000);
    use(identities);
    await restart();
    const { address, metrics } = await until('the coordinator is up', () => readCoordinatorFile(dir));
    const agent = await startDaemon(
      logs.agent,
      'agent',
      ...secured(agentIdentity),
      ...['--server', address, '--dir', join(folder, 'agent'), '--slots', '1'],
    );
    await until('the agent is up', () => count(logs.agent, 'joined a coordinator') === 1);
    use(others);
    await restart();
    const headers = { authorization: `Bearer ${readToken(tokenFile(dir))}` };
    const readyz = async () => (await fetch(`http://${metrics}/readyz`, { headers })).text();
    await until('the coordinator is not ready', async () => /the connection to NATS is lost/.test(await readyz()));
    await sleep(REJECTED_MS);
    use(identities);
    await restart();
    await until('the coordinator is ready', async () => (await readyz()).trim() === 'ok');
    await until('the agent has reconnected', () => count(logs.agent, 'reconnected to NATS') === 1);
    expect(count(logs.coordinator, 'reconnected to NATS')).toBeGreaterThan(0);
    const ended = await Promise.race([coordinator.exited, agent.exited, sleep(500)]);
    expect(ended).toBeUndefined();
  },
);
