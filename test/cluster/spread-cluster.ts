/** A coordinator, three NATS servers and two agents, each on its own machine, with TLS and identities. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { addIdentity, initAuthority } from '../../bin/certs/authority.ts';
import { type Connection, withConnection } from '../../bin/client/connect.ts';
import { getSweep } from '../../bin/client/sweeps.ts';
import { readCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { EXIT, UnreachableError } from '../../proto/errors.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { type Daemon, logEnd } from '../support/daemon.ts';
import { type Ended, TRAWL, trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import type { Machine } from './machine.ts';
import { Network } from './network.ts';
import { offerLeader, startAgent, startNats, takeIdentity } from './services.ts';

export const NATS = ['nats-1', 'nats-2', 'nats-3'] as const;
export const AGENTS = ['agent-1', 'agent-2'] as const;
export const HEAD = 'head';
export const SLOTS_EACH = 2;

const DAYS = 2;
/** The lease of the agents: longer than the interval between two reports, and shorter than the network faults. */
const LEASE = '5s';

/** Waits until a NATS server leads the offer queue, and returns the machine of this server. */
export function queueLeader(cluster: SpreadCluster): Promise<string> {
  return until('the queue of offers has a leader', () => cluster.leader());
}

export class SpreadCluster {
  readonly network: Network;
  readonly #certs: string;
  readonly #daemons = new Map<string, Daemon>();
  #over = false;

  private constructor(network: Network, certs: string) {
    this.network = network;
    this.#certs = certs;
    onTestFinished(() => {
      this.#over = true;
    });
  }

  /** Starts every process, and waits until both agents have joined. */
  static async start(folder: string): Promise<SpreadCluster> {
    const network = await Network.create(join(folder, 'machines'), [HEAD, ...NATS, ...AGENTS]);
    const certs = join(folder, 'certs');
    const cluster = new SpreadCluster(network, certs);
    const hosts = [network.machine(HEAD).address];
    const natsHosts = NATS.map((name) => network.machine(name).address);
    await initAuthority(certs, { hosts, natsHosts, days: DAYS, authorityDays: DAYS, force: false });
    for (const name of AGENTS) await addIdentity(certs, { name, role: 'agent' }, { days: DAYS, force: false });
    await addIdentity(certs, { name: 'ann', role: 'operator' }, { days: DAYS, force: false });
    await Promise.all(NATS.map((name) => cluster.startNats(name)));
    await cluster.startCoordinator();
    await Promise.all(AGENTS.map((name) => cluster.startAgent(name)));
    await until('both agents have joined', async () => {
      const agents = await cluster.json<{ state: string }[]>('agents').catch(() => []);
      return agents.length === AGENTS.length;
    });
    return cluster;
  }

  machine(name: string): Machine {
    return this.network.machine(name);
  }

  /** The coordinator's data folder. */
  get dir(): string {
    return this.machine(HEAD).path('sweeps');
  }

  get coordinator(): Daemon {
    const daemon = this.#daemons.get(HEAD);
    if (daemon === undefined) throw new Error('the coordinator was not started');
    return daemon;
  }

  startNats(name: string): Promise<void> {
    return startNats(this.machine(name), this.#certs);
  }

  /** Starts the coordinator. Can also be called after the coordinator's machine has failed. */
  async startCoordinator(): Promise<void> {
    const machine = this.machine(HEAD);
    const identity = takeIdentity(machine, this.#certs, 'server');
    const daemon = await machine.start(
      ...(['coordinator', process.execPath, TRAWL, 'coordinator', '--identity', identity, '--dir', this.dir] as const),
      ...['--listen', '0.0.0.0:7070', '--lease', LEASE, '--log-format', 'json'],
    );
    let gone = false;
    void daemon.exited.then(() => {
      gone = true;
    });
    this.#daemons.set(HEAD, daemon);
    await until('the coordinator is up', () => {
      if (gone) throw new Error(`the coordinator ended:\n${logEnd(machine.log('coordinator'))}`);
      return readCoordinatorFile(this.dir)?.pid === daemon.pid;
    });
  }

  /** Starts an agent. As a service manager would, restarts the agent if it exits because NATS is unreachable. */
  async startAgent(name: string): Promise<void> {
    const daemon = await startAgent(this.machine(name), this.#certs, ['--slots', `${SLOTS_EACH}`, '--pack', '1']);
    void daemon.exited.then((code) => {
      if (code === EXIT.unreachable && !this.#over) return this.startAgent(name);
    });
  }

  /** Returns the machine of the offer queue's leader; undefined if there is no leader at present. */
  leader(): Promise<string | undefined> {
    return offerLeader(
      this.#certs,
      NATS.map((name) => this.machine(name)),
    );
  }

  /** Returns the sweep; undefined if the coordinator is unreachable. */
  sweep(id: string): Promise<Sweep | undefined> {
    const ask = async (connection: Connection) => (await getSweep(connection, id)).sweep;
    return withConnection({ identity: this.#person }, ask).catch((error) => {
      if (!(error instanceof UnreachableError)) throw error;
      return undefined;
    });
  }

  /** Runs a command against the coordinator of the cluster. */
  run(...args: string[]): Promise<Ended> {
    return trawl(...args, '--identity', this.#person);
  }

  /** Runs a command against the coordinator of the cluster and parses its JSON output. */
  json<T>(...args: string[]): Promise<T> {
    return trawlJson<T>(...args, '--identity', this.#person);
  }

  get #person(): string {
    return join(this.#certs, 'user-ann');
  }
}
