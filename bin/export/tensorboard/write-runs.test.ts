import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Curve } from '../../../proto/gen/trawl/v1/sweep_service.ts';
import { type Trial, TrialState } from '../../../proto/gen/trawl/v1/types.ts';
import { endedTrial, runningTrial, START_MS, sampleSweep, trialAt } from '../../../test/support/dashboard/sample.ts';
import { hparamsIn, readEvents, scalarsIn } from './event-reader.fixture.ts';
import { writeRuns } from './write-runs.ts';

const trials: readonly Trial[] = [
  endedTrial(0, { test_loss: 0.25, psnr: 12 }),
  { ...endedTrial(1, {}), state: TrialState.FAILED },
  runningTrial(2, 1, { test_loss: 0.5 }),
  trialAt(3),
];

async function* curves(): AsyncGenerator<Curve> {
  const at = START_MS + 6_000;
  yield {
    trialId: trials[0]?.id ?? '',
    reports: [
      { attempt: 1, epoch: 1, atMs: at, metrics: { test_loss: 0.5, psnr: Number.NaN } },
      { attempt: 1, epoch: 2, atMs: at + 1_500, metrics: { test_loss: 0.25, psnr: 12, late: 1 } },
    ],
  };
  yield { trialId: trials[2]?.id ?? '', reports: [{ attempt: 1, epoch: 1, atMs: at, metrics: { test_loss: 0.5 } }] };
  yield { trialId: 'ffffffffffffffff', reports: [] };
}

const RUN = {
  succeeded: 'a0000000-latent_dim=15,noise_std=0',
  failed: 'a1000000-latent_dim=15,noise_std=0.5',
  running: 'b0000000-latent_dim=30,noise_std=0',
};

let dir: string;
let written: number;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-runs-'));
  written = await writeRuns(dir, sampleSweep(), trials, curves());
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function eventsIn(folder: string) {
  const files = (await readdir(join(dir, folder), { withFileTypes: true })).filter((entry) => entry.isFile());
  expect(files.map(({ name }) => name)).toEqual([expect.stringMatching(/^events\.out\.tfevents\.\d{10}\.trawl$/)]);
  const events = readEvents(await readFile(join(dir, folder, files[0]?.name ?? '')));
  expect(events[0]).toMatchObject({ file_version: 'brain.Event:2' });
  return events;
}

test('every started trial has a run, named by the parameters that vary', async () => {
  expect(written).toBe(3);
  const folders = (await readdir(dir, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).sort()).toEqual(Object.values(RUN));
});

test('a run has its metrics at each epoch, with the time of the report', async () => {
  const at = START_MS / 1000 + 6;
  expect(scalarsIn(await eventsIn(RUN.succeeded))).toEqual([
    ['test_loss', 1, at, 0.5],
    ['psnr', 1, at, Number.NaN],
    ['test_loss', 2, at + 1.5, 0.25],
    ['psnr', 2, at + 1.5, 12],
    ['late', 2, at + 1.5, 1],
  ]);
});

test('if steps are fractional or huge, reports are numbered instead, and the metric `step` has their original steps unless the program reports a metric `step`', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trawl-runs-'));
  const report = (epoch: number, metrics: Record<string, number>) => ({ attempt: 1, epoch, atMs: START_MS, metrics });
  async function* fractional(): AsyncGenerator<Curve> {
    yield {
      trialId: trials[0]?.id ?? '',
      reports: [report(0.5, { loss: 1e300 }), report(1e300, { loss: 2, step: 3 })],
    };
  }
  await writeRuns(folder, sampleSweep(), trials.slice(0, 1), fractional());
  const [run = ''] = (await readdir(folder, { withFileTypes: true })).flatMap((each) =>
    each.isDirectory() ? each.name : [],
  );
  const [file = ''] = await readdir(join(folder, run));
  const scalars = scalarsIn(readEvents(await readFile(join(folder, run, file))));
  expect(scalars.map(([tag, step, , value]) => [tag, step, value])).toEqual([
    ['step', 1, 0.5],
    ['loss', 1, Number.POSITIVE_INFINITY],
    ['step', 2, 3],
    ['loss', 2, 2],
  ]);
  await rm(folder, { recursive: true });
});

