import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { durationOption } from '../../bin/options/values.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';
import { exactlyOnce, type NoopSweep, noopSweepText, printSeconds, untilRunning } from './noop-sweep.ts';

/** The duration of the outage. TRAWL_FAULT_AWAY sets another duration, such as 120s. */
const AWAY_MS = durationOption(process.env.TRAWL_FAULT_AWAY ?? '6s');
/** The lease is shorter than the outage: an attempt survives only if the restarted coordinator gives it a new lease. */
const LEASE = '4s';
const EPOCH_MS = 5;
/** The trials outlast the outage, so that both agents have reports to send during the whole outage. */
const SWEEP: NoopSweep = { trials: 4, epochs: Math.ceil((1.5 * AWAY_MS) / EPOCH_MS), epochMs: EPOCH_MS };

async function lastReportMs(cluster: Cluster): Promise<number> {
  const text = await cluster.page('/metrics');
  return 1_000 * Number(/^trawl_last_report_timestamp_seconds\{.*\} ([\d.]+)/m.exec(text)?.[1] ?? 0);
}

test(`if the coordinator is down for ${AWAY_MS / 1000} s under full load, no report and no attempt is lost`, {
  timeout: 300_000 + 10 * AWAY_MS,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: LEASE });
  await cluster.startAgent('one', 2);
  await cluster.startAgent('two', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  await untilRunning(cluster, sweep, 4);
  await cluster.coordinator.killNow();
  await sleep(AWAY_MS);
  const backAt = performance.now();
  await cluster.startCoordinator();
  printSeconds('until the coordinator answered', backAt);
  await until('the newest report is at most a second old, or all reports are stored', async () => {
    const over = (await cluster.sweep(sweep))?.counts?.running === 0;
    return over || Date.now() - (await lastReportMs(cluster)) < 1_000;
  });
  printSeconds('until the coordinator had stored all delayed reports', backAt);
  const { attempts, reports } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.map(({ number, failureClass }) => [number, failureClass])).toEqual(
    Array(SWEEP.trials).fill([1, null]),
  );
  console.log(`${reports.length} reports, none missing`);
});
