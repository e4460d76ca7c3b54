import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

const SWEEP = `
trainer: noop
parameters:
  x: {values: [1, 2, 3]}
  duration_ms: {value: 2000}
`;
/** The partition lasts for more than two leases. The running trials end long before the end of the partition. */
const LEASE = '5s';
const CUT_MS = 12_000;

test('trials that end while only heartbeats reach the coordinator are not run again', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: LEASE });
  const proxy = await startProxy(cluster.address);
  await cluster.startAgent('agent', 2, proxy.address);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SWEEP));
  await until('two trials run', async () => (await cluster.sweep(sweep))?.counts?.running === 2);
  proxy.cut();
  await sleep(CUT_MS);
  proxy.restore();
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  const trials = await cluster.json<TrialJson[]>('trials', sweep);
  expect(trials.map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
});
