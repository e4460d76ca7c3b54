/**
 * A cluster in which any single machine can fail: two coordinators, three NATS servers, a primary server of PostgreSQL
 * with a synchronous standby, an S3-compatible server and three agents, each on its own machine.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { addIdentity, initAuthority } from '../../bin/certs/authority.ts';
import { parseHighWater } from '../../coordinator/store/high-water.ts';
import { POSTGRES_MARK } from '../../lib/files/coordinator-file.ts';
import type { Daemon } from '../support/daemon.ts';
import { S3_CREDENTIALS, S3_PROGRAM, s3Flags } from '../support/s3-server.ts';
import { type Ended, TRAWL, trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import type { Machine } from './machine.ts';
import { Network } from './network.ts';
import { PostgresPair } from './postgres-pair.ts';
import { offerLeader, startAgent, startNats, takeIdentity } from './services.ts';

const HEADS = ['head-1', 'head-2'] as const;
const NATS = ['nats-1', 'nats-2', 'nats-3'] as const;
const POSTGRES = ['pg-1', 'pg-2'] as const;
export const OBJECTS = 'objects';
export const AGENTS = ['agent-1', 'agent-2', 'agent-3'] as const;
export const SLOTS_EACH = 2;

const DAYS = 2;
const PORT = 7070;
const S3_PORT = 7075;
/** The lease is shorter than the time for which machines are off, cut off or suspended. */
const LEASE = '5s';
const RESTART_DELAY_MS = 1_000;
const STANDS_BY = 'the coordinator stands by';

export class ReplicatedCluster {
  readonly network: Network;
  readonly postgres: PostgresPair;
  readonly #certs: string;
  /** The processes that this class restarts when they end, as a service manager would. */
  readonly #supervised = new Map<string, Daemon>();
  /** The machines that are switched off. */
  readonly #off = new Set<string>();
  #isOver = false;

  private constructor(network: Network, postgres: PostgresPair, certs: string) {
    this.network = network;
    this.postgres = postgres;
    this.#certs = certs;
    onTestFinished(() => {
      this.#isOver = true;
    });
  }

