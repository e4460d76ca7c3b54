/** Tests migrations to real PostgreSQL and S3 servers, migrations back to a folder, and migrations that are killed. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { RENEW_INTERVAL_MS } from '../../coordinator/leader/leadership.ts';
import { type MigrationOptions, migrate } from '../../coordinator/migrate/migrate.ts';
import { openStore } from '../../coordinator/store/open.ts';
import { PostgresElection } from '../../coordinator/store/postgres/election.ts';
import { storeTables } from '../../coordinator/store/store-tables.ts';
import { isDiskFull, RejectedError, UnreachableError } from '../../proto/errors.ts';
import { expireLeadership, lead, openAsLeader } from '../support/coordinator/postgres-leader.ts';
import { SAMPLE_FILES, sampleFolder, sqliteContents } from '../support/coordinator/sample-folder.ts';
import { AT, byNobody, created } from '../support/coordinator/store-writer.ts';
import { PostgresServer, postgresMissing } from '../support/postgres-server.ts';
import { isSkipped } from '../support/requirements.ts';
import { S3_CREDENTIALS, type S3Server, s3ServerMissing, startS3Server } from '../support/s3-server.ts';
import { smallDisk } from '../support/small-disk.ts';

/**
 * The compiled fixture, which starts several times as fast as its source. The build at the start of the slow suite
 * creates this file.
 */
const FIXTURE = fileURLToPath(new URL('../../dist/test/support/coordinator/migrate.fixture.js', import.meta.url));
/** Migrations are killed while they copy or verify these tables. TRAWL_FAULT_ROUNDS above 1 selects all tables. */
const TABLES = Number(process.env.TRAWL_FAULT_ROUNDS ?? 1) > 1 ? storeTables().map(({ name }) => name) : ['reports'];
const STEPS = [
  'marked',
  'files',
  ...TABLES.flatMap((table) => [`copy ${table}`, `verify ${table}`]),
  'copied',
  'moved',
];

