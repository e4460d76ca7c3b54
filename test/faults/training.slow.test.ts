import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

const SWEEP = `
trainer: autoencoder
parameters:
  latent_dim: {values: [15, 30]}
  noise_std: {values: [0, 0.5]}
  train_size: {value: 640}
  epochs: {value: 2}
`;

/** Returns the metrics of each trial, by trial id, and the total number of attempts. */
async function resultsOf(cluster: Cluster, sweep: string) {
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, waited.stderr).toBe(0);
  const trials = await cluster.json<TrialJson[]>('trials', sweep);
  return {
    metrics: Object.fromEntries(trials.map(({ trial, metrics }) => [trial, metrics])),
    attempts: trials.reduce((sum, { attempts }) => sum + attempts, 0),
  };
}

test('if an agent is killed during training, the results are the same as without the kill, to the last digit', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  const file = sweepFile(folder, SWEEP);
  await cluster.startAgent('agent', 2);
  const withoutFaults = await cluster.json<{ sweep: string }>('submit', file);
  const expected = await resultsOf(cluster, withoutFaults.sweep);
  expect(expected.attempts).toBe(4);

  const withFaults = await cluster.json<{ sweep: string }>('submit', file);
  await until('a trial has completed its first epoch and is still running', async () => {
    const trials = await cluster.trials(withFaults.sweep);
    return trials.some(({ state, epoch }) => state === 'running' && epoch === 1);
  });
  await cluster.agent('agent').killNow();
  await cluster.startAgent('agent', 2);
  const actual = await resultsOf(cluster, withFaults.sweep);
  expect(actual.metrics).toEqual(expected.metrics);
  expect(actual.attempts).toBeGreaterThan(4);
});
