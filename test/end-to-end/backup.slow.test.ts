/** Backups with and without a running coordinator, and their restoration. */
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { noopLoss } from '../../agent/trainers/noop.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { expectExactlyOnce } from '../faults/exactly-once.ts';
import { exactlyOnce, noopSweepText } from '../faults/noop-sweep.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { startProxy } from '../support/proxy.ts';
import { readStore } from '../support/stored.ts';
import { trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';

const TRIALS = 12;
const EPOCHS = 40;
/** A sweep whose reports change the store continuously, including during a backup. */
const BUSY = `
trainer: noop
parameters:
  x: {min: 1, max: ${TRIALS}, step: 1}
  epochs: {value: ${EPOCHS}}
  duration_ms: {value: 20}
`;

test('a backup of a running sweep is complete, and a coordinator restored from this backup finishes the sweep', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, BUSY));
  await until('some trials have ended', async () => ((await cluster.sweep(sweep))?.counts?.succeeded ?? 0) >= 2);
  const out = join(folder, 'backup');
  const made = await cluster.run('backup', '--out', out);
  expect(made.code, made.stderr).toBe(0);
  expect(readdirSync(out).sort()).toEqual(['backup.json', 'store.sqlite']);

  const second = await trawl('coordinator', '--dir', cluster.dir, '--nats', cluster.natsUrl, '--listen', '127.0.0.1:0');
  expect(second.code).toBe(4);
  expect(second.stderr).toContain(`in use by the coordinator at ${cluster.address}`);

  await Promise.all([cluster.coordinator.killNow(), cluster.agent('agent').killNow()]);
  rmSync(cluster.dir, { recursive: true });
  const restored = await trawl('restore', out, '--dir', cluster.dir);
  expect(restored.code, restored.stderr).toBe(0);
  await cluster.startCoordinator();
  await cluster.startAgent('agent', 2);
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  await cluster.coordinator.stop();
  expectExactlyOnce(readStore(cluster.dir), {
    trials: TRIALS,
    epochs: EPOCHS,
    lossAt: (parameters, epoch) => noopLoss(parameters as Parameters) * (0.5 + 0.5 / epoch),
  });
});

test('after a restore, a trial is retried if its attempt sent records after the backup, because the restored store lacks these records', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  const proxy = await startProxy(cluster.address);
  await cluster.startAgent('agent', 1, proxy.address);
  const sweep = { trials: 2, epochs: 900, epochMs: 20 };
  const { sweep: id } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(sweep)));
  const epochIs = (least: number) =>
    until(`epoch ${least} is stored`, async () => {
      const [trial] = await cluster.trials(id);
      return (trial?.epoch ?? 0) >= least && trial?.epoch;
    });
  await epochIs(1);
  const out = join(folder, 'backup');
  expect((await cluster.run('backup', '--out', out)).code).toBe(0);
  const backedUp = await epochIs(1);
  await epochIs(backedUp + 20);
  proxy.cut();
  await sleep(1_000);
  await Promise.all([cluster.coordinator.killNow(), cluster.agent('agent').killNow()]);
  rmSync(cluster.dir, { recursive: true });
  expect((await trawl('restore', out, '--dir', cluster.dir)).code).toBe(0);
  proxy.restore();
  await cluster.startCoordinator();
  await cluster.startAgent('agent', 1, proxy.address);
  const { attempts } = await exactlyOnce(cluster, id, sweep);
  expect(attempts).toHaveLength(3);
  const lost = attempts.find(({ failureClass }) => failureClass === 'lost');
  const retried = attempts.filter(({ trial }) => trial === lost?.trial);
  expect(retried.map(({ failureClass }) => failureClass)).toEqual(['lost', null]);
});

const PROGRAM = `
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
writeFileSync(join(process.env.TRAWL_ARTIFACTS, 'result.txt'), 'the result');
console.log(JSON.stringify({ epoch: 1, loss: 1 }));
`;

/** Returns a data folder with one sweep and one artifact, without a running coordinator. */
async function finished(folder: string): Promise<string> {
  writeFileSync(join(folder, 'leave.mjs'), PROGRAM);
  const command = JSON.stringify(['node', join(folder, 'leave.mjs')]);
  const file = sweepFile(folder, `command: ${command}\nmetric: {name: loss}\nparameters: {}\n`);
  const dir = join(folder, 'runs');
  const up = await trawl('up', file, '--slots', '1', '--dir', dir);
  expect(up.code, up.stderr).toBe(0);
  return dir;
}

test('a folder without a coordinator is backed up with its artifacts, and the restored folder has the same contents', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const dir = await finished(folder);
  const out = join(folder, 'backup');
  const made = await trawlJson<{ artifacts: unknown; missing: unknown }>('backup', '--dir', dir, '--out', out);
  expect(made).toMatchObject({ artifacts: { files: 1, bytes: 10 }, missing: [] });
  const again = join(folder, 'again');
  expect((await trawl('restore', out, '--dir', again)).code).toBe(0);
  expect(readdirSync(again).sort()).toEqual(['artifacts', 'store.db']);
  const trials = await trawlJson<{ trial: string }[]>('trials', '--dir', dir);
  expect(await trawlJson('trials', '--dir', again)).toEqual(trials);
  const got = await trawl('artifacts', 'get', trials[0]?.trial ?? '', '--dir', again, '--out', join(folder, 'got'));
  expect(got.code, got.stderr).toBe(0);
  expect(readFileSync(join(folder, 'got', 'result.txt'), 'utf8')).toBe('the result');

  for (const [args, message] of [
    [['restore', out, '--dir', again], /again is not empty/],
    [['backup', '--dir', dir, '--out', out], /backup already exists/],
  ] as const) {
    const rejected = await trawl(...args);
    expect(rejected.code).toBe(4);
    expect(rejected.stderr).toMatch(message);
  }
});

test('restore rejects a damaged or incomplete backup, and leaves the new folder empty', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const dir = await finished(folder);
  const damage: [string, (out: string) => void, number, RegExp][] = [
    ['store', (out) => appendFileSync(join(out, 'store.sqlite'), 'x'), 3, /store\.sqlite .* damaged or was changed/],
    ['artifact', (out) => writeFileSync(artifactIn(out), 'the reSult'), 3, /result\.txt is damaged/],
    ['lost', (out) => rmSync(artifactIn(out)), 3, /the backup has no file .*result\.txt/],
    ['unfinished', (out) => rmSync(join(out, 'backup.json')), 2, /is not a complete backup: it has no backup\.json/],
  ];
  for (const [name, damageIt, code, message] of damage) {
    const out = join(folder, name);
    expect((await trawl('backup', '--dir', dir, '--out', out)).code).toBe(0);
    damageIt(out);
    const target = join(folder, `of-${name}`);
    const rejected = await trawl('restore', out, '--dir', target);
    expect(rejected.stderr).toMatch(message);
    expect(rejected.code).toBe(code);
    expect(existsSync(target) ? readdirSync(target) : []).toEqual([]);
  }
});

function artifactIn(out: string): string {
  const found = readdirSync(out, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('result.txt'));
  return join(out, found ?? '');
}
