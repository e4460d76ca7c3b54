/** A cluster of nats-server, a coordinator and agents, each in its own process. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { listAgents } from '../../bin/client/agents.ts';
import { type Connection, type ConnectOptions, withConnection } from '../../bin/client/connect.ts';
import { getSweep, listTrials } from '../../bin/client/sweeps.ts';
import { type LocalNatsServer, startNatsServer } from '../../bin/local/nats-server.ts';
import { agentJson, type TrialJson, trialJson } from '../../bin/output/json.ts';
import { readCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { readToken, tokenFile } from '../../lib/files/token-file.ts';
import { EXIT, UnreachableError } from '../../proto/errors.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { type Daemon, logEnd, startDaemon } from './daemon.ts';
import { childrenOf, killNow } from './processes.ts';
import { type Ended, trawl, trawlJson } from './trawl.ts';
import { until } from './until.ts';

export interface ClusterOptions {
  /** The agents' lease, such as `2s`. Default: 15s. */
  readonly lease?: string;
  /** The URL of a NATS server that the test runs itself. Default: the cluster starts a server. */
  readonly natsUrl?: string;
  /** Whether callers on the loopback interface need the token. Default: true. */
  readonly requireToken?: boolean;
}

export class Cluster {
  readonly folder: string;
  readonly #lease: string;
  readonly #natsUrl: string | undefined;
  readonly #auth: readonly string[];
  #isOver = false;
  #nats: LocalNatsServer | undefined;
  #coordinator: Daemon | undefined;
  readonly #agents = new Map<string, Daemon>();
  #endpoints = { address: '127.0.0.1:0', metrics: '127.0.0.1:0', pid: 0 };

  private constructor(folder: string, { lease = '15s', natsUrl, requireToken = true }: ClusterOptions) {
    this.folder = folder;
    this.#lease = lease;
    this.#natsUrl = natsUrl;
    this.#auth = requireToken ? [] : ['--no-auth'];
  }

  /** Starts a coordinator and, unless `natsUrl` is given, a nats-server. Starts no agents (see `startAgent`). */
  static async start(folder: string, options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(folder, options);
    await mkdir(folder, { recursive: true });
    if (options.natsUrl === undefined) await cluster.startNats();
    await cluster.startCoordinator();
    return cluster;
  }

  /** The coordinator's data folder. */
  get dir(): string {
    return join(this.folder, 'coordinator');
  }

  get address(): string {
    return this.#endpoints.address;
  }

  get metricsUrl(): string {
    return `http://${this.#endpoints.metrics}/metrics`;
  }

  /** The headers that give access to the operator pages. */
  get headers(): Record<string, string> {
    return { authorization: `Bearer ${readToken(tokenFile(this.dir))}` };
  }

  /** Returns the text of a page of the coordinator, or of an agent at `origin`. */
  async page(path: string, origin: string = this.metricsUrl): Promise<string> {
    const response = await fetch(new URL(path, origin), { headers: this.headers });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.text();
  }

  get natsUrl(): string {
    return this.#natsUrl ?? up('nats-server', this.#nats).url;
  }

  get coordinator(): Daemon {
    return up('the coordinator', this.#coordinator);
  }

  agent(name: string): Daemon {
    return up(`agent ${name}`, this.#agents.get(name));
  }

  /** Starts nats-server. After a kill, the new server listens on the same port. */
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

  /** Starts the coordinator. After a kill, the new process listens at the same address. */
  async startCoordinator(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    const log = this.logOf('coordinator');
    const coordinator = await startDaemon(
      log,
      'coordinator',
      ...['--dir', this.dir, '--nats', this.natsUrl, '--lease', this.#lease],
      ...['--listen', this.#endpoints.address, '--metrics', this.#endpoints.metrics, '--log-format', 'json'],
      ...this.#auth,
    );
    let gone = false;
    void coordinator.exited.then(() => {
      gone = true;
    });
    this.#endpoints = await until('the coordinator is up', () => {
      if (gone) throw new Error(`the coordinator ended:\n${logEnd(log)}`);
      const file = readCoordinatorFile(this.dir);
      return file?.pid === coordinator.pid && file;
    });
    this.#coordinator = coordinator;
  }

  /**
   * Starts an agent, and does not wait until the agent has joined. After a kill, the agent starts in its earlier
   * folder. An agent that cannot reach NATS is restarted, as a service manager would do.
   * @param slots default: the agent's own default
   * @param server the coordinator's address
   * @param pack number of trials that a slot trains together
   * @param more the other flags of the agent
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
      ...this.#auth,
      // An agent looks up the token by the coordinator's address. A proxy has another address, so the agent is given
      // the path of the token file.
      ...(server === this.address ? [] : ['--token-file', tokenFile(this.dir)]),
      ...more,
    );
    this.#agents.set(name, agent);
    onTestFinished(() => {
      this.#isOver = true;
    });
    void agent.exited.then((code) => {
      if (code === EXIT.unreachable && !this.#isOver) return this.startAgent(name, slots, server, pack, more);
    });
  }

  /** Returns the process ids of the agent's workers. */
  workersOf(name: string): number[] {
    return childrenOf(this.agent(name).pid, (command) => command.includes(join('worker', 'main.js')));
  }

  /** Returns the sweep; undefined if the coordinator is unreachable. */
  sweep(id: string): Promise<Sweep | undefined> {
    const ask = async (connection: Connection) => (await getSweep(connection, id)).sweep;
    return withConnection({ server: this.address }, ask).catch((error) => {
      if (!(error instanceof UnreachableError)) throw error;
      return undefined;
    });
  }

  /** Returns the trials of a sweep, as `trialsOf` does. */
  trials(sweep: string): Promise<TrialJson[]> {
    return trialsOf({ server: this.address }, sweep);
  }

  /** Returns the same data as `trawl agents -o json`, but starts no process, because tests poll this method. */
  agents(): Promise<ReturnType<typeof agentJson>[]> {
    return withConnection({ server: this.address }, async (connection) =>
      (await listAgents(connection)).map(agentJson),
    );
  }

  logOf(part: string): string {
    return join(this.folder, `${part}.log`);
  }

  /** Runs a command against the coordinator of the cluster. */
  run(...args: string[]): Promise<Ended> {
    return trawl(...args, '--server', this.address);
  }

  /** Runs a command against the coordinator of the cluster and parses its JSON output. */
  json<T>(...args: string[]): Promise<T> {
    return trawlJson<T>(...args, '--server', this.address);
  }
}

/** Returns the same data as `trawl trials -o json`, but starts no process, because tests poll this function. */
export function trialsOf(options: ConnectOptions, sweep: string): Promise<TrialJson[]> {
  return withConnection(options, async (connection) => (await listTrials(connection, { sweep })).map(trialJson));
}

function up<T>(name: string, part: T | undefined): T {
  if (part === undefined) throw new Error(`${name} was not started`);
  return part;
}
