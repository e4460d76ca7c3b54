/** Upgrades of a coordinator, and data folders that a coordinator must reject. */
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { SCHEMA_VERSION } from '../../coordinator/store/schema.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawl } from '../support/trawl.ts';
import { exactlyOnce, type NoopSweep, noopSweepText, untilRunning } from './noop-sweep.ts';

const SWEEP: NoopSweep = { trials: 8, epochs: 4, epochMs: 200 };

/** Changes a store with SQL. The SQL runs on a copy, because libsql locks a store until the process ends. */
function change(dir: string, sql: string): void {
  const store = join(dir, 'store.db');
  const copy = join(dir, 'changed.db');
  copyFileSync(store, copy);
  if (existsSync(`${store}-wal`)) copyFileSync(`${store}-wal`, `${copy}-wal`);
  const db = new Database(copy);
  db.exec(sql);
  db.exec('pragma journal_mode = delete');
  db.close();
  copyFileSync(copy, store);
  for (const path of [copy, `${store}-wal`, `${store}-shm`]) rmSync(path, { force: true });
}

function schemaOf(path: string): unknown {
  const db = new Database(path);
  const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number };
  db.close();
  return version;
}

/** Starts a coordinator that must exit with code 4. Returns its stderr. */
async function rejected(cluster: Cluster): Promise<string> {
  const where = ['--nats', cluster.natsUrl, '--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0'];
  const { code, stderr } = await trawl('coordinator', '--dir', cluster.dir, ...where);
  expect(code, stderr).toBe(4);
  return stderr;
}

test('a newer coordinator migrates the store, keeps a copy of the old store, and continues a running sweep', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  await untilRunning(cluster, sweep, 2);
  expect(await cluster.coordinator.stop()).toBe(0);
  // Schema version 2 did not have these tables, triggers, indexes and columns.
  const tables = [
    'notices',
    'warnings',
    'retries',
    'drains',
    'sources',
    'programs',
    'environments',
    'quarantines',
    'agents',
    'trial_counts',
    'rungs',
    'identical_configs',
    'agent_successes',
    'sweep_versions',
    'dropped_counts',
    'warm_starts',
    'suggestions',
    'config_results',
  ];
  const triggers = [
    ...['trial_added', 'trial_moved', 'trial_removed', 'attempt_succeeded'],
    ...['dropped_trial_changed', 'dropped_trial_removed'],
  ];
  const indexes = [
    'early_failures',
    'trials_by_index',
    'agent_events',
    'trials_by_state',
    'trials_by_config',
    'ended_attempts',
    'trials_by_value',
    'straggling_attempts',
    'dropped_trials',
  ];
  const columns = [
    'attempts pack',
    'attempts early',
    'attempts straggler',
    'attempts speculative',
    'attempts free',
    'sweeps priority',
    'sweeps resumed_at',
    'sweeps state_by',
    'sweeps state_at',
    'events by',
    'events agent_id',
    'trials metric_steps',
    'trials stop_reason',
    'sweeps planned',
    'sweeps searching',
    'sweeps search',
    'sweeps reported',
    'sweeps lacking',
    'sweeps slot_ms',
    'sweeps gpu_ms',
    'sweeps submitted_by',
    'trials leased_ms',
    'attempts gpus',
    'trials value',
    'trials dropped_in',
    'sweeps version',
    'trials parent',
    'trials parent_attempt',
    'trials parent_epoch',
    'trials replaces',
    'trials compared_at',
  ];
  const removals = [
    ...triggers.map((trigger) => `drop trigger ${trigger}`),
    ...indexes.map((index) => `drop index ${index}`),
    ...tables.map((table) => `drop table ${table}`),
    ...columns.map((column) => `alter table ${column.replace(' ', ' drop column ')}`),
  ];
  change(cluster.dir, `${removals.join('; ')}; pragma user_version = 2`);
  await cluster.startCoordinator();
  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.filter(({ failureClass }) => failureClass !== null)).toEqual([]);
  expect(schemaOf(join(cluster.dir, 'store.schema-2.db'))).toBe(2);
});

test('a coordinator exits with code 4 and advice if its store is locked, newer or damaged', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  expect(await rejected(cluster)).toContain(
    `in use by the coordinator at ${cluster.address} (process ${cluster.coordinator.pid})`,
  );
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  await cluster.startAgent('agent', 2);
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  expect(await cluster.coordinator.stop()).toBe(0);

  change(cluster.dir, `pragma user_version = ${SCHEMA_VERSION + 1}`);
  expect(await rejected(cluster)).toContain(
    `the store has schema ${SCHEMA_VERSION + 1}, but this trawl supports up to`,
  );
  const up = await trawl('up', sweepFile(folder, noopSweepText(SWEEP)), '--dir', cluster.dir);
  expect(up.code, up.stderr).toBe(4);
  change(cluster.dir, `pragma user_version = ${SCHEMA_VERSION}`);

  const store = join(cluster.dir, 'store.db');
  const whole = readFileSync(store);
  truncateSync(store, Math.floor(whole.length / 2));
  expect(await rejected(cluster)).toMatch(/store\.db is damaged .*trawl restore FILE --dir NEWDIR/);
});
