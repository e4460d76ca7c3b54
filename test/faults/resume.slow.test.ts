import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** Every record reaches the store within this time. An epoch takes longer. */
const RECORD_MS = 1_000;

const SWEEP = `
trainer: autoencoder
parameters:
  noise_std: {value: 0.5}
  latent_dim: {value: 15}
  train_size: {value: 5760}
  epochs: {value: 4}
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

/**
 * Waits until the coordinator has stored the checkpoint and the report of an epoch. When the wait ends, the next epoch
 * has just begun.
 */
async function untilKept(
  { dir }: Cluster,
  sweep: string,
  trial: string,
  attempt: number,
  epoch: number,
): Promise<void> {
  const checkpoint = join(dir, 'artifacts', sweep, trial, `${attempt}`, 'checkpoints', `epoch-${epoch}.safetensors`);
  await until(`the checkpoint of epoch ${epoch} is kept`, () => existsSync(checkpoint));
  await sleep(RECORD_MS);
}

test('after a worker is killed in epoch 2 and an agent in epoch 3, training resumes in the epoch of each kill, and has the same metrics as without kills', {
  timeout: 600_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  const file = sweepFile(folder, SWEEP);
  await cluster.startAgent('agent', 1);
  const withoutFaults = await cluster.json<{ sweep: string }>('submit', file);
  const expected = await result(cluster, withoutFaults.sweep);
  expect(expected.reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
  expect(expected.artifacts.map(({ name }) => name)).toEqual([
    'model.safetensors',
    'reconstructions/epoch-1.png',
    'reconstructions/epoch-1.safetensors',
    'reconstructions/epoch-4.png',
    'reconstructions/epoch-4.safetensors',
  ]);

  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  const [submitted] = await cluster.json<TrialJson[]>('trials', sweep);
  const trial = `${submitted?.trial}`;
  await untilKept(cluster, sweep, trial, 1, 1);
  for (const pid of cluster.workersOf('agent')) killNow(pid);
  await untilKept(cluster, sweep, trial, 2, 2);
  await cluster.agent('agent').killNow();
  await cluster.startAgent('another', 1);
  const actual = await result(cluster, sweep);
  expect(actual.attempt_list.map(({ resumed_from }) => resumed_from)).toEqual([0, 1, 2]);
  expect(actual.reports.map(({ attempt, epoch }) => [attempt, epoch])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
    [3, 4],
  ]);
  expect(actual.metrics).toEqual(expected.metrics);

  const pictures = join(folder, 'pictures');
  const name = 'reconstructions/epoch-4.png';
  const fetched = await cluster.run('artifacts', 'get', `${sweep}/${trial}`, name, '--out', pictures);
  expect(fetched.code, fetched.stderr).toBe(0);
  expect(readFileSync(join(pictures, name)).subarray(1, 4).toString()).toBe('PNG');
});
