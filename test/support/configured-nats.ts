import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askNatsServer, findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { type Daemon, startProgram } from './daemon.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const USER = 'trawl';
const PASSWORD = 'secret';

export interface NatsConfig {
  readonly password?: string;
  readonly user?: string;
  /** The user's permissions. Default: all. */
  readonly permissions?: string;
  /** The configuration block for JetStream. Default: enabled, without limits. */
  readonly jetstream?: (dir: string) => string;
  /** The limits of a separate account for the user. Default: the user is in the global account, which has no limits. */
  readonly account?: string;
  /** Further lines of the configuration file, such as limits. */
  readonly more?: string;
}

/** A nats-server with a configuration that the test changes. */
export class ConfiguredNats {
  readonly url: string;
  readonly user = USER;
  readonly password = PASSWORD;
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

  /** @param binary the path of nats-server; default: the installed program */
  static async start(folder: string, config: NatsConfig = {}, binary?: string): Promise<ConfiguredNats> {
    const path = binary ?? (await findNatsBinary({ install: false })).path;
    const nats = new ConfiguredNats(folder, await freePort(), path);
    await nats.restart(config);
    return nats;
  }

  async restart(config: NatsConfig): Promise<void> {
    await this.#server?.killNow();
    this.#write(config);
    const log = join(this.#folder, 'nats.log');
    this.#server = await startProgram(log, this.#binary, ['--config', this.#configFile, '--log', `${log}.server`]);
    await until('nats-server answers', () =>
      askNatsServer(this.url).then(
        () => true,
        () => false,
      ),
    );
  }

  reload(config: NatsConfig): void {
    this.#write(config);
    this.signal('SIGHUP');
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.#server?.pid ?? 0, signal);
  }

  /** Returns the server's log. */
  log(): string {
    return readFileSync(join(this.#folder, 'nats.log.server'), 'utf8');
  }

  forgetStreams(): void {
    rmSync(join(this.#folder, 'jetstream'), { recursive: true, force: true });
  }

  get #configFile(): string {
    return join(this.#folder, 'nats.conf');
  }

  #write({
    user = USER,
    password = PASSWORD,
    permissions = '',
    jetstream = enabled,
    account,
    more = '',
  }: NatsConfig): void {
    const login = `{user: ${user}, password: ${password}${permissions && `, permissions: ${permissions}`}}`;
    const users = `users: [${login}]`;
    const logins = account === undefined ? `authorization {${users}}` : `accounts {TRAWL {${users}, ${account}}}`;
    const lines = ['host: 127.0.0.1', `port: ${this.#port}`, logins];
    writeFileSync(this.#configFile, [...lines, jetstream(this.#folder), more, ''].join('\n'));
  }
}

const enabled = (dir: string) => `jetstream {store_dir: ${JSON.stringify(dir)}, max_memory_store: 64MB}`;
