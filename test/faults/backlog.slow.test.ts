import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { noopLoss } from '../../agent/trainers/noop.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { expectExactlyOnce } from './exactly-once.ts';

const EPOCHS = 2_500;
/** The epochs are so short that hundreds of reports accumulate during each outage. */
const SWEEP = `
trainer: noop
parameters:
  x: {values: [1, 2, 3, 4]}
  epochs: {value: ${EPOCHS}}
  duration_ms: {value: 1}
`;
const LEASE = '60s';
const AWAY_MS = 1_500;

test('repeated outages of the coordinator lose no report and no attempt', { timeout: 300_000 }, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: LEASE });
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SWEEP));
  await until('both slots have a worker', () => cluster.workersOf('agent').length === 2);
  for (let death = 0; death < 3; death++) {
    await sleep(1_000);
    await cluster.coordinator.killNow();
    await sleep(AWAY_MS);
    await cluster.startCoordinator();
  }
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  await cluster.coordinator.stop();
  const stored = readStore(cluster.dir);
  expect(stored.trials.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
  expectExactlyOnce(stored, {
    trials: 4,
    epochs: EPOCHS,
    lossAt: (parameters, epoch) => noopLoss(parameters as Parameters) * (0.5 + 0.5 / epoch),
  });
});
