/** nats-server, a coordinator and agents, each its own process, as on several machines. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Connection, withConnection } from '../../bin/client/connect.ts';
import { getSweep } from '../../bin/client/sweeps.ts';
import { type LocalNatsServer, startNatsServer } from '../../bin/local/nats-server.ts';
import { EXIT, UnreachableError } from '../../proto/errors.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { type Daemon, logEnd, startDaemon } from './daemon.ts';
import { childrenOf, killNow } from './processes.ts';
import { type Ended, trawl, trawlJson } from './trawl.ts';
import { until } from './until.ts';

interface CoordinatorFile {
  readonly address: string;
  readonly metrics: string;
  readonly pid: number;
}

export interface ClusterOptions {
  /** How long an agent may be silent; such as `2s`. */
  readonly lease?: string;
}

export class Cluster {
  readonly folder: string;
  readonly #lease: string;
  #over = false;
  #nats: LocalNatsServer | undefined;
  #coordinator: Daemon | undefined;
  readonly #agents = new Map<string, Daemon>();
  #at: CoordinatorFile = { address: '127.0.0.1:0', metrics: '127.0.0.1:0', pid: 0 };

  private constructor(folder: string, { lease = '15s' }: ClusterOptions) {
    this.folder = folder;
    this.#lease = lease;
  }

  /** A nats-server and a coordinator; agents are started one by one. */
  static async start(folder: string, options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(folder, options);
    await mkdir(folder, { recursive: true });
    await cluster.startNats();
    await cluster.startCoordinator();
    return cluster;
  }

  /** The coordinator's data folder. */
  get dir(): string {
    return join(this.folder, 'coordinator');
  }

  get address(): string {
    return this.#at.address;
  }

  get metricsUrl(): string {
    return `http://${this.#at.metrics}/metrics`;
  }

  get natsUrl(): string {
    return up('nats-server', this.#nats).url;
  }

  get coordinator(): Daemon {
    return up('the coordinator', this.#coordinator);
  }

  agent(name: string): Daemon {
    return up(`agent ${name}`, this.#agents.get(name));
  }

  /** Again on the same port, when it was killed. */
  async startNats(): Promise<void> {
    const port = this.#nats === undefined ? {} : { port: this.#nats.port };
    const nats = await startNatsServer({ storeDir: join(this.folder, 'nats'), ...port });
    onTestFinished(() => nats.stop());
    this.#nats = nats;
  }

  async killNats(): Promise<void> {
    const nats = up('nats-server', this.#nats);
    killNow(nats.pid);
    await nats.exited;
  }

  /** Again at the same address, when it was killed. */
  async startCoordinator(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    const log = this.logOf('coordinator');
    const coordinator = await startDaemon(
      log,
      'coordinator',
      ...['--dir', this.dir, '--nats', this.natsUrl, '--lease', this.#lease],
      ...['--listen', this.#at.address, '--metrics', this.#at.metrics, '--log-format', 'json'],
    );
    let gone = false;
    void coordinator.exited.then(() => {
      gone = true;
    });
    this.#at = await until('the coordinator is up', () => {
      if (gone) throw new Error(`the coordinator ended:\n${logEnd(log)}`);
      const file = readCoordinatorFile(this.dir);
      return file?.pid === coordinator.pid && file;
    });
    this.#coordinator = coordinator;
  }

  /**
   * Again with the same folder, when one of that name was killed. Does not wait until it has joined. As under a service
   * manager, an agent that finds no NATS server is started once more.
   * @param slots undefined: as many as it finds
   * @param server where it finds the coordinator
   * @param pack trials that a slot trains together
   * @param more flags of the agent
   */
  async startAgent(
    name: string,
    slots: number | undefined,
    server = this.address,
    pack = 1,
    more: readonly string[] = [],
  ): Promise<void> {
    const agent = await startDaemon(
      this.logOf(name),
      'agent',
      ...['--nats', this.natsUrl, '--server', server, '--pack', `${pack}`],
      ...(slots === undefined ? [] : ['--slots', `${slots}`]),
      ...['--dir', join(this.folder, name), '--id', name, '--log-format', 'json'],
      ...more,
    );
    this.#agents.set(name, agent);
    onTestFinished(() => {
      this.#over = true;
    });
    void agent.exited.then((code) => {
      if (code === EXIT.unreachable && !this.#over) return this.startAgent(name, slots, server, pack, more);
    });
  }

  /** Process ids of the agent's workers. */
  workersOf(name: string): number[] {
    return childrenOf(this.agent(name).pid, (command) => command.includes(join('worker', 'main.js')));
  }

  /** A sweep as the coordinator has it now; undefined when the coordinator does not answer. */
  sweep(id: string): Promise<Sweep | undefined> {
    const ask = async (connection: Connection) => (await getSweep(connection, id)).sweep;
    return withConnection({ server: this.address }, ask).catch((error) => {
      if (!(error instanceof UnreachableError)) throw error;
      return undefined;
    });
  }

  logOf(part: string): string {
    return join(this.folder, `${part}.log`);
  }

  /** A command that is asked of this coordinator. */
  run(...args: string[]): Promise<Ended> {
    return trawl(...args, '--server', this.address);
  }

  /** The same, for what it prints as JSON. */
  json<T>(...args: string[]): Promise<T> {
    return trawlJson<T>(...args, '--server', this.address);
  }
}

function up<T>(name: string, part: T | undefined): T {
  if (part === undefined) throw new Error(`${name} was not started`);
  return part;
}

function readCoordinatorFile(dir: string): CoordinatorFile | undefined {
  const path = join(dir, 'coordinator.json');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  // Its last character comes last.
  return text.endsWith('\n') ? (JSON.parse(text) as CoordinatorFile) : undefined;
}
