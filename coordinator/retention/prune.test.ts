import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Database } from 'libsql';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { CodeArchives } from '../artifacts/code-archives.ts';
import { ArtifactFiles } from '../artifacts/files.ts';
import { pendingRemovals } from '../store/artifact-location.ts';
import { openStore } from '../store/open.ts';
import { Queries } from '../store/queries.ts';
import { SqliteReader } from '../store/reader.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { checkSelector, Pruner, pruneAll } from './prune.ts';

const DAY = 86_400_000;
const NOW = 100 * DAY;

let dir: string;
let db: Database;
let files: ArtifactFiles;
let archives: CodeArchives;
let pruner: Pruner;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-prune-'));
  db = openStore(dir);
  files = new ArtifactFiles(dir);
  archives = new CodeArchives(dir);
  pruner = new Pruner(new SqliteStore(db, ''), files, archives);
  onTestFinished(() => {
    db.close();
    rmSync(dir, { recursive: true, force: true });
  });
});

function sweep(state: string, endedAt: number): string {
  const facts = { requestId: `${state} ${endedAt}`, name: state, fingerprint: 'f', fileName: 's', text: '' };
  const more = { trainer: 'noop', metric: 'm', goal: 'minimize', axes: [], configs: 1, replicates: 1, excluded: 0 };
  const trials = [{ trialId: 't0', configId: 'c', index: 0, seed: 0, parameters: {} }];
  const id = insertSweep(db, { ...facts, ...more, policy: PLAIN_POLICY, priority: 0 }, trials, 1);
  db.prepare('update sweeps set state = ?, ended_at = ? where id = ?').run(state, endedAt, id);
  db.exec(`
    insert into attempts (sweep_id, trial_id, number, agent_id, incarnation, slot, backend, granted_at)
      values (${id}, 't0', 1, 'a', 'i', 0, 'wasm', 5);
    insert into reports values (${id}, 't0', 1, 1, 6, 1, '{}');
    insert into logs values (${id}, 't0', 1, 2, 7, 'text');
    insert into artifacts values (${id}, 't0', 1, 'model', 'model', 0, 3, 'sum', 3, 8);
    insert into retries values (${id}, 't0', 'r', 1, 9);
    insert into notices values (${id}, 't0', 1, 'hook_not_loaded', 'text', 1, 4, 9);
    insert into sources values (${id}, '${codeOf(id)}', 4, 1, 'null', '');
    insert into programs values (${id}, 't0', 1, '[]', '', '', 'e${id}', 5, 9);
    insert into environments values ('e${id}', 'numpy==1');
    insert into warnings values (${id}, 'hook_not_loaded', 'text', 1, 9);
  `);
  const path = fileOf(id);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'abc');
  return id;
}

const codeOf = (id: string) => id.padStart(64, '0');
const fileOf = (id: string) => files.path({ sweepId: id, trialId: 't0', attempt: 1 }, 'model');
const TABLES = [
  'trials',
  'attempts',
  'reports',
  'logs',
  'artifacts',
  'events',
  'retries',
  'notices',
  'warnings',
  'sources',
  'programs',
];
const rowsOf = (id: string) =>
  TABLES.map(
    (table) => (db.prepare(`select count(*) as n from ${table} where sweep_id = ?`).get(id) as { n: number }).n,
  );
const sweeps = async () => (await new Queries(new SqliteReader(db)).sweeps.all()).map(({ id }) => id);

test('a prune request without a selector is rejected, and the error names the expected selectors', () => {
  expect(() => checkSelector({ olderThanMs: 0, keep: 0, all: false })).toThrow(
    'prune needs a selector: expected "older_than_ms" or "keep" above 0, or "all" to remove every ended sweep',
  );
  checkSelector({ olderThanMs: 1, keep: 0, all: false });
  checkSelector({ olderThanMs: 0, keep: 1, all: false });
  checkSelector({ olderThanMs: 0, keep: 0, all: true });
});

test.each([
  { olderThanMs: 1, keep: 0 },
  { olderThanMs: 0, keep: 1 },
])('a prune request for all sweeps with %o is rejected', (selector) => {
  expect(() => checkSelector({ ...selector, all: true })).toThrow(
    'prune got the selector "all" with another selector: omit "all", or omit "older_than_ms" and "keep"',
  );
});

