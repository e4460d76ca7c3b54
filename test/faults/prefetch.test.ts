import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { readStore, type StoredAttempt } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { exactlyOnce, noopSweepText } from './noop-sweep.ts';

const LIMIT_MS = 180_000;
const SLOTS = 2;

/** Returns the highest number of attempts that were leased to one slot at the same time. */
function mostLeasesOfSlot(attempts: readonly StoredAttempt[]): number {
  const leases = attempts.map(
    ({ agent, slot, grantedAt }) =>
      attempts.filter(
        (one) => one.agent === agent && one.slot === slot && one.grantedAt <= grantedAt && one.endedAt > grantedAt,
      ).length,
  );
  return Math.max(...leases);
}

/** Waits until there are more than two leases per slot, which happens only if slots hold attempts in advance. */
async function untilQueued(cluster: Cluster, sweep: string): Promise<void> {
  await until('slots hold attempts in advance', async () => {
    return ((await cluster.sweep(sweep))?.counts?.running ?? 0) > 2 * SLOTS;
  });
}

test('short trials end exactly once although their agent and their coordinator are killed, and a second agent runs some trials', {
  timeout: LIMIT_MS,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '2s' });
  await cluster.startAgent('agent-1', SLOTS);
  const short = { trials: 900, epochs: 1, epochMs: 5 };
  const file = sweepFile(folder, noopSweepText(short, '{crash: 20, backoff: 100ms}'));
  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  await untilQueued(cluster, sweep);
  await cluster.agent('agent-1').killNow();
  await cluster.startAgent('agent-1', SLOTS);
  await untilQueued(cluster, sweep);
  await cluster.coordinator.killNow();
  await cluster.startCoordinator();
  await cluster.startAgent('agent-2', SLOTS);
  const { attempts } = await exactlyOnce(cluster, sweep, short);
  expect(mostLeasesOfSlot(attempts)).toBeGreaterThan(2);
  // The attempts that were queued when the agent was killed are lost, but they use no retry of their trials.
  expect(attempts.filter(({ failureClass }) => failureClass === 'lost').length).toBeGreaterThan(0);
  expect(attempts.some(({ agent }) => agent === 'agent-2')).toBe(true);
});

test('a pause or a kill of a sweep also applies to the trials that slots hold in advance', {
  timeout: LIMIT_MS,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent-1', SLOTS);
  const file = sweepFile(folder, noopSweepText({ trials: 100_000, epochs: 1, epochMs: 5 }));
  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  await untilQueued(cluster, sweep);
  expect((await cluster.run('pause', sweep)).code).toBe(0);
  await until('no trial runs', async () => (await cluster.sweep(sweep))?.counts?.running === 0);
  const paused = (await cluster.sweep(sweep))?.counts;
  await sleep(1_000);
  expect((await cluster.sweep(sweep))?.counts).toEqual(paused);
  expect((await cluster.run('resume', sweep)).code).toBe(0);
  await untilQueued(cluster, sweep);
  expect((await cluster.run('kill', sweep)).code).toBe(0);
  expect((await cluster.sweep(sweep))?.counts).toMatchObject({ running: 0, pending: 0, offered: 0 });
  expect(await cluster.coordinator.stop()).toBe(0);
  const { attempts } = readStore(cluster.dir);
  expect(attempts.filter(({ outcome }) => outcome === null)).toEqual([]);
  expect(attempts.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
});
