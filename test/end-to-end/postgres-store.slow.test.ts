/** Tests a cluster whose store is in a real PostgreSQL server, with kills of the coordinator and of the server. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { noopLoss } from '../../agent/trainers/noop.ts';
import { LEADERSHIP_MS } from '../../coordinator/leader/leadership.ts';
import { ReadOnlyPostgresStore } from '../../coordinator/store/postgres/read-only-store.ts';
import { EXIT } from '../../proto/errors.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { expectExactlyOnce } from '../faults/exactly-once.ts';
import { noopSweepText } from '../faults/noop-sweep.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { PostgresServer, postgresMissing, queryOnce } from '../support/postgres-server.ts';
import { isSkipped } from '../support/requirements.ts';
import { readPostgres } from '../support/stored.ts';
import { environment, TRAWL, trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';

/** Expects that commands read the store in PostgreSQL while no coordinator runs, and do not change the store. */
async function expectReadable(dir: string, url: string, known: { sweep: string; best: unknown }): Promise<void> {
  const rows = () => Promise.all(['meta', 'sweeps', 'trials'].map((table) => queryOnce(url, `select * from ${table}`)));
  const before = await rows();
  expect(await trawlJson('best', known.sweep, '--store', url)).toEqual(known.best);
  expect(await trawlJson('best', known.sweep, '--dir', dir)).toEqual(known.best);
  const table = await trawl('export', known.sweep, '-f', 'csv', '--store', url);
  expect(table.stdout.trim().split('\n'), table.stderr).toHaveLength(1 + SWEEP.trials);
  for (const args of [
    ['pause', known.sweep],
    ['prune', '--all', '-y'],
  ]) {
    const { code, stderr } = await trawl(...args, '--store', url);
    expect(code, stderr).toBe(EXIT.rejected);
    expect(stderr).toContain('only read-only commands work');
  }
  expect(await rows()).toEqual(before);
}

/**
 * Expects that options in the URL cannot make the store writable, and that commands can read the store after its leader
 * has died.
 */
async function expectReadableAfterDeath(url: string, known: { sweep: string; best: unknown }): Promise<void> {
  const options = '-c default_transaction_read_only=off -c search_path=public';
  const written = new URL(url);
  written.searchParams.set('options', options);
  expect(await trawlJson('best', known.sweep, '--store', written.href)).toEqual(known.best);
  const store = await ReadOnlyPostgresStore.open(written.href, undefined);
  onTestFinished(() => store.close());
  expect(await store.reader.get("select current_setting('search_path') as path")).toEqual({ path: 'public' });
  await expect(store.reader.all('delete from trials')).rejects.toThrow('read-only transaction');

  // A command leaves no temporary files if the reader of its output closes the pipe, or if a signal ends the command.
  const temporary = testFolder();
  const env = { ...environment(), TMPDIR: temporary };
  const read = `"${process.execPath}" "${TRAWL}" export ${known.sweep} -f csv --curves --store '${url}'`;
  execFileSync('sh', ['-c', `${read} | head -n 1`], { env });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const child = spawn(process.execPath, [TRAWL, 'events', known.sweep, '--store', url], { env, stdio: 'ignore' });
    const ended = once(child, 'exit');
    await until('the command reads', () => readdirSync(temporary).length > 0);
    child.kill(signal);
    await ended;
  }
  expect(readdirSync(temporary)).toEqual([]);

  // This simulates a leader that died on another machine before the clock of the server was set back by an hour.
  await queryOnce(
    url,
    `update leadership set holder = 'elsewhere/x/y', address = 'head-a:7070', expires_at = clock_timestamp() + interval '1 hour'`,
  );
  const begun = performance.now();
  expect(await trawlJson('best', known.sweep, '--store', url)).toEqual(known.best);
  expect(performance.now() - begun).toBeGreaterThan(LEADERSHIP_MS);
  await queryOnce(url, "update leadership set holder = ''");
}

const SWEEP = { trials: 120, epochs: 4, epochMs: 100 };

test.skipIf(isSkipped(postgresMissing()))(
  'with the store in PostgreSQL, every trial ends exactly once when the coordinator and the server are killed, and a backup can be restored',
  async () => {
    const folder = testFolder();
    const server = await PostgresServer.start({ fsync: true });
    const url = await server.createDatabase('trawl');
    process.env.TRAWL_STORE = url;
    onTestFinished(async () => {
      delete process.env.TRAWL_STORE;
      await server.close();
    });
    const cluster = await Cluster.start(folder);
    await cluster.startAgent('agent', 4);
    const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
    const succeeded = async () => (await cluster.sweep(sweep))?.counts?.succeeded ?? 0;
    await until('the first trials have ended', async () => (await succeeded()) >= 10);
    await cluster.coordinator.killNow();
    await cluster.startCoordinator();
    await until('more trials have ended', async () => (await succeeded()) >= 30);
    await server.stop();
    await sleep(1_000);
    await server.start();
    await until('more trials have ended', async () => (await succeeded()) >= 60);
    await server.kill();
    await server.start();

    expect((await cluster.run('wait', sweep)).code).toBe(EXIT.done);
    const best = await cluster.json<{ rank: number }[]>('best', sweep);
    expect(best[0]?.rank).toBe(1);
    const backup = await cluster.run('backup', '--out', join(folder, 'backup'));
    expect(backup.code, backup.stderr).toBe(EXIT.done);
    const led = await trawl('ls', '--store', url);
    expect(led.code).toBe(EXIT.rejected);
    expect(led.stderr).toContain(`leads the store ${url.replace(/:[^:@]*@/, '@')}: use --server 127.0.0.1:`);
    await cluster.coordinator.stop();
    await expectReadable(cluster.dir, url, { sweep, best });
    await expectReadableAfterDeath(url, { sweep, best });
    const restored = join(folder, 'restored');
    const restore = await trawl('restore', join(folder, 'backup'), '--dir', restored);
    expect(restore.code, restore.stderr).toBe(EXIT.done);
    expect(await trawlJson('best', sweep, '--dir', restored)).toEqual(best);
    expect(existsSync(join(cluster.dir, 'store.db'))).toBe(false);

    delete process.env.TRAWL_STORE;
    const offline = await trawl('ls', '--dir', cluster.dir);
    expect(offline.code).toBe(EXIT.rejected);
    expect(offline.stderr).toContain('is in PostgreSQL');
    expectExactlyOnce(await readPostgres(server, 'trawl'), {
      ...SWEEP,
      lossAt: (parameters, epoch) => noopLoss(parameters as Parameters) * (0.5 + 0.5 / epoch),
    });
  },
);