const all = { olderThanMs: 0, keep: 0, dryRun: false };
const withoutOrphans = { removeOrphans: async () => [] };
const ids = (gone: readonly { id: string }[]) => gone.map(({ id }) => id);

test('sweeps that ended long enough ago are removed with their rows and files, and the freed space is reported', async () => {
  const old = sweep('finished', NOW - 40 * DAY);
  const killed = sweep('killed', NOW - 31 * DAY);
  const young = sweep('stopped', NOW - 29 * DAY);
  const newest = sweep('finished', NOW - 90 * DAY);
  expect(await pruner.prune({ ...all, olderThanMs: 30 * DAY }, NOW)).toEqual([
    { id: old, name: 'finished', state: 'finished', endedAtMs: NOW - 40 * DAY, trials: 1, artifacts: 1, bytes: 3 },
    { id: killed, name: 'killed', state: 'killed', endedAtMs: NOW - 31 * DAY, trials: 1, artifacts: 1, bytes: 3 },
  ]);
  expect(await sweeps()).toEqual([young, newest]);
  for (const id of [old, killed]) {
    expect(rowsOf(id)).toEqual(TABLES.map(() => 0));
    expect(existsSync(fileOf(id))).toBe(false);
  }
  expect(rowsOf(young)).toEqual(TABLES.map(() => 1));
  expect(existsSync(fileOf(young))).toBe(true);
});

test.each(['running', 'paused', 'stopping'])('a sweep that is %s is never pruned', async (state) => {
  const live = sweep(state, 0);
  sweep('finished', 1);
  expect(await pruner.prune(all, NOW)).toEqual([]);
  expect(await sweeps()).toContain(live);
});

test('--keep keeps the newest ended sweeps, and the newest sweep is always kept so that its id is not reused', async () => {
  const made = [1, 2, 3, 4].map((day) => sweep('finished', day * DAY));
  expect(ids(await pruner.prune({ ...all, keep: 2 }, NOW))).toEqual(made.slice(0, 2));
  expect(ids(await pruner.prune(all, NOW))).toEqual(made.slice(2, 3));
  expect(Number(sweep('running', 0))).toBeGreaterThan(Number(made[3]));
});

test('a prune removes the rows of a sweep from every table with a column sweep_id', async () => {
  const tables = db
    .prepare(
      `select name from sqlite_schema as s where type = 'table'
         and exists (select 1 from pragma_table_info(s.name) where name = 'sweep_id')`,
    )
    .all() as { name: string }[];
  const id = sweep('finished', NOW - 40 * DAY);
  sweep('finished', NOW);
  db.exec(`
    update attempts set outcome = 'succeeded' where sweep_id = ${id};
    insert into rungs values (${id}, 't0', 1, 1, 1, 0.5, '', 9);
    insert into identical_configs values (${id}, 'c', 2);
    insert into sweep_versions values (${id}, 1, 's', '', 'f', 9);
    update trials set dropped_in = 1 where sweep_id = ${id} and id = 't0';
    insert into warm_starts values (${id}, 0, '{}', 0.5);
    insert into suggestions values (${id}, 0, null, '{}', '');
    insert into config_results values (${id}, 'c', 0, 1, 0, 1, 0.5);
  `);
  const filled = () =>
    tables.flatMap(({ name }) =>
      db.prepare(`select 1 from ${name} where sweep_id = ? limit 1`).get(id) === undefined ? [] : [name],
    );
  expect(filled()).toEqual(tables.map(({ name }) => name));
  await pruner.prune({ ...all, olderThanMs: 30 * DAY }, NOW);
  expect(filled()).toEqual([]);
});

test('a sweep is kept if it runs again before the prune deletes it', async () => {
  const [first, second] = [sweep('finished', 1), sweep('finished', 2)];
  sweep('finished', 3);
  const revived = new Set<string>();
  const slow = { ...withoutOrphans, removeSweep: async () => revived.add(second).has(second) };
  expect(
    ids(
      await new Pruner(new SqliteStore(db, ''), slow, archives, {
        isLive: (id) => revived.has(id),
        exclusively: (operation) => operation(),
        write: (operation) => operation(),
      }).prune(all, NOW),
    ),
  ).toEqual([first]);
  expect(await sweeps()).toContain(second);
});