  /** Starts every process, and waits until each agent has joined and the second coordinator stands by. */
  static async start(folder: string): Promise<ReplicatedCluster> {
    const names = [...HEADS, ...NATS, ...POSTGRES, OBJECTS, ...AGENTS];
    const network = await Network.create(join(folder, 'machines'), names);
    const [primary, standby] = POSTGRES;
    const postgres = await PostgresPair.start(network.machine(primary), network.machine(standby));
    const cluster = new ReplicatedCluster(network, postgres, join(folder, 'certs'));
    const addresses = (machines: readonly string[]) => machines.map((name) => network.machine(name).address);
    const hosts = { hosts: addresses(HEADS), natsHosts: addresses(NATS) };
    await initAuthority(cluster.#certs, { ...hosts, days: DAYS, authorityDays: DAYS, force: false });
    const identity = { days: DAYS, force: false };
    for (const name of AGENTS) await addIdentity(cluster.#certs, { name, role: 'agent' }, identity);
    await addIdentity(cluster.#certs, { name: 'ann', role: 'operator' }, identity);
    await Promise.all([...NATS, OBJECTS, HEADS[0]].map((name) => cluster.startMachine(name)));
    await cluster.leader();
    await Promise.all([HEADS[1], ...AGENTS].map((name) => cluster.startMachine(name)));
    await cluster.untilHealthy();
    return cluster;
  }

  machine(name: string): Machine {
    return this.network.machine(name);
  }

  /** Starts the program of a machine. The machine must not be one of the PostgreSQL machines. */
  async startMachine(name: string): Promise<void> {
    this.#off.delete(name);
    const machine = this.machine(name);
    if ((HEADS as readonly string[]).includes(name)) await this.#supervise(name, () => this.#startCoordinator(machine));
    else if ((AGENTS as readonly string[]).includes(name)) await this.#supervise(name, () => this.#startAgent(machine));
    else if ((NATS as readonly string[]).includes(name)) await startNats(machine, this.#certs);
    else await this.#startObjects(machine);
  }

  /** Simulates a power failure. */
  async fail(name: string): Promise<void> {
    this.#off.add(name);
    await this.machine(name).fail();
  }

  /** Stops the process of a coordinator or an agent in an orderly way. The supervisor then starts it again. */
  async stop(name: string): Promise<void> {
    const daemon = this.#supervised.get(name);
    await daemon?.stop();
  }

  /** Returns the machine of the leading coordinator. */
  leader(): Promise<string> {
    return until('a coordinator leads', async () => {
      const [row] = await this.postgres
        .query('trawl', "select address from leadership where expires_at > clock_timestamp() and holder <> ''")
        .catch(() => []);
      return HEADS.find((name) => `${this.machine(name).address}:${PORT}` === row?.address);
    });
  }

  async standby(): Promise<string> {
    const leader = await this.leader();
    return HEADS.find((name) => name !== leader) ?? leader;
  }

  /** Returns the machine of the NATS server that leads the offer queue. */
  queueLeader(): Promise<string> {
    const servers = NATS.map((name) => this.machine(name));
    return until('the queue of offers has a leader', () => offerLeader(this.#certs, servers).catch(() => undefined));
  }

  /** Waits until every part works, so that no earlier fault still has an effect when the next fault begins. */
  async untilHealthy(): Promise<void> {
    await this.postgres.untilSynchronous();
    const leader = await this.leader();
    const [standby = ''] = HEADS.filter((name) => name !== leader);
    await until('a coordinator stands by', () => this.#isStandby(standby));
    await until('all agents have joined', async () => {
      const agents = await this.json<{ state: string }[]>('agents').catch(() => []);
      return agents.filter(({ state }) => state === 'connected').length === AGENTS.length;
    });
  }

  /** Returns the first time after `since` at which a coordinator began to lead and to answer calls, in Unix milliseconds. */
  ledAt(since: number): number | undefined {
    const times = HEADS.flatMap((name) =>
      entriesOf(this.machine(name).log('coordinator'))
        .filter(({ msg, time }) => msg === 'the coordinator is up' && Date.parse(time) > since)
        .map(({ time }) => Date.parse(time)),
    );
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Returns the `reason` fields of the log entries that the coordinators wrote after `since`. */
  reasonsSince(since: number): string[] {
    const entries = HEADS.flatMap((name) => entriesOf(this.machine(name).log('coordinator')));
    return entries.filter(({ time }) => Date.parse(time) > since).flatMap(({ reason }) => reason || []);
  }

  #isStandby(name: string): boolean {
    const messages = entriesOf(this.machine(name).log('coordinator')).map(({ msg }) => msg);
    return messages.findLast((msg) => /^the coordinator (stands by|is up|stopped)$/.test(msg)) === STANDS_BY;
  }

  /** Each coordinator records the number of acknowledged transactions. Returns the highest recorded number. */
  acknowledged(): number {
    const marks = HEADS.map((name) => join(this.#dir(name), POSTGRES_MARK)).filter((path) => existsSync(path));
    return Math.max(0, ...marks.map((path) => parseHighWater(readFileSync(path, 'latin1'))?.commits ?? 0));
  }

  /** The folder of the S3 server's bucket. */
  get bucket(): string {
    return this.machine(OBJECTS).path('buckets', 'trawl');
  }

  run(...args: string[]): Promise<Ended> {
    return trawl(...args, '--identity', this.#person, '--server', this.#servers);
  }

  json<T>(...args: string[]): Promise<T> {
    return trawlJson<T>(...args, '--identity', this.#person, '--server', this.#servers);
  }

  get #servers(): string {
    return HEADS.map((name) => `${this.machine(name).address}:${PORT}`).join(',');
  }

  get #person(): string {
    return join(this.#certs, 'user-ann');
  }

  #dir(name: string): string {
    return this.machine(name).path('sweeps');
  }

  async #supervise(name: string, start: () => Promise<Daemon>): Promise<void> {
    const daemon = await start();
    this.#supervised.set(name, daemon);
    void daemon.exited.then(async () => {
      await sleep(RESTART_DELAY_MS);
      if (!this.#isOver && !this.#off.has(name) && this.#supervised.get(name) === daemon) {
        await this.#supervise(name, start).catch(() => {});
      }
    });
  }

  #startCoordinator(machine: Machine): Promise<Daemon> {
    const identity = takeIdentity(machine, this.#certs, 'server');
    const artifacts = `s3://trawl/sweeps?endpoint=http://${this.machine(OBJECTS).address}:${S3_PORT}&direct=true`;
    const variables = { ...S3_CREDENTIALS, TRAWL_STORE: this.postgres.url, TRAWL_ARTIFACT_STORE: artifacts };
    const environment = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    return machine.start(
      ...(['coordinator', 'env', ...environment, process.execPath, TRAWL, 'coordinator'] as const),
      ...['--identity', identity, '--dir', this.#dir(machine.name), '--listen', `0.0.0.0:${PORT}`],
      ...['--advertise', `${machine.address}:${PORT}`, '--lease', LEASE, '--log-format', 'json'],
    );
  }

  #startAgent(machine: Machine): Promise<Daemon> {
    const flags = ['--server', this.#servers, '--slots', `${SLOTS_EACH}`, '--pack', '1'];
    return startAgent(machine, this.#certs, flags);
  }

  async #startObjects(machine: Machine): Promise<void> {
    mkdirSync(this.bucket, { recursive: true });
    await machine.start('s3', S3_PROGRAM, ...s3Flags(`0.0.0.0:${S3_PORT}`, machine.path('buckets')));
    await until('the S3 server answers', () =>
      fetch(`http://${machine.address}:${S3_PORT}`).then(
        () => true,
        () => false,
      ),
    );
  }
}

interface LogEntry {
  readonly msg: string;
  readonly reason?: string;
  readonly time: string;
}

function entriesOf(log: string): LogEntry[] {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
  return lines.filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => JSON.parse(line));
}
