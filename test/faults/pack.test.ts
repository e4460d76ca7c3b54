/** Packs with real processes: several trials in one slot, each with its own lease, records and final state. */
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';

const PACK = 3;
const SLOW = `
trainer: noop
parameters:
  x: {min: 1, max: 7, step: 1}
  epochs: {value: 4}
  duration_ms: {value: 1000}
retry: {crash: 2, backoff: 100ms}
`;

test('if a worker dies, each trial of its pack loses one attempt, and other trials lose no attempt', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 1, cluster.address, PACK);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SLOW));
  const running = async () => (await cluster.trials(sweep)).filter(({ state }) => state === 'running');
  const pack = await until('a pack runs in its second epoch', async () => {
    const trials = await running();
    return trials.length === PACK && trials.every(({ epoch }) => epoch >= 1) && trials;
  });
  for (const pid of cluster.workersOf('agent')) killNow(pid);
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, waited.stderr).toBe(0);

  const { trials, attempts } = readStore(cluster.dir);
  const members = new Set(pack.map(({ trial }) => trial));
  expect(trials.map(({ id, state, attempts: count }) => [state, count, members.has(id)])).toEqual(
    trials.map(({ id }) => ['succeeded', members.has(id) ? 2 : 1, members.has(id)]),
  );
  expect(attempts.filter(({ failureClass }) => failureClass === 'crash').map(({ trial }) => trial)).toEqual(
    [...members].sort(),
  );
});

test('if the sweep of a pack is killed, the worker of the pack runs the next sweep', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 1, cluster.address, PACK);
  const file = sweepFile(folder, SLOW.replace('1000', '60000'));
  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  await until('a pack runs', async () => {
    return (await cluster.trials(sweep)).filter(({ state }) => state === 'running').length === PACK;
  });
  const [worker] = cluster.workersOf('agent');
  await cluster.run('kill', sweep, '-y');
  const next = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SLOW.replace('1000', '1')));
  expect((await cluster.run('wait', next.sweep)).code).toBe(0);
  expect(cluster.workersOf('agent')).toEqual([worker]);
});
