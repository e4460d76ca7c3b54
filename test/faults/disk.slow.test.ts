/** Tests coordinators and agents on full disks, with real processes. */
import { readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EXIT_CANNOT_WRITE } from '../../proto/errors.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { smallDisk } from '../support/small-disk.ts';
import { trawl } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { exactlyOnce, type NoopSweep, noopSweepText, printSeconds, untilRunning } from './noop-sweep.ts';

const SWEEP: NoopSweep = { trials: 6, epochs: 300, epochMs: 10 };
const MEGABYTES = 12;
/** How long the disk of the agent stays full. This time is longer than the lease. */
const FULL_MS = 6_000;

test('a coordinator with a full disk exits with a message, and after a restart with free space no data is lost', {
  timeout: 300_000,
}, async ({ skip }) => {
  const folder = testFolder();
  const disk = smallDisk(join(folder, 'coordinator'), MEGABYTES);
  if (disk === undefined) return skip();
  const cluster = await Cluster.start(folder, { lease: '30s' });
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  await untilRunning(cluster, sweep, 2);
  disk.fill();
  expect(await cluster.coordinator.exited).toBe(EXIT_CANNOT_WRITE);
  const logText = () => readFileSync(cluster.logOf('coordinator'), 'utf8');
  expect(logText()).toMatch(/the disk of .* is full: free some space.*no acknowledged change is lost/);
  const where = ['--nats', cluster.natsUrl, '--listen', cluster.address, '--metrics', '127.0.0.1:0'];
  const again = await trawl('coordinator', '--dir', cluster.dir, ...where);
  expect(again.code, again.stderr).toBe(EXIT_CANNOT_WRITE);
  expect(again.stderr).toMatch(/is full: free some space/);

  const roomAt = performance.now();
  disk.makeRoom();
  await cluster.startCoordinator();
  await until(
    'the coordinator stores the waiting records',
    async () => ((await cluster.sweep(sweep))?.counts?.succeeded ?? 0) > 0,
  );
  printSeconds("from free space to the first trial's end", roomAt);
  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.filter(({ failureClass }) => failureClass !== null)).toEqual([]);
});

test('an agent with a full disk logs the reason, and no report and no attempt of its trials is lost', {
  timeout: 300_000,
}, async ({ skip }) => {
  const folder = testFolder();
  const disk = smallDisk(join(folder, 'agent'), MEGABYTES);
  if (disk === undefined) return skip();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  await untilRunning(cluster, sweep, 2);
  disk.fill();
  const logText = () => readFileSync(cluster.logOf('agent'), 'utf8');
  await until('the agent reports the full disk', () => logText().includes("the agent's disk is full"));
  // The records wait in memory for longer than the lease. None of them may be lost.
  await sleep(FULL_MS);
  disk.makeRoom();
  await until('the agent reports free space', () => logText().includes("the agent's disk has space again"));
  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.map(({ number, failureClass }) => [number, failureClass])).toEqual(
    Array(SWEEP.trials).fill([1, null]),
  );
});

test('a submission on a full disk is rejected with the reason, and succeeds once the disk has free space', {
  timeout: 300_000,
}, async ({ skip }) => {
  const folder = testFolder();
  const disk = smallDisk(join(folder, 'coordinator'), MEGABYTES);
  if (disk === undefined) return skip();
  const cluster = await Cluster.start(folder);
  disk.fill();
  const file = sweepFile(folder, noopSweepText({ trials: 5_000, epochs: 1, epochMs: 0 }));
  const refused = await cluster.run('submit', file);
  expect(refused.stderr).toMatch(/the coordinator's disk is full/);
  expect(refused.stderr).not.toContain('internal error');
  expect(refused.code).toBe(3);
  disk.makeRoom();
  if ((await Promise.race([cluster.coordinator.exited, sleep(500)])) !== undefined) await cluster.startCoordinator();
  const accepted = await cluster.run('submit', file);
  expect(accepted.code, accepted.stderr).toBe(0);
});

/** The size of the coordinator's disk, in MiB. Uploads must leave 256 MiB free, so only one artifact of 30 MB fits. */
const UPLOAD_MEGABYTES = 300;
const SAVES_30_MB = `
command: [sh, -c, 'head -c 30000000 /dev/urandom > $TRAWL_ARTIFACTS/model.bin; echo "{\\"epoch\\":1,\\"loss\\":1}"']
metric: {name: loss, goal: minimize}
parameters:
  x: {values: [1, 2, 3, 4]}
`;

test('if the disk has room for only one of four concurrent uploads, three artifacts are skipped with a reason, and every trial succeeds', {
  timeout: 300_000,
}, async ({ skip }) => {
  const folder = testFolder();
  if (smallDisk(join(folder, 'coordinator'), UPLOAD_MEGABYTES) === undefined) return skip();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 4);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SAVES_30_MB));
  const ended = await cluster.run('wait', sweep);
  expect(ended.code, ended.stderr).toBe(0);
  const { bavail, bsize } = statfsSync(cluster.dir);
  expect(bavail * bsize).toBeGreaterThan(256 * 1024 * 1024);
  const trials = await cluster.json<{ trial: string; state: string }[]>('trials', sweep);
  expect(trials.map(({ state }) => state)).toEqual(Array(4).fill('succeeded'));
  const logs = await Promise.all(trials.map(({ trial }) => cluster.run('logs', trial)));
  const skipped = logs.filter(({ stdout }) => /artifact model\.bin was not stored: .* does not fit/.test(stdout));
  expect(skipped).toHaveLength(3);
});
