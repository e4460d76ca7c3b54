/** Faults of the NATS server and of its configuration, one after the other, while trials run. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { Cluster } from '../support/cluster.ts';
import { type Daemon, startProgram } from '../support/daemon.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { exactlyOnce, type NoopSweep, noopSweepText } from './noop-sweep.ts';

/** Longer than any fault, so that each fault hits running trials; a fault is longer than the lease. */
const SWEEP: NoopSweep = { trials: 80, epochs: 6, epochMs: 400 };
const LEASE = '3s';
const FAULT_MS = 5_000;
const USER = 'trawl';
const PASSWORD = 'secret';

interface Config {
  readonly password?: string;
  /** The user's permissions. Default: all. */
  readonly permissions?: string;
  /** The block for JetStream. Default: enabled, without limits. */
  readonly jetstream?: (dir: string) => string;
  /** Further lines, such as limits. */
  readonly more?: string;
}

/** A nats-server with a configuration that the test changes. */
class ConfiguredNats {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #binary: string;
  #server: Daemon | undefined;

  private constructor(folder: string, port: number, binary: string) {
    this.#folder = folder;
    this.#port = port;
    this.#binary = binary;
    this.url = `nats://${USER}:${PASSWORD}@127.0.0.1:${port}`;
  }

  static async start(folder: string): Promise<ConfiguredNats> {
    const { path } = await findNatsBinary({ install: false });
    const nats = new ConfiguredNats(folder, await freePort(), path);
    await nats.restart({});
    return nats;
  }

  async restart(config: Config): Promise<void> {
    await this.#server?.killNow();
    this.#write(config);
    const log = join(this.#folder, 'nats.log');
    this.#server = await startProgram(log, this.#binary, ['--config', this.#configFile, '--log', `${log}.server`]);
  }

  reload(config: Config): void {
    this.#write(config);
    this.signal('SIGHUP');
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.#server?.pid ?? 0, signal);
  }

  forgetStreams(): void {
    rmSync(join(this.#folder, 'jetstream'), { recursive: true, force: true });
  }

  get #configFile(): string {
    return join(this.#folder, 'nats.conf');
  }

  #write({ password = PASSWORD, permissions = '', jetstream = enabled, more = '' }: Config): void {
    const user = `{user: ${USER}, password: ${password}${permissions && `, permissions: ${permissions}`}}`;
    const lines = [`host: 127.0.0.1`, `port: ${this.#port}`, `authorization {users: [${user}]}`];
    writeFileSync(this.#configFile, [...lines, jetstream(this.#folder), more, ''].join('\n'));
  }
}

const enabled = (dir: string) => `jetstream {store_dir: ${JSON.stringify(dir)}, max_memory_store: 64MB}`;

interface Fault {
  readonly name: string;
  begin(nats: ConfiguredNats): Promise<void> | void;
  /** What /readyz of the coordinator says meanwhile. Undefined: it need not notice. */
  readonly ready?: RegExp;
  end(nats: ConfiguredNats): Promise<void> | void;
}

const restarted = { end: (nats: ConfiguredNats) => nats.restart({}) };
const reloaded = { end: (nats: ConfiguredNats) => nats.reload({}) };

const FAULTS: readonly Fault[] = [
  {
    name: 'logins are rejected after a restart',
    begin: (nats) => nats.restart({ password: 'wrong' }),
    ready: /the connection to NATS is lost/,
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
    ...restarted,
  },
  {
    name: 'nothing may be published',
    begin: (nats) => nats.reload({ permissions: '{publish: {deny: ">"}}' }),
    ready: /offers cannot be published on NATS/,
    ...reloaded,
  },
  {
    name: 'heartbeats may not be received',
    begin: (nats) => nats.reload({ permissions: '{subscribe: {deny: "trawl.>"}}' }),
    ready: /heartbeats do not arrive over NATS/,
    ...reloaded,
  },
  {
    name: 'nothing may be received',
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

test('no fault of NATS ends an agent or the coordinator, loses a lease or a report, or remains after its cause', {
  timeout: 420_000,
}, async () => {
  const folder = testFolder();
  const nats = await ConfiguredNats.start(folder);
  const cluster = await Cluster.start(folder, { lease: LEASE, natsUrl: nats.url });
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  const readyz = async () => {
    const response = await fetch(new URL('/readyz', cluster.metricsUrl), { headers: cluster.headers });
    return `${response.status} ${(await response.text()).trim()}`;
  };
  const pids = [cluster.coordinator.pid, cluster.agent('agent').pid];
  for (const { name, begin, ready, end } of FAULTS) {
    await until(`a trial runs before: ${name}`, async () => ((await cluster.sweep(sweep))?.counts?.running ?? 0) > 0);
    await begin(nats);
    const begun = performance.now();
    if (ready !== undefined) await until(`/readyz reports: ${name}`, async () => ready.test(await readyz()));
    await sleep(Math.max(0, FAULT_MS - (performance.now() - begun)));
    await end(nats);
    const ended = performance.now();
    await until(`/readyz reports ok after: ${name}`, async () => (await readyz()) === '200 ok');
    const seconds = ((performance.now() - ended) / 1_000).toFixed(1);
    console.log(`${name}: ready again after ${seconds} s`);
  }
  expect([cluster.coordinator.pid, cluster.agent('agent').pid]).toEqual(pids);
  for (const part of ['coordinator', 'agent']) {
    expect(readFileSync(cluster.logOf(part), 'utf8')).not.toMatch(/uncaught|unhandled|"level":60/i);
  }
  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.map(({ number, failureClass }) => [number, failureClass])).toEqual(
    Array(SWEEP.trials).fill([1, null]),
  );
});
