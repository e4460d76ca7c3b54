import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** Longer than the way of a record from the agent to the store, and shorter than an epoch. */
const RECORD_MS = 1_000;

const SWEEP = `
trainer: autoencoder
parameters:
  noise_std: {value: 0.5}
  latent_dim: {value: 15}
  train_size: {value: 5760}
  epochs: {value: 5}
retry: {crash: 2, backoff: 100ms}
`;

interface Shown extends TrialJson {
  readonly attempt_list: readonly { readonly resumed_from: number }[];
  readonly reports: readonly { readonly attempt: number; readonly epoch: number }[];
  readonly artifacts: readonly { readonly name: string; readonly kind: string; readonly attempt: number }[];
}

async function result(cluster: Cluster, sweep: string): Promise<Shown> {
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, waited.stderr).toBe(0);
  const [trial] = await cluster.json<TrialJson[]>('trials', sweep);
  return cluster.json<Shown>('show', `${sweep}/${trial?.trial}`);
}

function hasCheckpoint({ dir }: Cluster, sweep: string, trial: string): boolean {
  return existsSync(join(dir, 'artifacts', sweep, trial, '1', 'checkpoints', 'epoch-2.safetensors'));
}

/** Submits the sweep again, and waits until the checkpoint of its second epoch is kept. */
async function inThirdEpoch(cluster: Cluster, file: string): Promise<string> {
  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  const [trial] = await cluster.json<TrialJson[]>('trials', sweep);
  // The file arrives at the start of the third epoch, and its record immediately after it, long before the epoch's end.
  await until('the checkpoint of the second epoch is kept', async () =>
    hasCheckpoint(cluster, sweep, `${trial?.trial}`),
  );
  await sleep(RECORD_MS);
  return sweep;
}

function expectWentOn(actual: Shown, expected: Shown): void {
  expect(actual.attempt_list.map(({ resumed_from }) => resumed_from)).toEqual([0, 2]);
  expect(actual.reports.map(({ attempt, epoch }) => [attempt, epoch])).toEqual([
    ...[1, 2].map((epoch) => [1, epoch]),
    ...[3, 4, 5].map((epoch) => [2, epoch]),
  ]);
  expect(actual.metrics).toEqual(expected.metrics);
}

test('after a worker and then an agent are killed in epoch 3 of 5, the next attempt resumes at epoch 3 with the same metrics', {
  timeout: 360_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  const file = sweepFile(folder, SWEEP);
  await cluster.startAgent('agent', 1);
  const withoutFaults = await cluster.json<{ sweep: string }>('submit', file);
  const expected = await result(cluster, withoutFaults.sweep);
  expect(expected.reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5]);
  expect(expected.artifacts.map(({ name }) => name)).toEqual([
    'model.safetensors',
    'reconstructions/epoch-1.png',
    'reconstructions/epoch-1.safetensors',
    'reconstructions/epoch-5.png',
    'reconstructions/epoch-5.safetensors',
  ]);

  const withFaults = await inThirdEpoch(cluster, file);
  for (const pid of cluster.workersOf('agent')) killNow(pid);
  const actual = await result(cluster, withFaults);
  expectWentOn(actual, expected);

  const rougher = await inThirdEpoch(cluster, file);
  await cluster.agent('agent').killNow();
  await cluster.startAgent('another', 1);
  expectWentOn(await result(cluster, rougher), expected);

  const pictures = join(folder, 'pictures');
  const trial = `${withFaults}/${actual.trial}`;
  const fetched = await cluster.run('artifacts', 'get', trial, 'reconstructions/epoch-5.png', '--out', pictures);
  expect(fetched.code, fetched.stderr).toBe(0);
  expect(readFileSync(join(pictures, 'reconstructions/epoch-5.png')).subarray(1, 4).toString()).toBe('PNG');
});
