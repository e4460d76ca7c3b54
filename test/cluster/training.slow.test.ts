/** Real training on six machines: failures of machines do not change any digit of the results. */
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { isSkipped } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { machinesMissing } from './ip.ts';
import { ALL_ROUNDS } from './rounds.ts';
import { AGENTS, queueLeader, SpreadCluster } from './spread-cluster.ts';

const LIMIT_MS = 400_000;
const [AGENT] = AGENTS;
/** An epoch takes long enough for a machine to fail during the epoch. */
const SWEEP = `
trainer: autoencoder
parameters:
  latent_dim: {values: [15, 30]}
  noise_std: {values: [0, 0.5]}
  train_size: {value: 1280}
  epochs: {value: 3}
`;

async function resultsOf(cluster: SpreadCluster, sweep: string) {
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, waited.stderr).toBe(0);
  const trials = await cluster.json<TrialJson[]>('trials', sweep);
  return {
    metrics: Object.fromEntries(trials.map(({ trial, metrics }) => [trial, metrics])),
    attempts: trials.reduce((sum, { attempts }) => sum + attempts, 0),
  };
}

const skipped = isSkipped(machinesMissing());

test.skipIf(skipped || !ALL_ROUNDS)(
  'the results are the same if the machines of an agent and of the queue leader fail during training',
  { timeout: LIMIT_MS },
  async () => {
    const folder = testFolder();
    const cluster = await SpreadCluster.start(folder);
    const file = sweepFile(folder, SWEEP);
    const withoutFaults = await cluster.json<{ sweep: string }>('submit', file);
    const expected = await resultsOf(cluster, withoutFaults.sweep);
    expect(expected.attempts).toBe(4);

    const withFaults = await cluster.json<{ sweep: string }>('submit', file);
    await until('a trial of the agent has finished its first epoch, but not its last one', async () => {
      const trials = await cluster.json<TrialJson[]>('trials', withFaults.sweep, '--state', 'running');
      return trials.some(({ epoch, agent }) => agent === AGENT && epoch >= 1 && epoch < 3);
    });
    const leader = await queueLeader(cluster);
    await Promise.all([AGENT, leader].map((name) => cluster.machine(name).fail()));
    const actual = await resultsOf(cluster, withFaults.sweep);
    expect(actual.metrics).toEqual(expected.metrics);
    expect(actual.attempts).toBeGreaterThan(4);
  },
);
