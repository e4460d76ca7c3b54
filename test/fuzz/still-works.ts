/** Checks that a cluster works before and after fuzzing. */
import { expect } from 'vitest';
import { noopLoss } from '../../agent/trainers/noop.ts';
import { withConnection } from '../../bin/client/connect.ts';
import { unary } from '../../bin/client/rpc.ts';
import type { TrialJson } from '../../bin/output/json.ts';
import { isEnded } from '../../coordinator/core/model.ts';
import { sweepState } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { expectExactlyOnce } from '../faults/exactly-once.ts';
import type { Cluster } from '../support/cluster.ts';
import { sweepFile } from '../support/folder.ts';
import { readStore } from '../support/stored.ts';

const TRIALS = 6;
const EPOCHS = 2;

/**
 * Runs a sweep to its end. The values of x start at `from`, so that sweeps with different values of `from` differ.
 * @returns the id of the sweep
 */
export async function runSweep(cluster: Cluster, from: number): Promise<string> {
  const x = `{min: ${from}, max: ${from + TRIALS - 1}, step: 1}`;
  const text = `trainer: noop\nparameters: {x: ${x}, epochs: {value: ${EPOCHS}}, duration_ms: {value: 10}}\nretry: {crash: 0}\n`;
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(cluster.folder, text));
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, waited.stderr).toBe(0);
  return sweep;
}

/** Kills all active sweeps, so that the next sweep starts at once. */
export async function killActiveSweeps(cluster: Cluster): Promise<void> {
  await withConnection({ server: cluster.address }, async (connection) => {
    const { sweeps } = await unary(connection, connection.client.listSweeps, {});
    for (const { id, state } of sweeps.filter((sweep) => !isEnded(sweepState.of(sweep.state)))) {
      const request = { sweep: id, action: 'SWEEP_ACTION_KILL', reason: `it was ${state}`, priority: 0 } as const;
      await unary(connection, connection.client.controlSweep, request);
    }
  });
}

/** Stops the coordinator, and checks in the store that each trial of the sweep ran exactly once. */
export async function expectRanOnce(cluster: Cluster, sweep: string): Promise<void> {
  const trials = await cluster.json<TrialJson[]>('trials', sweep);
  const ids = new Set(trials.map(({ trial }) => trial));
  expect(await cluster.coordinator.stop()).toBe(0);
  const stored = readStore(cluster.dir);
  const own = {
    trials: stored.trials.filter(({ id }) => ids.has(id)),
    attempts: stored.attempts.filter(({ trial }) => ids.has(trial)),
    reports: stored.reports.filter(({ trial }) => ids.has(trial)),
    events: stored.events.filter(({ trial }) => ids.has(trial)),
  };
  const lossAt = (parameters: Readonly<Record<string, unknown>>, epoch: number) =>
    noopLoss(parameters as Parameters) * (0.5 + 0.5 / epoch);
  expectExactlyOnce(own, { trials: TRIALS, epochs: EPOCHS, lossAt });
}
