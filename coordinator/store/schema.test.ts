import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { expect, onTestFinished, test } from 'vitest';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { slotTimeOf } from '../core/slot-time.ts';
import { SWEEP_TABLES } from './ended-sweeps.ts';
import { loadCore } from './load.ts';
import { openStore, upgradeCopy } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';
import { SCHEMA_VERSION } from './schema.ts';

const TO_VERSION_26 = `
drop table config_results;
pragma user_version = 26;
`;

const TO_VERSION_25 = `
${TO_VERSION_26}
alter table trials drop column parent;
alter table trials drop column parent_attempt;
alter table trials drop column parent_epoch;
alter table trials drop column replaces;
alter table trials drop column compared_at;
pragma user_version = 25;
`;

const TO_VERSION_24 = `
${TO_VERSION_25}
drop table suggestions;
pragma user_version = 24;
`;

const TO_VERSION_23 = `
${TO_VERSION_24}
drop table warm_starts;
pragma user_version = 23;
`;

const TO_VERSION_22 = `
${TO_VERSION_23}
drop trigger dropped_trial_changed;
drop trigger dropped_trial_removed;
drop table dropped_counts;
pragma user_version = 22;
`;

const TO_VERSION_21 = `
${TO_VERSION_22}
drop index dropped_trials;
drop table sweep_versions;
alter table trials drop column dropped_in;
alter table sweeps drop column version;
pragma user_version = 21;
`;

const TO_VERSION_20 = `
${TO_VERSION_21}
drop trigger attempt_succeeded;
drop table agent_successes;
drop index straggling_attempts;
pragma user_version = 20;
`;

const TO_VERSION_19 = `
${TO_VERSION_20}
drop index trials_by_value;
drop index trials_by_config;
create index trials_by_config on trials (sweep_id, config_id);
alter table trials drop column value;
pragma user_version = 19;
`;

const TO_VERSION_18 = `
${TO_VERSION_19}
alter table sweeps drop column slot_ms;
alter table sweeps drop column gpu_ms;
alter table sweeps drop column submitted_by;
alter table trials drop column leased_ms;
alter table attempts drop column gpus;
pragma user_version = 18;
`;

const TO_VERSION_17 = `
${TO_VERSION_18}
drop index trials_by_state;
drop index trials_by_config;
drop index ended_attempts;
drop index early_failures;
create index early_failures on attempts (sweep_id, agent_id) where early = 1;
drop table identical_configs;
alter table sweeps drop column reported;
alter table sweeps drop column lacking;
pragma user_version = 17;
`;

const TO_VERSION_16 = `
${TO_VERSION_17}
alter table sweeps drop column planned;
alter table sweeps drop column searching;
alter table sweeps drop column search;
pragma user_version = 16;
`;

const TO_VERSION_15 = `
${TO_VERSION_16}
drop table rungs;
alter table trials drop column stop_reason;
pragma user_version = 15;
`;

const TO_VERSION_14 = `
${TO_VERSION_15}
drop index agent_events;
alter table events drop column by;
alter table events drop column agent_id;
alter table drains drop column by;
alter table drains drop column since;
alter table sweeps drop column state_by;
alter table sweeps drop column state_at;
pragma user_version = 14;
`;

const TO_VERSION_13 = `
${TO_VERSION_14}
drop trigger trial_added;
drop trigger trial_moved;
drop trigger trial_removed;
drop table trial_counts;
drop index trials_by_index;
pragma user_version = 13;
`;

const TO_VERSION_12 = `
${TO_VERSION_13}
alter table attempts drop column speculative;
alter table attempts drop column free;
update sweeps set policy = json_remove(policy, '$.speculate');
pragma user_version = 12;
`;

const TO_VERSION_11 = `
${TO_VERSION_12}
alter table attempts drop column straggler;
pragma user_version = 11;
`;

const TO_VERSION_10 = `
${TO_VERSION_11}
alter table agents drop column instance;
alter table agents drop column location;
pragma user_version = 10;
`;

const TO_VERSION_9 = `
${TO_VERSION_10}
drop table agents;
pragma user_version = 9;
`;

