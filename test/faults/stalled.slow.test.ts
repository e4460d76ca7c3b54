import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { alive } from '../support/processes.ts';
import { startProxy } from '../support/proxy.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { exactlyOnce, type NoopSweep, noopSweepText, printSeconds, untilRunning } from './noop-sweep.ts';

/** Each trial takes four seconds, so a worker still runs the trial when the lease of two seconds expires. */
const SWEEP: NoopSweep = { trials: 6, epochs: 20, epochMs: 200 };
const LEASE = '2s';
const STALL_MS = 6_000;

test('a coordinator that has stalled declares no agent lost, and repeats no trial that ran during the stall', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: LEASE });
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  await untilRunning(cluster, sweep, 2);
  process.kill(cluster.coordinator.pid, 'SIGSTOP');
  await sleep(STALL_MS);
  process.kill(cluster.coordinator.pid, 'SIGCONT');
  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.map(({ outcome }) => outcome)).toEqual(Array(SWEEP.trials).fill('succeeded'));
});

async function superseded(cluster: Cluster): Promise<number> {
  const text = await cluster.page('/metrics');
  return Number(/^trawl_superseded_reports_total(?:\{.*\})? (\d+)/m.exec(text)?.[1] ?? 0);
}

test('after an agent stalls for longer than its lease, its late records are rejected, and its workers run further trials without a restart', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: LEASE });
  const proxy = await startProxy(cluster.address);
  await cluster.startAgent('stalled', 2, proxy.address);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  // A trial counts as running as soon as its lease is granted. Until the agent knows of the grant, it has no records.
  await until('two trials have reported', async () => {
    return (await cluster.trials(sweep)).filter(({ epoch }) => epoch > 0).length === 2;
  });
  const workers = cluster.workersOf('stalled');
  const stalledAt = performance.now();
  // The connection is cut before the stall. Therefore, the spool of the agent has records that the coordinator lacks,
  // and the agent cannot learn that its attempts were superseded.
  proxy.cut();
  await sleep(2 * SWEEP.epochMs);
  process.kill(cluster.agent('stalled').pid, 'SIGSTOP');
  await until('its attempts are lost', async () => (await cluster.sweep(sweep))?.counts?.running === 0);
  printSeconds('from the stall of the agent until its trials were pending again', stalledAt);
  await cluster.startAgent('other', 1);
  await untilRunning(cluster, sweep, 1);
  await sleep(1_000);
  expect(await superseded(cluster)).toBe(0);
  proxy.restore();
  process.kill(cluster.agent('stalled').pid, 'SIGCONT');
  await until('late reports are rejected', async () => (await superseded(cluster)) > 0);

  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  const lost = attempts.filter(({ failureClass }) => failureClass !== null);
  expect(lost.map(({ agent, failureClass }) => [agent, failureClass])).toEqual(Array(2).fill(['stalled', 'lost']));
  const succeeded = attempts.filter(({ agent, outcome }) => agent === 'stalled' && outcome === 'succeeded');
  expect(new Set(succeeded.map(({ slot }) => slot))).toEqual(new Set([0, 1]));
  expect(cluster.workersOf('stalled')).toEqual(workers);
});

/** The program creates a file named after its process id, and runs until the file `finish` exists. */
const PROGRAM = `
trainer: command
command: [sh, -c, 'touch "$PIDS/$$"; while [ ! -e "$PIDS/finish" ]; do sleep 0.1; done; echo "{\\"test_loss\\": 1}"']
parameters: {x: {value: 1}}
metric: {name: test_loss, goal: minimize}
retry: {crash: 0, timeout: 0}
`;

test('if an agent was suspended for longer than its lease, it ends the program of its attempt, even while disconnected', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const pids = join(folder, 'pids');
  mkdirSync(pids);
  const cluster = await Cluster.start(folder, { lease: LEASE });
  const proxy = await startProxy(cluster.address);
  await cluster.startAgent('suspended', 1, proxy.address);
  const file = sweepFile(folder, `${PROGRAM}env: {PIDS: ${JSON.stringify(pids)}}\n`);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  const program = await until('the first program runs', () => readdirSync(pids).map(Number)[0]);
  await untilRunning(cluster, sweep, 1);
  process.kill(cluster.agent('suspended').pid, 'SIGSTOP');
  proxy.cut();
  await cluster.startAgent('other', 1);
  const second = await until('the second program runs', () =>
    readdirSync(pids)
      .map(Number)
      .find((pid) => pid !== program),
  );
  expect(alive([program])).toEqual([program]);
  process.kill(cluster.agent('suspended').pid, 'SIGCONT');
  const resumedAt = performance.now();
  await until('the first program ends', () => alive([program]).length === 0);
  printSeconds('from the resumption of the agent until its program had ended', resumedAt);
  expect(alive([second])).toEqual([second]);
  expect(readFileSync(cluster.logOf('suspended'), 'utf8')).toMatch(/suspended for longer than its lease/);

  proxy.restore();
  writeFileSync(join(pids, 'finish'), '');
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  await cluster.coordinator.stop();
  const { attempts } = readStore(cluster.dir);
  expect(attempts.map(({ agent, outcome, failureClass }) => [agent, outcome, failureClass])).toEqual([
    ['suspended', 'failed', 'lost'],
    ['other', 'succeeded', null],
  ]);
});

test('if a worker is suspended, no attempt fails, and the attempt of the worker continues when the worker is resumed', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: LEASE });
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  await untilRunning(cluster, sweep, 2);
  const [worker] = cluster.workersOf('agent');
  if (worker === undefined) throw new Error('the agent has no worker');
  process.kill(worker, 'SIGSTOP');
  await sleep(STALL_MS);
  expect((await cluster.sweep(sweep))?.counts?.running).toBeGreaterThan(0);
  process.kill(worker, 'SIGCONT');
  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.map(({ outcome }) => outcome)).toEqual(Array(SWEEP.trials).fill('succeeded'));
});
