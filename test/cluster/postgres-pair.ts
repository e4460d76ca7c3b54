/** A primary server of PostgreSQL and its synchronous standby, each on its own machine. */
import { appendFileSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { logEnd } from '../support/daemon.ts';
import { PASSWORD, program, queryOnce, serverUser, USER } from '../support/postgres-server.ts';
import { until } from '../support/until.ts';
import type { Machine } from './machine.ts';

export const DATABASE = 'trawl';
const PORT = 5432;
const NETWORK = '198.18.0.0/15';
/** After this SQL, a commit returns only once the standby has written the transaction to its disk. */
const SYNCHRONOUS = "alter system set synchronous_standby_names = '*'";
const ALONE = 'alter system reset synchronous_standby_names';

export class PostgresPair {
  primary: Machine;
  standby: Machine;
  readonly #folder: string;

  private constructor(primary: Machine, standby: Machine, folder: string) {
    this.primary = primary;
    this.standby = standby;
    this.#folder = folder;
  }

  static async start(primary: Machine, standby: Machine): Promise<PostgresPair> {
    // PostgreSQL runs as another user, who cannot enter the folders of the test.
    const folder = mkdtempSync(join(tmpdir(), 'trawl-postgresql-'));
    own(folder);
    onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
    const pair = new PostgresPair(primary, standby, folder);
    const password = join(folder, 'password');
    writeFileSync(password, PASSWORD);
    own(password);
    const login = ['--username', USER, '--auth', 'scram-sha-256', '--pwfile', password];
    const data = pair.#data(primary);
    await run(primary, 'initdb', '-D', data, ...login, '--encoding', 'UTF8', '--locale', 'C', '--no-sync');
    const hosts = ['all', 'replication'].map((name) => `host ${name} all ${NETWORK} scram-sha-256\n`);
    appendFileSync(join(data, 'pg_hba.conf'), hosts.join(''));
    await pair.startServer(primary);
    await pair.query('postgres', `create database ${DATABASE}`);
    await pair.rebuild();
    return pair;
  }

  /** The URL that names both servers. */
  get url(): string {
    const hosts = [this.primary, this.standby].map(({ name }) => name).sort();
    const parameters = 'sslmode=disable&target_session_attrs=read-write';
    return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@${hosts.join(',')}/${DATABASE}?${parameters}`;
  }

  /** Runs SQL on the primary server. */
  query(database: string, sql: string): Promise<Record<string, unknown>[]> {
    return queryOnce(urlOf(this.primary, database), sql);
  }

  /** Starts the server of a machine, and resolves once it accepts connections. */
  async startServer(machine: Machine): Promise<void> {
    const data = this.#data(machine);
    const settings = ['listen_addresses=*', 'fsync=off', 'full_page_writes=off', 'unix_socket_directories='];
    const flags = [...settings, 'wal_receiver_timeout=5s', 'wal_sender_timeout=5s'].flatMap((each) => ['-c', each]);
    const daemon = await machine.start('postgres', ...asUser('postgres'), '-D', data, '-p', `${PORT}`, ...flags);
    let isGone = false;
    void daemon.exited.then(() => {
      isGone = true;
    });
    await until(`PostgreSQL of ${machine.name} accepts connections`, async () => {
      if (isGone) throw new Error(`PostgreSQL ended:\n${logEnd(machine.log('postgres'))}`);
      await sleep(100);
      return queryOnce(urlOf(machine, 'postgres'), 'select 1').catch(() => undefined);
    });
  }

  /** Makes the standby the primary server, as an operator does when the primary server is lost. */
  async promote(): Promise<void> {
    [this.primary, this.standby] = [this.standby, this.primary];
    for (const sql of ['select pg_promote()', ALONE, 'select pg_reload_conf()']) await this.query('postgres', sql);
  }

  /** Replaces the server on the standby's machine with a new copy of the primary server. */
  async rebuild(): Promise<void> {
    const { primary, standby } = this;
    const data = this.#data(standby);
    rmSync(data, { recursive: true, force: true, maxRetries: 5 });
    const flags = ['-d', urlOf(primary, ''), '-R', '-X', 'stream', '--checkpoint=fast', '--no-sync'];
    await run(standby, 'pg_basebackup', '-D', data, ...flags);
    await this.startServer(standby);
    await this.query('postgres', SYNCHRONOUS);
    await this.query('postgres', 'select pg_reload_conf()');
    await this.untilSynchronous();
  }

  async untilSynchronous(): Promise<void> {
    await until('the standby of PostgreSQL is synchronous', async () => {
      const rows = await this.query('postgres', 'select 1 from pg_stat_replication where sync_state = $$sync$$');
      return rows.length === 1;
    });
  }

  #data(machine: Machine): string {
    const data = join(this.#folder, machine.name);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    own(data);
    return data;
  }
}

export function urlOf({ address }: Machine, database: string): string {
  return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@${address}:${PORT}/${database}`;
}

function own(path: string): void {
  const { uid, gid } = serverUser();
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
}

function asUser(name: string): [string, ...string[]] {
  const { uid, gid } = serverUser();
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', program(name)];
}

async function run(machine: Machine, name: string, ...args: string[]): Promise<void> {
  const code = await machine.run(name, ...asUser(name), ...args);
  if (code !== 0) throw new Error(`${name} failed with exit code ${code}:\n${logEnd(machine.log(name))}`);
}
