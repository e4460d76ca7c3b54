/**
 * Tests the store in a real PostgreSQL server: the behavior that all stores share, and failures of the server and the
 * connection.
 */
import { spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { POSTGRES_MARK } from '../../../lib/files/coordinator-file.ts';
import { NotLeaderError, RejectedError, UnreachableError } from '../../../proto/errors.ts';
import { collected } from '../../../test/support/collected.ts';
import { testPostgresStore } from '../../../test/support/coordinator/postgres-contract.ts';
import { expireLeadership, lead, openAsLeader } from '../../../test/support/coordinator/postgres-leader.ts';
import {
  AT,
  addSweep,
  byNobody,
  created,
  GRANTED,
  NEW_SWEEP,
  planned,
  reported,
} from '../../../test/support/coordinator/store-writer.ts';
import { freePort } from '../../../test/support/free-port.ts';
import { PostgresServer, postgresMissing } from '../../../test/support/postgres-server.ts';
import { isSkipped } from '../../../test/support/requirements.ts';
import { until } from '../../../test/support/until.ts';
import type { Change } from '../../core/step.ts';
import { LEADERSHIP_MS } from '../../leader/leadership.ts';
import { formatHighWater } from '../high-water.ts';
import { trialReports } from '../report-stream.ts';
import { SCHEMA_VERSION } from '../schema.ts';
import { SqliteStore } from '../sqlite-store.ts';
import { connect as openConnection } from './connection.ts';
import { PostgresElection } from './election.ts';
import { becomeWriter } from './leadership.ts';
import { parsePostgresLocation } from './location.ts';
import { PostgresStore } from './postgres-store.ts';

const SUCCEEDED = { state: 'succeeded', detail: '', failure: undefined } as const;

const folder = mkdtempSync(join(tmpdir(), 'trawl-postgres-'));
const onProblem = () => {};
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

describe.skipIf(isSkipped(postgresMissing()))('a store in PostgreSQL', () => {
  let server: PostgresServer;
  let databases = 0;

  beforeAll(async () => {
    server = await PostgresServer.start();
    return () => server.close();
  });

  const newFolder = () => mkdtempSync(join(folder, 'coordinator-'));
  const newDatabase = async () => {
    databases += 1;
    const name = `d${databases}`;
    return { name, url: await server.createDatabase(name) };
  };
  const opened = async (url: string, dir = newFolder()) => {
    const store = await openAsLeader(url, dir);
    onTestFinished(() => store.close());
    return store;
  };

  testPostgresStore(() => server, folder);

  test('the tables have the columns of the embedded store, with the corresponding types', async () => {
    const { url, name } = await newDatabase();
    await opened(url);
    const types = { bigint: 'INTEGER', 'double precision': 'REAL', text: 'TEXT' };
    const rows = await server.query(
      name,
      `select table_name, column_name, data_type, is_nullable from information_schema.columns
       where table_schema = 'public' and table_name not in ('trawl_count_changes', 'leadership')
       order by table_name, column_name`,
    );
    const sqlite = SqliteStore.open(newFolder());
    onTestFinished(() => sqlite.close());
    const expected = sqlite.db
      .prepare(
        `select s.name as "table", c.name as "column", c.type, c."notnull" or c.pk > 0 as required
         from sqlite_schema as s, pragma_table_info(s.name) as c
         where s.type = 'table' and s.name not like 'sqlite_%' order by s.name, c.name`,
      )
      .all() as { table: string; column: string; type: string; required: number }[];
    expect(rows.map((row) => [row.table_name, row.column_name, row.data_type, row.is_nullable])).toEqual(
      expected.map(({ table, column, type, required }) => [
        table,
        column,
        Object.entries(types).find(([, each]) => each === type)?.[0],
        required > 0 ? 'NO' : 'YES',
      ]),
    );
  });

  test('texts with NUL characters are stored exactly, even in the name of the ranking metric', async () => {
    const { url } = await newDatabase();
    const store = await opened(url);
    const metric = 'loss\0\u0001';
    const id = await store.addSweep({ ...NEW_SWEEP, metric }, [planned('t0', 0)], AT);
    const { key } = GRANTED;
    const text = 'a\0b\u0001c\\u0000d\u0001\u0001';
    await store.write(
      byNobody([
        GRANTED,
        reported(1, { [metric]: 0.5 }),
        { kind: 'log', key, seq: 2, at: AT, text },
        { kind: 'trial', sweepId: id, trialId: 't0', state: 'succeeded', detail: '', failure: undefined },
      ]),
      AT,
    );
    expect((await store.queries().trials.get(id, 't0')).metrics).toEqual({ [metric]: 0.5 });
    expect(await store.queries().attempts.log(id, 't0', 1, 0)).toEqual([{ seq: 2, text }]);
    expect((await store.queries().sweeps.get(id)).metric?.name).toBe(metric);
    expect(await store.queries().trials.bestResults(id, 'minimize', 1)).toEqual([{ index: 0, value: 0.5 }]);
  });

  test('trials are ranked by their results, but a value that is not finite gives no rank', async () => {
    const { url } = await newDatabase();
    const store = await opened(url);
    const id = await addSweep(store, 4);
    const values = [0.1, Number.NaN, Number.POSITIVE_INFINITY, 5e-324];
    for (const [at, value] of values.entries()) {
      const key = { sweepId: id, trialId: `t${at}`, attempt: 1 };
      await store.write(
        byNobody([
          { ...GRANTED, key },
          { kind: 'report', key, seq: 1, at: AT, epoch: 1, metrics: { test_loss: value } },
          { kind: 'trial', sweepId: id, trialId: key.trialId, state: 'succeeded', detail: '', failure: undefined },
        ]),
        AT,
      );
    }
    expect(await store.queries().trials.bestResults(id, 'minimize', 9)).toEqual([
      { index: 3, value: 5e-324 },
      { index: 0, value: 0.1 },
    ]);
  });

  test.each([
    ['stopped and started', (of: PostgresServer) => of.stop()],
    ['killed and started', (of: PostgresServer) => of.kill()],
  ])(
    'if the server is %s while a coordinator writes, no transaction is lost or stored twice',
    async (_, end) => {
      const own = await PostgresServer.start({ fsync: true });
      onTestFinished(() => own.close());
      const store = await opened(await own.createDatabase('d'));
      const id = await addSweep(store);
      await store.write(byNobody([GRANTED]), AT);
      let acknowledged = 0;
      let done = false;
      const writing = (async () => {
        for (let seq = 1; !done; seq++) {
          await store.write(byNobody([reported(seq), created(`n${seq}`, seq + 2)]), AT);
          acknowledged = seq;
        }
      })();
      for (let round = 0; round < 3; round++) {
        await sleep(300);
        const before = acknowledged;
        await end(own);
        // Reads wait until the server is back.
        const read = store.queries().trials.created(id);
        await own.start();
        expect(await read).toBeGreaterThanOrEqual(before + 3);
        while (acknowledged <= before + 1) await sleep(20);
      }
      done = true;
      await writing;
      const reports = await collected(trialReports(store.queries(), id, 't0'));
      expect(reports.map(({ epoch }) => epoch)).toEqual(Array.from({ length: acknowledged }, (__, at) => at + 1));
      expect(await store.queries().trials.created(id)).toBe(acknowledged + 3);
      expect(acknowledged).toBeGreaterThan(10);
    },
    120_000,
  );

  test('if connections are cut at any moment, every transaction is stored once', async () => {
    const { url, name } = await newDatabase();
    const store = await opened(url);
    const id = await addSweep(store);
    await store.write(byNobody([GRANTED]), AT);
    let done = false;
    const cutting = (async () => {
      while (!done) {
        await server.query(
          'postgres',
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and application_name like 'trawl%'`,
        );
        await sleep(20 + Math.random() * 60);
      }
    })();
    const reports = 200;
    try {
      for (let seq = 1; seq <= reports; seq++) {
        await store.write(byNobody([reported(seq), created(`n${seq}`, seq + 2)]), AT);
      }
    } finally {
      done = true;
      await cutting;
    }
    const stored = await collected(trialReports(store.queries(), id, 't0'));
    expect(stored.map(({ epoch }) => epoch)).toEqual(Array.from({ length: reports }, (_, at) => at + 1));
    expect(await store.queries().trials.created(id)).toBe(reports + 3);
    const events = await store.queries().sweeps.eventsAfter(id, 0, 10_000);
    expect(new Set(events.map(({ seq }) => seq)).size).toBe(events.length);
    expect(events.filter(({ kind }) => kind === 'reported')).toHaveLength(reports);
  });

  test('the numbers of trials by state are correct after many changes in one transaction', async () => {
    const { url, name } = await newDatabase();
    const store = await opened(url);
    const trials = 5_000;
    const id = await addSweep(store, trials);
    const states = ['offered', 'held', 'cancelled'] as const;
    const moves = states.flatMap((state, round) =>
      Array.from({ length: trials - round * 1_000 }, (_, at): Change => {
        return { kind: 'trial', sweepId: id, trialId: `t${at}`, state, detail: '', failure: undefined };
      }),
    );
    const begun = performance.now();
    await store.write(byNobody(moves), AT);
    expect(performance.now() - begun).toBeLessThan(60_000);
    const { counts } = await store.queries().sweeps.get(id);
    expect(counts).toMatchObject({ pending: 0, offered: 1_000, held: 1_000, cancelled: 3_000 });
    expect(await server.query(name, 'select count(*) as n from trawl_count_changes')).toEqual([{ n: 0 }]);
  });

  test('if a network drops the data of a connection without notice, a new connection replaces the old connection', async () => {
    const { url } = await newDatabase();
    const relay = await startSilencer(server.port);
    const through = new URL(url);
    through.port = `${relay.port}`;
    const store = await opened(`${through}?query_timeout=1000`);
    const id = await addSweep(store);
    await store.write(byNobody([GRANTED]), AT);
    for (let seq = 1; seq <= 6; seq++) {
      const writing = store.write(byNobody([reported(seq)]), AT);
      // If `seq` is even, the relay falls silent after the server has received the data. If `seq` is odd, the relay
      // falls silent before the server has received the data.
      if (seq % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      relay.silenceOpen();
      await writing;
    }
    const stored = await collected(trialReports(store.queries(), id, 't0'));
    expect(stored.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('only one coordinator leads, and a standby leads once the leader releases its leadership or lets it expire', async () => {
    const { url, name } = await newDatabase();
    await server.query('postgres', `alter database ${name} set default_transaction_isolation = 'serializable'`);
    const [first, second] = [new PostgresElection(url), new PostgresElection(url)];
    onTestFinished(() => Promise.all([first.close(), second.close()]).then(() => {}));
    const led = await first.tryToLead('a', 'host-a:1');
    expect(led).toMatchObject({ holder: 'a', epoch: 1, address: 'host-a:1' });
    expect(await second.tryToLead('b', 'host-b:1')).toMatchObject({ holder: 'a', epoch: 1, address: 'host-a:1' });
    expect(await first.renew(led, 'host-a:2')).toBe(true);
    const seen = await second.tryToLead('b', 'host-b:1');
    expect(seen).toMatchObject({ holder: 'a', address: 'host-a:2' });
    expect(seen.remainingMs).toBeGreaterThan(LEADERSHIP_MS - 3_000);
    expect(seen.remainingMs).toBeLessThanOrEqual(LEADERSHIP_MS);
    await first.release(led);
    expect(await second.tryToLead('b', 'host-b:1')).toMatchObject({ holder: 'b', epoch: 2 });
    expect(await first.renew(led, 'host-a:1')).toBe(false);
    await first.release(led);
    expect(await first.tryToLead('a', 'host-a:1')).toMatchObject({ holder: 'b', epoch: 2 });
    await expireLeadership(url);
    expect(await second.renew({ holder: 'b', epoch: 2 }, 'host-b:1')).toBe(true);
    await expireLeadership(url);
    expect(await first.tryToLead('a', 'host-a:1')).toMatchObject({ holder: 'a', epoch: 3 });
    // The leadership of a process that has ended can be taken over before it expires.
    expect(await second.tryToLead('c', 'host-c:1', { holder: 'b' })).toMatchObject({ holder: 'a', epoch: 3 });
    const stale = await second.tryToLead('c', 'host-c:1', { holder: 'a' });
    expect(stale).toMatchObject({ holder: 'c', epoch: 4 });
    // A coordinator that names the current `expiresAt` of a leadership can take over the leadership before it expires.
    // A renewal changes `expiresAt`.
    expect(await second.renew(stale, 'host-c:1')).toBe(true);
    expect(await first.tryToLead('d', 'host-d:1', { expiresAt: stale.expiresAt })).toMatchObject({
      holder: 'c',
      epoch: 4,
    });
    const { expiresAt } = await first.tryToLead('d', 'host-d:1');
    expect(await first.tryToLead('d', 'host-d:1', { expiresAt })).toMatchObject({ holder: 'd', epoch: 5 });
    // A takeover that waits for the transaction of another coordinator succeeds, although the database has the
    // isolation level `serializable` by default.
    await expireLeadership(url);
    const { client, cut } = await openConnection(parsePostgresLocation(url));
    await client.query('begin');
    await client.query("update leadership set address = 'host-x:1'");
    const waiting = second.tryToLead('e', 'host-e:1');
    await sleep(300);
    await client.query('commit');
    cut();
    expect(await waiting).toMatchObject({ holder: 'e', epoch: 6 });
  });

  test('after a takeover, no write of the previous leader is stored', async () => {
    const { url, name } = await newDatabase();
    const dir = newFolder();
    const before = await opened(url, dir);
    const id = await addSweep(before);
    await before.write(byNobody([GRANTED]), AT);
    const term = await lead(url);
    // The new leader has not opened the store yet.
    const writes: (() => Promise<unknown>)[] = [
      () => before.write(byNobody([reported(1)]), AT),
      () => addSweep(before),
      () => before.removeSweep(id),
      () => before.endRemoval(id),
      () => before.setArtifactLocation('s3://elsewhere/'),
    ];
    for (const write of writes) await expect(write()).rejects.toThrow(NotLeaderError);
    await server.query(
      'postgres',
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and application_name like 'trawl%'`,
    );
    await expect(before.write(byNobody([reported(1)]), AT)).rejects.toThrow(NotLeaderError);
    const after = await PostgresStore.open(url, newFolder(), { term, onProblem });
    onTestFinished(() => after.close());
    expect(await collected(trialReports(after.queries(), id, 't0'))).toEqual([]);
    expect(await after.artifactLocation()).toBeUndefined();
    await after.write(byNobody([reported(1)]), AT);
    await expect(
      PostgresStore.open(url, newFolder(), { term: { ...term, epoch: term.epoch - 1 }, onProblem }),
    ).rejects.toThrow(NotLeaderError);
  });

  test('a takeover waits for a running transaction, and ends the transaction of a suspended leader', async () => {
    const { url } = await newDatabase();
    const term = await lead(url);
    await PostgresStore.open(url, newFolder(), { term, onProblem }).then((store) => store.close());
    const { client: writer, cut } = await openConnection(parsePostgresLocation(url));
    onTestFinished(cut);
    const number = await becomeWriter(writer, term);
    const begin = async () => {
      await writer.query('begin');
      await writer.query('select trawl_check_writer($1)', [number]);
      await expireLeadership(url);
    };
    const standby = new PostgresElection(url);
    onTestFinished(() => standby.close());
    await begin();
    // A renewal does not wait for the transaction.
    expect(await standby.renew(term, 'a:1')).toBe(true);
    await expireLeadership(url);
    const waiting = standby.tryToLead('b', 'b:1');
    await sleep(300);
    await writer.query('commit');
    expect(await waiting).toMatchObject({ holder: 'b', epoch: term.epoch + 1 });

    // The next leader begins a transaction, and then sends nothing more.
    const next = { holder: 'b', epoch: term.epoch + 1 };
    const suspended = await becomeWriter(writer, next);
    await writer.query('begin');
    await writer.query('select trawl_check_writer($1)', [suspended]);
    await expireLeadership(url);
    await vi.waitFor(async () => expect((await standby.tryToLead('c', 'c:1')).holder).toBe('c'), {
      timeout: 20_000,
      interval: 100,
    });
    await expect(writer.query('commit')).rejects.toThrow();
  });

  test('takeovers during transactions lose no acknowledged write, and a leader stores no write after the next leader has loaded the store', async () => {
    const { url } = await newDatabase();
    const first = await opened(url);
    const id = await addSweep(first);
    await first.write(byNobody([GRANTED]), AT);
    let stored = 0;
    let seq = 0;
    for (let round = 0; round < 12; round++) {
      const store = round === 0 ? first : await opened(url);
      // Once a term has started, no write of an earlier term is stored.
      const loaded = (await collected(trialReports(store.queries(), id, 't0'))).length;
      expect(loaded).toBeGreaterThanOrEqual(stored);
      seq = loaded;
      stored = loaded;
      const takeover = sleep(50 + Math.random() * 50).then(() => lead(url));
      const lost = await (async () => {
        const deadline = performance.now() + 10_000;
        while (performance.now() < deadline) {
          seq += 1;
          await store.write(byNobody([reported(seq)]), AT);
          stored = seq;
        }
      })().catch((error: unknown) => error);
      expect(lost).toBeInstanceOf(NotLeaderError);
      await takeover;
    }
    const last = await opened(url);
    const epochs = (await collected(trialReports(last.queries(), id, 't0'))).map(({ epoch }) => epoch);
    expect(epochs).toEqual(Array.from({ length: epochs.length }, (_, at) => at + 1));
    expect(epochs.length).toBeGreaterThanOrEqual(stored);
    expect(epochs.length).toBeGreaterThan(12);
  });

  test('after an upgrade from a version without leadership, a coordinator of that version can no longer write', async () => {
    const { url, name } = await newDatabase();
    await openAsLeader(url, newFolder()).then((store) => store.close());
    await server.query(
      name,
      `drop table leadership; drop function trawl_check_writer; drop function trawl_begin_write;
       create function trawl_begin_write(expected bigint) returns void language sql as 'select 1'`,
    );
    await opened(url);
    await expect(server.query(name, 'select trawl_begin_write(1)')).rejects.toThrow(/does not exist/);
  });

  test('a store that another session has changed accepts no further transaction', async () => {
    const { url, name } = await newDatabase();
    const store = await opened(url);
    await addSweep(store);
    await server.query(name, "update meta set value = '7' where name = 'commits'");
    await expect(store.write(byNobody([GRANTED]), AT)).rejects.toThrow(/another program has changed it/);
    expect(await store.queries().attempts.all('1', 't0')).toEqual([]);
  });

  test('a store that has lost acknowledged transactions is rejected', async () => {
    const { url, name } = await newDatabase();
    const dir = newFolder();
    const store = await openAsLeader(url, dir);
    await addSweep(store);
    await store.close();
    await server.query(name, "update meta set value = '0' where name = 'commits'");
    await expect(openAsLeader(url, dir)).rejects.toThrow(/lost data: it holds 0 of 1 transactions/);
    const other = await newDatabase();
    await expect(openAsLeader(other.url, dir)).rejects.toThrow(/is not the one that was used in/);
    expect(() => SqliteStore.open(dir)).toThrow(/is in PostgreSQL: pass its URL with --store/);
  });

  test('a coordinator with its store in PostgreSQL rejects a folder that has an embedded store', async () => {
    const { url } = await newDatabase();
    const dir = newFolder();
    await SqliteStore.open(dir).close();
    await expect(openAsLeader(url, dir)).rejects.toThrow(/has its own store \(store\.db\): omit --store/);
  });

  test('an older store is upgraded, and a newer store is rejected', async () => {
    const { url, name } = await newDatabase();
    const dir = newFolder();
    const older = await openAsLeader(url, dir);
    await older.addSweep({ ...NEW_SWEEP, replicates: 2 }, [planned('t0', 0), planned('t1', 1)], AT);
    const succeeded: Change = { ...{ kind: 'trial', sweepId: '1', trialId: 't0' }, ...SUCCEEDED };
    await older.write(byNobody([GRANTED, reported(1), succeeded]), AT);
    await older.close();
    const added = ['parent', 'parent_attempt', 'parent_epoch', 'replaces', 'compared_at'];
    const drop = added.map((column) => `drop column ${column}`).join(', ');
    await server.query(
      name,
      `drop table config_results; alter table trials ${drop}; update meta set value = '25' where name = 'schema'`,
    );
    const store = await openAsLeader(url, dir);
    expect((await store.queries().trials.get('1', 't0')).origin).toBeUndefined();
    expect(await store.queries().trials.bestConfigs('1', 'minimize', 5)).toEqual(['c0']);
    await store.close();
    await server.query(name, `update meta set value = '${SCHEMA_VERSION + 1}' where name = 'schema'`);
    await expect(openAsLeader(url, dir)).rejects.toThrow(/the store has schema \d+, but this trawl supports/);
  });

  test('a damaged record of the acknowledged transactions is rejected', async () => {
    const { url } = await newDatabase();
    const dir = newFolder();
    writeFileSync(join(dir, POSTGRES_MARK), formatHighWater({ cluster: 'aaaaaaaa', commits: 1 }).slice(1));
    await expect(openAsLeader(url, dir)).rejects.toThrow(/postgres\.high-water is damaged/);
  });

  test('if the server or the database is unusable, the error states the cause and the remedy', async () => {
    const { url, name } = await newDatabase();
    const open = (location: string) => openAsLeader(location, newFolder());
    const wrong = new URL(url);
    wrong.password = 'wrong';
    await expect(open(wrong.href)).rejects.toThrow(RejectedError);
    await expect(open(wrong.href)).rejects.toThrow(/rejected the user or the password of postgres:\/\/trawl@127/);
    const missing = new URL(url);
    missing.pathname = '/none';
    await expect(open(missing.href)).rejects.toThrow(/database of .* does not exist .*createdb/);
    const closed = new URL(url);
    closed.port = `${await freePort()}`;
    await expect(open(closed.href)).rejects.toThrow(UnreachableError);
    await expect(open(closed.href)).rejects.toThrow(/could not reach PostgreSQL at postgres:/);
    await expect(open(`${url}?sslmode=require`)).rejects.toThrow(/does not use TLS/);
    await server.query(name, 'create table meta (x integer)');
    await expect(open(url)).rejects.toThrow(/has a table "meta" that trawl did not create/);
  });

  test('a user who may not create tables is rejected, and nothing is changed', async () => {
    const { url, name } = await newDatabase();
    await server.query(name, "create role guest login password 'p'; revoke create on schema public from public");
    const guest = new URL(url);
    guest.username = 'guest';
    guest.password = 'p';
    await expect(openAsLeader(guest.href, newFolder())).rejects.toThrow(/make the user the owner of the database/);
    await opened(url);
  });

  test('sslmode decides whether the certificate of the server is verified', async () => {
    const tls = await PostgresServer.start();
    onTestFinished(() => tls.close());
    const [key, certificate] = [join(tls.folder, 'key.pem'), join(tls.folder, 'certificate.pem')];
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
    ]);
    expect(made.status).toBe(0);
    const { uid, gid } = statSync(tls.folder);
    for (const path of [key, certificate]) chownSync(path, uid, gid);
    await tls.query('postgres', `alter system set ssl_cert_file = '${certificate}'`);
    await tls.query('postgres', `alter system set ssl_key_file = '${key}'`);
    await tls.query('postgres', 'alter system set ssl = on');
    await tls.stop();
    await tls.start();
    const url = (await tls.createDatabase('d')).replace('127.0.0.1', 'localhost');
    await openAsLeader(`${url}?sslmode=require`, newFolder()).then((store) => store.close());
    await expect(opened(`${url}?sslmode=verify-full`)).rejects.toThrow(
      /certificate of PostgreSQL at .* is not trusted/,
    );
    const store = await opened(`${url}?sslmode=verify-full&sslrootcert=${certificate}`);
    expect(
      await store.reader.all('select count(*) as n from pg_stat_ssl where ssl and pid = pg_backend_pid()'),
    ).toEqual([{ n: 1 }]);
  });
});

describe.skipIf(isSkipped(postgresMissing()))('a store in several servers of PostgreSQL', () => {
  test('a write waits for a lost synchronous standby, and the reason is reported until the standby is no longer needed', async () => {
    const server = await PostgresServer.start();
    onTestFinished(() => server.close());
    const url = await server.createDatabase('d');
    const term = await lead(url);
    const problems: (string | undefined)[] = [];
    const store = await PostgresStore.open(url, mkdtempSync(join(folder, 'coordinator-')), {
      term,
      onProblem: (problem) => problems.push(problem),
    });
    onTestFinished(() => store.close());
    const id = await addSweep(store);
    await store.write(byNobody([GRANTED]), AT);
    await server.query('postgres', "alter system set synchronous_standby_names = 'lost'");
    await server.query('postgres', 'select pg_reload_conf()');
    let isDurable = false;
    const written = store.write(byNobody([reported(1)]), AT).then(() => {
      isDurable = true;
    });
    await vi.waitFor(() => expect(problems).toHaveLength(1), 20_000);
    expect(problems[0]).toMatch(/^commits wait for a synchronous standby of PostgreSQL \(.* is "lost"\)/);
    const election = new PostgresElection(url);
    onTestFinished(() => election.close());
    await expect(election.renew(term, 'a:1')).rejects.toThrow(/commits wait for a synchronous standby/);
    expect(isDurable).toBe(false);
    await server.query('postgres', 'alter system reset synchronous_standby_names');
    await server.query('postgres', 'select pg_reload_conf()');
    await written;
    expect(problems.slice(1)).toEqual([undefined]);
    expect(await election.renew(term, 'a:1')).toBe(true);
    expect(await collected(trialReports(store.queries(), id, 't0'))).toHaveLength(1);
  });

  test('if the primary server fails to answer and a standby is promoted, the store moves to the standby', async () => {
    const primary = await PostgresServer.start();
    onTestFinished(() => primary.close());
    const database = await primary.createDatabase('d');
    const standby = await primary.startStandby();
    onTestFinished(() => standby.close());
    await until('the standby is synchronous', async () => {
      const rows = await primary.query('postgres', "select 1 from pg_stat_replication where sync_state = 'sync'");
      return rows.length === 1;
    });
    const url = database.replace(/@[^/]*/, `@127.0.0.1:${standby.port},127.0.0.1:${primary.port}`);
    const term = await lead(url);
    const store = await PostgresStore.open(url, mkdtempSync(join(folder, 'coordinator-')), { term, onProblem });
    onTestFinished(() => store.close());
    const id = await addSweep(store);
    await store.write(byNobody([GRANTED]), AT);
    // The suspended server does not answer, and does not close its connections.
    primary.suspend();
    onTestFinished(() => primary.resume());
    const reports = store.write(byNobody([reported(1)]), AT);
    await sleep(500);
    await standby.promote();
    await reports;
    primary.resume();
    await store.write(byNobody([reported(2)]), AT);
    expect(await standby.query('d', 'select count(*) as n from reports')).toEqual([{ n: 2 }]);
    expect(await collected(trialReports(store.queries(), id, 't0'))).toHaveLength(2);
    // The former primary server is not used, because its timeline is older.
    const reopened = await PostgresStore.open(url, mkdtempSync(join(folder, 'coordinator-')), { term, onProblem });
    await reopened.write(byNobody([reported(3)]), AT);
    await reopened.close();
    expect(await standby.query('d', 'select count(*) as n from reports')).toEqual([{ n: 3 }]);
  });
});

/**
 * Starts a TCP relay. `silenceOpen` makes the relay drop all further data on the connections that are open now, without
 * closing them.
 */
async function startSilencer(target: number): Promise<{ readonly port: number; silenceOpen(): void }> {
  let open: { silent: boolean }[] = [];
  const sockets = new Set<Socket>();
  const relay = createServer((near) => {
    const connection = { silent: false };
    open.push(connection);
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => {
        if (!connection.silent) to.write(chunk);
      });
      from.on('error', () => {});
      from.on('close', () => {
        if (!connection.silent) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  return {
    port: (relay.address() as AddressInfo).port,
    silenceOpen() {
      for (const connection of open) connection.silent = true;
      open = [];
    },
  };
}