const TO_VERSION_8 = `
${TO_VERSION_9}
drop table quarantines;
drop index early_failures;
alter table attempts drop column early;
alter table sweeps drop column resumed_at;
pragma user_version = 8;
`;

const TO_VERSION_7 = `
${TO_VERSION_8}
drop table sources;
drop table programs;
drop table environments;
pragma user_version = 7;
`;

const TO_VERSION_1 = `
${TO_VERSION_7}
drop table notices;
drop table warnings;
alter table trials drop column metric_steps;
drop table retries;
drop table drains;
drop table artifacts;
alter table attempts drop column resumed_from;
alter table attempts drop column pack;
alter table sweeps drop column priority;
update sweeps set policy = json_remove(policy, '$.checkpointEvery', '$.reconstructEvery', '$.command', '$.trainer', '$.resources', '$.weight', '$.ranking');
pragma user_version = 1;
`;

test('an upgrade from version 1 keeps a copy of the old store, and gives each stored sweep the defaults of newer settings', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  const policy = {
    ...{ trainer: 'noop', resources: { labels: {} }, weight: 1 },
    ...{
      concurrency: undefined,
      timeoutMs: undefined,
      maxFailed: undefined,
      speculate: true,
      earlyTerminate: undefined,
    },
    ...{ retry: { oom: 1, crash: 2, timeout: 1, backoffMs: 0 }, checkpointEvery: 7, reconstructEvery: 7, command: [] },
    ...{
      ranking: { metric: 'm', goal: 'minimize' as const, at: 'last' as const },
      target: undefined,
      program: undefined,
    },
  };
  const sweep = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'noop', policy };
  const counts = { metric: 'm', goal: 'minimize', axes: [], configs: 1, replicates: 1, excluded: 0, priority: 0 };
  insertSweep(old, { ...sweep, ...counts }, [{ trialId: 't0', configId: 'c', index: 0, seed: 0, parameters: {} }], 1);
  old.exec(
    "insert into attempts values (1, 't0', 1, 'a', 'i', 0, 'wasm', 5, 0, null, null, null, 0, 'p', 0, null, 0, 0, 0)",
  );
  old.exec(TO_VERSION_1);
  // libsql releases the lock of a store only when the process ends, so the test opens a copy of the store.
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  expect(db.prepare('pragma user_version').get()).toMatchObject({ user_version: SCHEMA_VERSION });
  const before = new Database(join(copy, upgradeCopy(1)));
  expect(before.prepare('pragma user_version').get()).toMatchObject({ user_version: 1 });
  expect(before.prepare('select id from trials').all()).toMatchObject([{ id: 't0' }]);
  before.close();
  const loaded = (await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 0 })).sweeps.get('1');
  expect(loaded?.policy).toMatchObject({ checkpointEvery: 1, reconstructEvery: 4, command: [] });
  expect(loaded?.policy).toMatchObject({ trainer: 'noop', resources: { labels: {} }, weight: 1, speculate: false });
  expect(loaded?.priority).toBe(0);
  expect(await new Queries(new SqliteReader(db)).attempts.all('1', 't0')).toMatchObject([
    { number: 1, resumedFrom: 0 },
  ]);
  expect(await new Queries(new SqliteReader(db)).artifacts.page('1', '', { limit: 9 })).toEqual([]);
});

const TO_VERSION_3 = `
${TO_VERSION_7}
drop table notices;
drop table warnings;
alter table trials drop column metric_steps;
drop table retries;
alter table sweeps drop column priority;
alter table attempts drop column pack;
alter table drains rename column grace_left_ms to grace_ends_at;
pragma user_version = 3;
`;