test('a run has its parameters, its seed and its final status', async () => {
  const hparams = hparamsIn(await eventsIn(RUN.succeeded));
  expect(hparams['_hparams_/session_start_info']).toEqual({
    session_start_info: {
      hparams: {
        dataset: { string_value: 'mnist' },
        depth: { number_value: 3 },
        epochs: { number_value: 2 },
        latent_dim: { number_value: 15 },
        noise_std: { number_value: 0 },
        seed: { number_value: 0 },
      },
      start_time_secs: START_MS / 1000 + 5,
    },
  });
  expect(hparams['_hparams_/session_end_info']).toEqual({
    session_end_info: { status: 'SUCCESS', end_time_secs: START_MS / 1000 + 9 },
  });
  const endOf = async (run: string) => hparamsIn(await eventsIn(run))['_hparams_/session_end_info'];
  expect(await endOf(RUN.failed)).toMatchObject({ session_end_info: { status: 'FAILURE' } });
  expect(await endOf(RUN.running)).toEqual({ session_end_info: { status: 'RUNNING' } });
});

test('the experiment lists each parameter with its domain, and the metrics with the ranking metric first', async () => {
  const hparams = hparamsIn(await eventsIn('.'));
  const numbers = (...values: number[]) => ({ values: values.map((number_value) => ({ number_value })) });
  expect(hparams).toEqual({
    '_hparams_/experiment': {
      experiment: {
        description: 'autoencoders: autoencoder',
        time_created_secs: START_MS / 1000,
        hparam_infos: [
          { name: 'dataset', type: 'STRING', domain_discrete: { values: [{ string_value: 'mnist' }] } },
          { name: 'depth', type: 'FLOAT64', domain_discrete: numbers(3) },
          { name: 'epochs', type: 'FLOAT64', domain_discrete: numbers(2) },
          { name: 'latent_dim', type: 'FLOAT64', domain_discrete: numbers(15, 30) },
          { name: 'noise_std', type: 'FLOAT64', domain_discrete: numbers(0, 0.5) },
          { name: 'seed', type: 'FLOAT64', domain_discrete: numbers(0) },
        ],
        metric_infos: ['test_loss', 'psnr', 'late'].map((tag) => ({ name: { tag } })),
      },
    },
  });
});

const python = process.env.TRAWL_PYTHON;

test.skipIf(python === undefined)(
  'TensorBoard reads the exported runs (skipped unless TRAWL_PYTHON names a Python with TensorBoard)',
  async () => {
    const script = fileURLToPath(new URL('read_runs.fixture.py', import.meta.url));
    const { stdout } = await promisify(execFile)(python ?? '', [script, dir]);
    const read = JSON.parse(stdout);
    expect(read.scalars[RUN.succeeded].test_loss).toEqual([
      [1, START_MS / 1000 + 6, 0.5],
      [2, START_MS / 1000 + 7.5, 0.25],
    ]);
    expect(read.metrics).toEqual(['test_loss', 'psnr', 'late']);
    expect(read.hparams).toEqual(['dataset', 'depth', 'epochs', 'latent_dim', 'noise_std', 'seed']);
    expect(read.sessions).toEqual({
      [RUN.succeeded]: { status: 'STATUS_SUCCESS', latent_dim: 15, noise_std: 0, seed: 0, test_loss: 0.25 },
      [RUN.failed]: { status: 'STATUS_FAILURE', latent_dim: 15, noise_std: 0.5, seed: 0, test_loss: null },
      [RUN.running]: { status: 'STATUS_RUNNING', latent_dim: 30, noise_std: 0, seed: 0, test_loss: 0.5 },
    });
  },
);