test('a dry run of prune changes nothing', async () => {
  const old = sweep('finished', 1);
  sweep('finished', 2);
  expect(ids(await pruner.prune({ ...all, dryRun: true }, NOW))).toEqual([old]);
  expect(rowsOf(old)).toEqual(TABLES.map(() => 1));
  expect(existsSync(fileOf(old))).toBe(true);
});

test('the rows of a sweep are removed atomically', async () => {
  const old = sweep('finished', 1);
  sweep('finished', 2);
  db.exec("create trigger cut before delete on sweeps begin select raise(abort, 'cut short'); end");
  await expect(pruner.prune(all, NOW)).rejects.toThrow('cut short');
  expect(rowsOf(old)).toEqual(TABLES.map(() => 1));
  expect(existsSync(fileOf(old))).toBe(true);
  db.exec('drop trigger cut');
  expect(ids(await pruner.prune(all, NOW))).toEqual([old]);
});

test('if a process dies after it removed the rows of a sweep, the next start moves the remaining files aside', async () => {
  const old = sweep('finished', 1);
  const kept = sweep('finished', 2);
  const dies = new Pruner(
    new SqliteStore(db, ''),
    { ...withoutOrphans, removeSweep: () => Promise.reject(new Error('killed here')) },
    archives,
  );
  await expect(dies.prune(all, NOW)).rejects.toThrow('killed here');
  expect(await sweeps()).toEqual([kept]);
  expect(existsSync(fileOf(old))).toBe(true);
  const queries = new Queries(new SqliteReader(db));
  expect(await new ArtifactFiles(dir).moveOrphans((key, name) => queries.artifacts.has(key, name), NOW)).toBe(1);
  expect([existsSync(fileOf(old)), existsSync(fileOf(kept))]).toEqual([false, true]);
});

test('if a process dies after it removed the rows of a sweep, the next prune removes the files of the sweep', async () => {
  const old = sweep('finished', 1);
  sweep('finished', 2);
  const dies = new Pruner(
    new SqliteStore(db, ''),
    { ...withoutOrphans, removeSweep: () => Promise.reject(new Error('killed here')) },
    archives,
  );
  await expect(dies.prune(all, NOW)).rejects.toThrow('killed here');
  const reader = new SqliteReader(db);
  expect(await pendingRemovals(reader)).toEqual([old]);
  expect(await pruner.prune(all, NOW)).toEqual([]);
  expect([existsSync(fileOf(old)), await pendingRemovals(reader)]).toEqual([false, []]);
});

test('files of a pruned sweep are kept until a running backup has finished', async () => {
  const old = sweep('finished', 1);
  sweep('finished', 2);
  const release = files.keepAll();
  await pruner.prune(all, NOW);
  expect(existsSync(fileOf(old))).toBe(true);
  await release();
  expect(existsSync(fileOf(old))).toBe(false);
});

test('code used only by pruned sweeps is removed, at the earliest one hour after its last upload', async () => {
  const first = sweep('finished', NOW - 40 * DAY);
  sweep('finished', NOW);
  const [gone, used, young] = [codeOf(first), codeOf('2'), 'a'.repeat(64)];
  mkdirSync(join(dir, 'code', '.parts'), { recursive: true });
  for (const name of [
    archives.path(gone),
    archives.path(used),
    archives.path(young),
    join(dir, 'code', '.parts', gone),
  ]) {
    writeFileSync(name, 'code');
    const hoursAgo = name === archives.path(young) ? 0.9 : 1.1;
    utimesSync(name, (NOW - hoursAgo * 3_600_000) / 1_000, (NOW - hoursAgo * 3_600_000) / 1_000);
  }
  expect((await pruneAll(pruner, { ...all, orphans: false, dryRun: true }, NOW)).code).toEqual({
    archives: 2,
    bytes: 8,
  });
  expect(archives.has(gone)).toBe(true);
  const release = archives.keepAll();
  expect((await pruner.pruneCode([], false, NOW)).archives).toBe(0);
  release();
  expect((await pruneAll(pruner, { ...all, orphans: false }, NOW)).code).toEqual({ archives: 2, bytes: 8 });
  expect([gone, used, young].map((sha256) => archives.has(sha256))).toEqual([false, true, true]);
  expect(db.prepare('select sha256 from environments').all()).toEqual([{ sha256: 'e2' }]);
});
