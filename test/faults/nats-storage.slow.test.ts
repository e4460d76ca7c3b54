import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { exactlyOnce, type NoopSweep, noopSweepText, printSeconds, untilRunning } from './noop-sweep.ts';

const SWEEP: NoopSweep = { trials: 16, epochs: 4, epochMs: 200 };

test('if nats-server restarts without its storage, offers are published again, and no trial is lost or run twice', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '30s' });
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  for (let death = 0; death < 2; death++) {
    await untilRunning(cluster, sweep, 2);
    await cluster.killNats();
    rmSync(join(folder, 'nats', 'jetstream'), { recursive: true, force: true });
    await sleep(1_500);
    const backAt = performance.now();
    await cluster.startNats();
    await untilRunning(cluster, sweep, 2);
    printSeconds('from the start of nats-server until every slot was busy again', backAt);
  }
  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.map(({ number, failureClass }) => [number, failureClass])).toEqual(
    Array(SWEEP.trials).fill([1, null]),
  );
});