describe.skipIf(isSkipped(postgresMissing() ?? s3ServerMissing()))('migrations with PostgreSQL and S3', () => {
  let folder: string;
  let server: PostgresServer;
  let s3: S3Server;
  let databases = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'trawl-migrate-test-'));
    server = await PostgresServer.start();
    s3 = await startS3Server(join(folder, 's3'));
    for (const [name, value] of Object.entries(S3_CREDENTIALS)) vi.stubEnv(name, value);
    return async () => {
      await server.close();
      await s3.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    };
  });

  const newFolder = () => mkdtempSync(join(folder, 'folder-'));
  const newDatabase = async () => {
    databases += 1;
    const name = `d${databases}`;
    return { name, url: await server.createDatabase(name) };
  };
  const location = () => `s3://trawl/${databases}?endpoint=${s3.url}&region=us-east-1`;
  /**
   * Copies a data folder. Tests open the store in the copy, because libsql keeps an open store locked until the process
   * ends.
   */
  const copyOf = (dir: string) => {
    const copy = newFolder();
    cpSync(dir, copy, { recursive: true });
    return copy;
  };
  const options = (dir: string, more: Partial<MigrationOptions> & Pick<MigrationOptions, 'to'>): MigrationOptions => {
    return { dir, store: undefined, artifacts: undefined, allowMissing: false, onProgress: () => {}, now: 0, ...more };
  };
  const rowsOf = (dir: string) => {
    const { meta, ...rows } = sqliteContents(join(dir, 'store.db')).rows;
    return rows;
  };

  test('a store that is moved into PostgreSQL and S3 and back into a folder has the same rows and files', async () => {
    const dir = await sampleFolder(folder);
    const { url, name } = await newDatabase();
    const there = await migrate(options(dir, { to: { store: url }, artifacts: location() }));
    expect(there.files).toMatchObject({ files: 4, missing: [] });
    const original = sqliteContents(join(dir, 'store.db')).rows;
    for (const { name: table } of storeTables().filter((each) => each.name !== 'meta')) {
      const [found] = await server.query(name, `select count(*) as n from ${table}`);
      expect(found?.n, table).toBe(original[table]?.length);
    }
    expect(() => openStore(dir)).toThrow('was moved to postgres://');
    // The files are deleted from the folder, so that the migration back can use only the copies in S3.
    for (const { path } of SAMPLE_FILES) rmSync(join(dir, path));
    const back = newFolder();
    const again = await migrate(options(dir, { store: url, to: { dir: back } }));
    expect(again.files).toMatchObject({ files: 4, missing: [] });
    expect(sqliteContents(join(back, 'store.db'))).toEqual(sqliteContents(join(dir, 'store.db')));
    for (const { path, bytes } of SAMPLE_FILES) expect(readFileSync(join(back, path)).equals(bytes), path).toBe(true);
    await expect(openAsLeader(url, newFolder())).rejects.toThrow(`was moved to ${back}`);
    openStore(copyOf(back)).close();
  });

  test('a store that was moved to PostgreSQL works with its data folder, and continues its event numbers and trial counts', async () => {
    const dir = await sampleFolder(folder);
    const { url, name } = await newDatabase();
    await migrate(options(dir, { to: { store: url } }));
    const [last] = await server.query(name, "select value from meta where name = 'last event'");
    const store = await openAsLeader(url, dir);
    await store.write(byNobody([created('new', 9)]), AT);
    const counted = await store.reader.get<{ n: number }>('select sum(n) as n from trial_counts where sweep_id = 1');
    await store.close();
    const [newest] = await server.query(name, 'select max(seq) as seq from events');
    const [trials] = await server.query(name, 'select count(*) as n from trials where sweep_id = 1');
    expect(Number(newest?.seq)).toBeGreaterThan(Number(last?.value));
    expect(counted?.n).toBe(trials?.n);
    await expect(openAsLeader((await newDatabase()).url, dir)).rejects.toThrow('has its own store');
  });

  test('a snapshot of a store in PostgreSQL can be opened as an embedded store with the same rows', async () => {
    const dir = await sampleFolder(folder);
    const { url } = await newDatabase();
    await migrate(options(dir, { to: { store: url } }));
    const store = await openAsLeader(url, dir);
    const snapshot = await store.snapshot();
    const restored = newFolder();
    const pieces: Buffer[] = [];
    for await (const piece of snapshot.read()) pieces.push(piece);
    writeFileSync(join(restored, 'store.db'), Buffer.concat(pieces));
    expect(snapshot.size).toBe(Buffer.concat(pieces).length);
    expect(snapshot.files.map(({ path }) => path).sort()).toEqual(SAMPLE_FILES.map(({ path }) => path).sort());
    snapshot.end();
    await store.close();
    expect(readdirSync(dir).filter((name) => name.endsWith('.part'))).toEqual([]);
    expect(sqliteContents(join(restored, 'store.db'))).toEqual(sqliteContents(join(dir, 'store.db')));
    openStore(copyOf(restored)).close();
  });

  test('a database that is not empty, and a store that a coordinator leads, are rejected and not changed', async () => {
    const dir = await sampleFolder(folder);
    const foreign = await newDatabase();
    await server.query(foreign.name, 'create table notes (text text)');
    await expect(migrate(options(dir, { to: { store: foreign.url } }))).rejects.toThrow('it has the table notes');
    const used = await newDatabase();
    await (await openAsLeader(used.url, newFolder())).close();
    await expect(migrate(options(dir, { to: { store: used.url } }))).rejects.toThrow('already has a store of trawl');
    const election = new PostgresElection(used.url);
    const term = await lead(used.url);
    const renewing = setInterval(() => void election.renew(term, 'head:7070'), RENEW_INTERVAL_MS / 4);
    const back = migrate(options(newFolder(), { store: used.url, to: { dir: join(folder, 'never') } }));
    await expect(back).rejects.toThrow('the coordinator at head:7070 uses the store');
    clearInterval(renewing);
    await election.close();
    const empty = await newDatabase();
    await expect(
      migrate(options(newFolder(), { store: empty.url, to: { dir: join(folder, 'never') } })),
    ).rejects.toThrow('has no store of trawl');
    expect(existsSync(join(folder, 'never'))).toBe(false);
    expect(existsSync(join(dir, 'moved.json'))).toBe(false);
    expect(await server.query(foreign.name, "select relname from pg_class where relname = 'meta'")).toEqual([]);
  });

  /** Opens and closes a store as a coordinator does. Tries up to five times, because a busy server can answer late. */
  const start = async (url: string): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        return await (await openAsLeader(url, newFolder())).close();
      } catch (error) {
        if (tries === 5 || !(error instanceof UnreachableError)) throw error;
      }
    }
  };

  /** Runs a migration in a process that is killed at a step. */
  const killedAt = (step: string, { onProgress, ...given }: MigrationOptions) => {
    const { signal, stderr } = spawnSync(process.execPath, [FIXTURE, JSON.stringify(given), step]);
    expect(signal, `${step}: ${stderr}`).toBe('SIGKILL');
  };

  test('after a kill at any step, the old store can be used until the migration is complete, and a second run completes the migration', async () => {
    const dir = await sampleFolder(folder);
    const before = rowsOf(dir);
    const { url } = await newDatabase();
    const there = options(dir, { to: { store: url }, artifacts: location() });
    const temporary = newFolder();
    vi.stubEnv('TMPDIR', temporary);
    for (const step of STEPS) {
      killedAt(step, there);
      if (step === 'moved') expect(() => openStore(dir)).toThrow('was moved to');
      else openStore(copyOf(dir)).close();
      await expect(start(url), step).rejects.toThrow(`the copy of ${dir}`);
      await expireLeadership(url);
    }
    await migrate(there);
    const back = options(dir, { store: url, to: { dir: join(folder, 'back') } });
    for (const step of STEPS) {
      killedAt(step, back);
      expect(() => openStore(copyOf(join(folder, 'back')))).toThrow('the copy of postgres://');
      await expireLeadership(url);
      if (step === 'moved') await expect(start(url)).rejects.toThrow('was moved to');
      else await start(url);
      await expireLeadership(url);
    }
    const leftovers = readdirSync(temporary);
    await migrate(back);
    // The temporary folders of the killed processes and of this process are removed.
    expect(leftovers.length).toBeGreaterThan(0);
    expect(readdirSync(temporary)).toEqual([]);
    expect(rowsOf(join(folder, 'back'))).toEqual(before);
    expect(readdirSync(join(folder, 'back')).sort()).toEqual([
      'artifacts',
      'code',
      'store.db',
      'store.high-water',
      'token',
    ]);
    for (const { path, bytes } of SAMPLE_FILES) {
      expect(readFileSync(join(folder, 'back', path)).equals(bytes), path).toBe(true);
    }
  });

  test('a store that is moved between databases and buckets has the same rows and files', async () => {
    const dir = await sampleFolder(folder);
    const first = await newDatabase();
    await migrate(options(dir, { to: { store: first.url }, artifacts: location() }));
    for (const { path } of SAMPLE_FILES) rmSync(join(dir, path));
    await expect(migrate(options(dir, { store: first.url, to: { store: first.url } }))).rejects.toThrow(
      'already has a store of trawl',
    );
    const second = await newDatabase();
    const moved = await migrate(options(dir, { store: first.url, to: { store: second.url }, artifacts: location() }));
    expect(moved.files).toMatchObject({ files: 4, missing: [] });
    await expect(openAsLeader(first.url, newFolder())).rejects.toThrow('was moved to postgres://');
    rmSync(join(s3.folder, 'trawl', '1'), { recursive: true, force: true });
    const back = newFolder();
    await migrate(options(dir, { store: second.url, to: { dir: back } }));
    expect(rowsOf(back)).toEqual(rowsOf(dir));
    for (const { path, bytes } of SAMPLE_FILES) expect(readFileSync(join(back, path)).equals(bytes), path).toBe(true);
  });

  const temporary = () => readdirSync(tmpdir()).filter((entry) => entry.startsWith('trawl-migrate-'));

  test('after a failure of the S3 server, the old store can be used, and a second run completes the migration', async () => {
    const before = temporary();
    const dir = await sampleFolder(folder);
    const { url, name } = await newDatabase();
    const there = options(dir, { to: { store: url }, artifacts: location() });
    const isUntouched = async () => {
      expect(await server.query(name, "select relname from pg_class where relname = 'meta'")).toEqual([]);
    };
    await s3.stop();
    await expect(migrate(there)).rejects.toThrow(UnreachableError);
    await isUntouched();
    await s3.start();
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong');
    const wrong = migrate(there);
    await expect(wrong).rejects.toThrow(RejectedError);
    await expect(wrong).rejects.toThrow('the secret key is wrong');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', S3_CREDENTIALS.AWS_SECRET_ACCESS_KEY);
    const absent = migrate({ ...there, artifacts: `s3://absent?endpoint=${s3.url}&region=us-east-1` });
    await expect(absent).rejects.toThrow(RejectedError);
    await expect(absent).rejects.toThrow('the bucket does not exist');
    await isUntouched();

    let stopped: Promise<void> | undefined;
    const onProgress: MigrationOptions['onProgress'] = ({ step }) => {
      if (step === 'files') stopped ??= s3.stop();
    };
    await expect(migrate({ ...there, onProgress })).rejects.toThrow(UnreachableError);
    await stopped;
    openStore(copyOf(dir)).close();
    await s3.start();
    await migrate(there);

    const back = options(dir, { store: url, to: { dir: join(folder, 's3-back') } });
    for (const { path } of SAMPLE_FILES) rmSync(join(dir, path));
    const objects = readdirSync(s3.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.parentPath.includes(`/trawl/${databases}/`))
      .map((entry) => join(entry.parentPath, entry.name));
    expect(objects).toHaveLength(SAMPLE_FILES.length);
    // A migration skips files that an earlier run copied to the same folder, so each run copies to a new folder.
    const elsewhere = () => migrate(options(dir, { store: url, to: { dir: newFolder() } }));
    for (const object of objects.filter((path) => readFileSync(path).length > 0).slice(0, 2)) {
      const bytes = readFileSync(object);
      truncateSync(object, bytes.length - 1);
      await expect(elsewhere(), object).rejects.toThrow('is damaged');
      writeFileSync(object, Buffer.concat([bytes.subarray(0, -1), Buffer.from('?')]));
      await expect(elsewhere(), object).rejects.toThrow('is damaged');
      writeFileSync(object, bytes);
    }
    stopped = undefined;
    await expect(migrate({ ...back, onProgress })).rejects.toThrow(UnreachableError);
    await stopped;
    await start(url);
    await expireLeadership(url);
    await s3.start();
    await migrate(back);
    for (const { path, bytes } of SAMPLE_FILES) {
      expect(readFileSync(join(folder, 's3-back', path)).equals(bytes), path).toBe(true);
    }
    expect(rowsOf(join(folder, 's3-back'))).toEqual(rowsOf(dir));
    expect(temporary()).toEqual(before);
  });

  test('after PostgreSQL is killed, or the disk is full, a second run completes the migration', async () => {
    const dir = await sampleFolder(folder);
    const { url } = await newDatabase();
    const there = options(dir, { to: { store: url } });
    let killed: Promise<void> | undefined;
    const failed = migrate({
      ...there,
      onProgress(progress) {
        if (progress.step === 'copy' && progress.table === 'reports') killed ??= server.kill();
      },
    });
    await expect(failed).rejects.toThrow('the connection to PostgreSQL was lost');
    await killed;
    openStore(copyOf(dir)).close();
    await server.start();
    await expireLeadership(url);
    await migrate(there);

    const disk = smallDisk(join(folder, 'small'), 8);
    if (disk === undefined) return;
    const to = join(folder, 'small', 'back');
    const back = options(dir, { store: url, to: { dir: to } });
    for (const full of ['marked', 'copy reports']) {
      const fills: MigrationOptions['onProgress'] = (progress) => {
        if (full === ('table' in progress ? `${progress.step} ${progress.table}` : progress.step)) disk.fill();
      };
      const error = await migrate({ ...back, onProgress: fills }).catch((thrown: unknown) => thrown);
      expect(isDiskFull(error), `${full}: ${error}`).toBe(true);
      expect(() => openStore(copyOf(to))).toThrow('the copy of postgres://');
      await start(url);
      await expireLeadership(url);
      disk.makeRoom();
    }
    await migrate(back);
    expect(rowsOf(to)).toEqual(rowsOf(dir));
    for (const { path, bytes } of SAMPLE_FILES) expect(readFileSync(join(to, path)).equals(bytes), path).toBe(true);
  });

  test('rows that changed after a killed migration are copied again', async () => {
    const dir = await sampleFolder(folder);
    const { url } = await newDatabase();
    const there = options(dir, { to: { store: url } });
    const failed = migrate({
      ...there,
      onProgress({ step }) {
        if (step === 'copied') throw new Error('the test ends the migration');
      },
    });
    await expect(failed).rejects.toThrow('the test ends');
    const changed = copyOf(dir);
    const db = openStore(changed);
    db.exec("update trials set agent_id = 'later'; delete from logs where trial_id = 't'");
    db.close();
    const closed = copyOf(changed);
    await migrate(options(closed, { to: { store: url } }));
    const back = newFolder();
    await migrate(options(closed, { store: url, to: { dir: back } }));
    expect(rowsOf(back)).toEqual(rowsOf(closed));
  });
});