test('an upgrade from version 3 replaces the end of each grace period with the time left, and groups attempts on one slot into a pack', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  old.exec(TO_VERSION_3);
  const running = old.prepare("insert into attempts values (1, ?, 1, 'a', 'i', ?, 'wasm', 5, 0, null, null, null, 0)");
  for (const [trial, slot] of [
    ['t0', 0],
    ['t1', 0],
    ['t2', 1],
  ])
    running.run(trial, slot);
  const drains = old.prepare('insert into drains values (?, ?, ?)');
  drains.run('over', Date.now() - 60_000, '');
  drains.run('on', Date.now() + 3_600_000, 'new driver');
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  const { drains: loaded } = await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 0 });
  expect(loaded.get('over')?.graceEndsAt).toBe(0);
  expect(loaded.get('on')).toMatchObject({ graceEndsAt: expect.closeTo(3_600_000, -6), reason: 'new driver' });
  const packs = (db.prepare('select pack from attempts order by trial_id').all() as { pack: string }[]).map(
    ({ pack }) => pack,
  );
  expect(packs[0]).toBe(packs[1]);
  expect(packs[2]).not.toBe(packs[0]);
});

test('after an upgrade from version 7, the store records the code of new sweeps', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  insertSweep(old, NEW_SWEEP, [], 1);
  old.exec(TO_VERSION_7);
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  const queries = new Queries(new SqliteReader(db));
  expect(await queries.sweeps.source('1')).toBeUndefined();
  const git = {
    commit: 'c',
    branch: 'main',
    remote: '',
    dirty: true,
    untracked: ['a'],
    untrackedCount: 1,
    missing: '',
  };
  const source = { archive: { sha256: 'ab', size: 3 }, files: 2, git, diff: '+x' };
  const id = insertSweep(db, { ...NEW_SWEEP, requestId: 'second', source }, [], 1);
  expect(await queries.sweeps.source(id)).toEqual(source);
  expect([await queries.sweeps.usesCode('ab'), await queries.sweeps.usesCode('cd')]).toEqual([true, false]);
});

test('after an upgrade from version 8, the earlier successes of an agent count for it, but its earlier failures do not count against it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  const trials = ['t0', 't1'].map((trialId, index) => ({ trialId, configId: 'c', index, seed: 0, parameters: {} }));
  insertSweep(old, NEW_SWEEP, trials, 1);
  old.exec(TO_VERSION_8);
  old.exec("insert into attempts values (1, 't0', 1, 'a', 'i', 0, 'wasm', 5, 6, 'failed', 'crash', 'boom', 0, 'p')");
  old.exec("insert into attempts values (1, 't1', 1, 'b', 'i', 0, 'wasm', 5, 6, 'succeeded', null, null, 0, 'p')");
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const core = await loadCore(new SqliteReader(openStore(copy)), { leaseMs: 1000, now: 0 });
  expect(core.quarantines.size).toBe(0);
  const sweep = core.sweeps.get('1');
  expect([...(sweep?.records ?? [])]).toEqual([['b', { successes: 1, refuted: 0, failures: new Map() }]]);
  expect(sweep?.trials.get('t0')?.failedAttempts).toEqual([
    { agentId: 'a', class: 'crash', early: false, free: false },
  ]);
});

test('after an upgrade from version 13, the store keeps the numbers of trials by state up to date', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  const trials = ['t0', 't1', 't2'].map((trialId, index) => ({
    trialId,
    configId: 'c',
    index,
    seed: 0,
    parameters: {},
  }));
  insertSweep(old, NEW_SWEEP, trials, 1);
  old.exec(TO_VERSION_13);
  old.exec("update trials set state = 'failed' where id = 't1'");
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  expect((await new Queries(new SqliteReader(db)).sweeps.get('1')).counts).toMatchObject({ pending: 2, failed: 1 });
  db.exec("update trials set state = 'running' where id = 't2'");
  expect((await new Queries(new SqliteReader(db)).sweeps.get('1')).counts).toMatchObject({
    pending: 1,
    running: 1,
    failed: 1,
  });
});

const NEW_SWEEP = {
  ...{
    requestId: 'first',
    name: 's',
    fingerprint: 'f',
    fileName: 's',
    text: '',
    trainer: 'noop',
    policy: PLAIN_POLICY,
  },
  ...{ metric: 'm', goal: 'minimize', axes: [], configs: 1, replicates: 1, excluded: 0, priority: 0 },
};

