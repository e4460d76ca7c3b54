/** Creates sweep files with no-op trials, and checks the store after a sweep with no-op trials has ended. */
import { expect } from 'vitest';
import { noopLoss } from '../../agent/trainers/noop.ts';
import type { Parameters } from '../../proto/trainers.ts';
import type { Cluster } from '../support/cluster.ts';
import { readStore, type Stored } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { expectExactlyOnce } from './exactly-once.ts';

export interface NoopSweep {
  readonly trials: number;
  readonly epochs: number;
  readonly epochMs: number;
}

/**
 * Returns the text of a sweep file.
 * @param retry the value of the key `retry`. By default, a trial is not retried after a crash, a timeout or a lack of
 *   memory
 */
export function noopSweepText(
  { trials, epochs, epochMs }: NoopSweep,
  retry = '{crash: 0, oom: 0, timeout: 0}',
): string {
  return `
trainer: noop
parameters:
  x: {min: 1, max: ${trials}, step: 1}
  epochs: {value: ${epochs}}
  duration_ms: {value: ${epochMs}}
retry: ${retry}
`;
}

export async function untilRunning(cluster: Cluster, sweep: string, count: number): Promise<void> {
  await until(`${count} trials run`, async () => (await cluster.sweep(sweep))?.counts?.running === count);
}

/** Waits for the sweep's end, stops the coordinator, and checks that every trial succeeded once. Returns the store. */
export async function exactlyOnce(
  cluster: Pick<Cluster, 'run' | 'coordinator' | 'dir'>,
  sweep: string,
  { trials, epochs }: NoopSweep,
): Promise<Stored> {
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, waited.stderr).toBe(0);
  await cluster.coordinator.stop();
  const stored = readStore(cluster.dir);
  expectExactlyOnce(stored, {
    trials,
    epochs,
    lossAt: (parameters, epoch) => noopLoss(parameters as Parameters) * (0.5 + 0.5 / epoch),
  });
  return stored;
}

/** Prints the seconds that have passed since `sinceMs`, a time from `performance.now()`. */
export function printSeconds(what: string, sinceMs: number): void {
  console.log(`${what}: ${((performance.now() - sinceMs) / 1000).toFixed(1)} s`);
}