test('after an upgrade from version 14, the time of a pause is taken from its event, and the user who paused the sweep is unknown', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  const sweep = { name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'noop', policy: PLAIN_POLICY };
  const counts = {
    metric: 'm',
    goal: 'minimize',
    axes: [],
    configs: 1,
    replicates: 1,
    excluded: 0,
    priority: 0,
  } as const;
  for (const requestId of ['r1', 'r2']) insertSweep(old, { ...sweep, ...counts, requestId }, [], 1_000);
  old.exec(`update sweeps set state = 'paused' where id = 1`);
  old.exec(TO_VERSION_14);
  old.exec(`insert into events (at, sweep_id, trial_id, attempt, kind, detail) values (5000, 1, '', 0, 'sweep paused', ''),
    (6000, 1, '', 0, 'sweep running', ''), (7000, 1, '', 0, 'sweep paused', '')`);
  old.exec("insert into drains values ('a', 9, 'new driver')");
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  expect(await new Queries(new SqliteReader(db)).sweeps.all()).toMatchObject([
    { id: '1', stateSinceMs: 7_000, stateBy: '' },
    { id: '2', stateSinceMs: 1_000, stateBy: '' },
  ]);
  expect((await new Queries(new SqliteReader(db)).sweeps.eventsAfter('1', 0, 100)).at(-1)).toMatchObject({
    kind: 'sweep paused',
    by: '',
    agentId: '',
  });
  expect((await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 0 })).drains.get('a')).toMatchObject({
    reason: 'new driver',
    by: '',
    since: 0,
  });
});

test('after an upgrade from version 16, a sweep has as many planned trials as stored trials', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  const trials = ['t0', 't1'].map((trialId, index) => ({ trialId, configId: trialId, index, seed: 0, parameters: {} }));
  insertSweep(old, NEW_SWEEP, trials, 1);
  old.exec(TO_VERSION_16);
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  expect(await new Queries(new SqliteReader(db)).sweeps.get('1')).toMatchObject({
    planned: 2,
    searching: false,
    counts: { pending: 2 },
  });
  expect((await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 0 })).sweeps.get('1')).toMatchObject({
    planned: 2,
    search: undefined,
  });
});

test('after an upgrade from version 18, the slot time of a sweep counts each pack once, and the user who submitted the sweep is unknown', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  const trials = ['t0', 't1', 't2', 't3'].map((trialId, index) => ({
    ...{ trialId, configId: trialId, index, seed: 0, parameters: {} },
  }));
  insertSweep(old, NEW_SWEEP, trials, 1);
  old.exec(TO_VERSION_18);
  const columns =
    'sweep_id, trial_id, number, agent_id, incarnation, slot, backend, granted_at, ended_at, outcome, pack';
  old.exec(`insert into attempts (${columns}) values
    (1, 't0', 1, 'gpu', 'i', 0, 'cuda', 1000, 3000, 'failed', 'p1'),
    (1, 't1', 1, 'gpu', 'i', 0, 'cuda', 1000, 5000, 'succeeded', 'p1'),
    (1, 't0', 2, 'cpu', 'i', 0, 'wasm', 9000, 9500, 'succeeded', 'p2'),
    (1, 't2', 1, 'gpu', 'i', 1, 'cuda', 9000, 9900, 'failed', 'p3'),
    (1, 't3', 1, 'gpu', 'i', 1, 'cuda', 9000, 0, null, 'p3');
    update trials set state = 'running' where id = 't3';
    insert into agents (agent_id, host, version, slots, backend, gpus, state, connected_at, last_heard_at) values
    ('gpu', '', '', 2, 'cuda', '["A","B","C","D"]', 'connected', 0, 0), ('cpu', '', '', 2, 'wasm', '[]', 'left', 0, 0);`);
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  const queries = new Queries(new SqliteReader(db));
  expect(await queries.sweeps.get('1')).toMatchObject({
    slotTime: { slotMs: 4_500, gpuMs: 8_000, slots: 0, gpus: 0 },
    submittedBy: '',
  });
  expect((await queries.trials.all('1')).map(({ leasedMs }) => leasedMs)).toEqual([2_500, 4_000, 900, 0]);
  const sweep = (await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 10_000 })).sweeps.get('1');
  expect(sweep && slotTimeOf(sweep.slotTime, 10_000)).toMatchObject({
    slotMs: 5_500,
    gpuMs: 10_000,
    slots: 1,
    gpus: 2,
  });
});

test('an upgrade from version 22 counts the dropped trials of each sweep', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  const trials = ['t0', 't1', 't2', 't3'].map((trialId, index) => ({
    ...{ trialId, configId: trialId, index, seed: 0, parameters: {} },
  }));
  insertSweep(old, NEW_SWEEP, trials, 1);
  old.exec(TO_VERSION_22);
  old.exec(`update trials set state = 'succeeded' where id in ('t0', 't1');
    update trials set state = 'running' where id = 't2';
    update trials set dropped_in = 2 where id in ('t0', 't2');`);
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  const counts = async () => (await new Queries(new SqliteReader(db)).sweeps.get('1')).counts;
  expect(await counts()).toMatchObject({ succeeded: 1, running: 1, pending: 1, dropped: 1 });
  db.exec("update trials set state = 'failed' where id = 't2'");
  expect(await counts()).toMatchObject({ succeeded: 1, running: 0, failed: 0, pending: 1, dropped: 2 });
  db.exec("update trials set dropped_in = 0 where id = 't0'");
  expect(await counts()).toMatchObject({ succeeded: 2, failed: 0, pending: 1, dropped: 1 });
  db.exec("delete from trials where id = 't2'");
  expect(await counts()).toMatchObject({ succeeded: 2, pending: 1, dropped: 0 });
});

test('an upgrade from version 26 ranks the configs of sweeps with replicates', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const old = openStore(dir);
  const trials = Array.from({ length: 8 }, (_, index) => {
    return { trialId: `t${index}`, configId: `c${Math.floor(index / 2)}`, index, seed: index % 2, parameters: {} };
  });
  insertSweep(old, { ...NEW_SWEEP, replicates: 2 }, trials, 1);
  insertSweep(old, { ...NEW_SWEEP, requestId: 'other' }, trials, 1);
  // A trial that asha or median stopped has an incomplete result. c0: the incomplete result does not count, because the
  // config also has a complete result. c1: both results are incomplete, and the one with more epochs counts. c2: both
  // results are complete, and their mean counts.
  const results = [
    [0, 'succeeded', '', 3, 0.5],
    [1, 'stopped', 'asha: worse', 1, 0.1],
    [2, 'stopped', 'asha: worse', 1, 0.2],
    [3, 'stopped', 'median: worse', 2, 0.4],
    [4, 'stopped', 'patience: no better', 2, 0.3],
    [5, 'succeeded', '', 3, 0.6],
    [6, 'failed', '', 3, null],
  ];
  const end = old.prepare('update trials set state = ?2, stop_reason = ?3, epoch = ?4, value = ?5 where idx = ?1');
  for (const result of results) end.run(...result);
  old.exec(TO_VERSION_26);
  const copy = mkdtempSync(join(tmpdir(), 'trawl-schema-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  old.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const db = openStore(copy);
  const { trials: queries } = new Queries(new SqliteReader(db));
  expect(await queries.bestConfigs('1', 'minimize', 9)).toEqual(['c1', 'c2', 'c0']);
  expect(await queries.bestConfigs('2', 'minimize', 9)).toEqual([]);
  expect(db.prepare('select config_id, idx, complete, epoch, n, value from config_results').raw().all()).toEqual([
    ['c0', 0, 1, 0, 1, 0.5],
    ['c1', 2, 0, 2, 1, 0.4],
    ['c2', 4, 1, 0, 2, expect.closeTo(0.45)],
  ]);
});

test('the removal of a sweep deletes its rows from every table with a column "sweep_id"', () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-schema-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const tables = openStore(dir)
    .prepare(
      `select s.name from sqlite_schema as s
       where type = 'table' and exists (select 1 from pragma_table_info(s.name) where name = 'sweep_id') order by s.name`,
    )
    .all() as { name: string }[];
  expect([...SWEEP_TABLES].sort()).toEqual(tables.map(({ name }) => name));
});
