/** Tests `trawl export` with a coordinator whose answers are fixed. The tests in bin/export/ cover the formats. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ownFile } from '../../lib/code/own-output.ts';
import type { SweepServiceServer } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { ArtifactKind } from '../../proto/gen/trawl/v1/types.ts';
import { type CannedServer, serveCanned } from '../../test/support/cli/canned-service.ts';
import { runTrawl } from '../../test/support/cli/run-trawl.ts';
import { endedTrial, runningTrial, START_MS, sampleSweep } from '../../test/support/dashboard/sample.ts';

let server: CannedServer | undefined;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-export-'));
});
afterEach(async () => {
  server?.stop();
  server = undefined;
  await rm(dir, { recursive: true, force: true });
});

const ended = { ...endedTrial(0, { test_loss: 0.25 }), rank: 1 };
const running = runningTrial(1, 1, { test_loss: 0.5 });

const answers: Partial<SweepServiceServer> = {
  getSweep: (_call, callback) => callback(null, { sweep: sampleSweep(), text: '' }),
  listTrials: (call) => {
    call.write({ trials: [ended, running] });
    call.end();
  },
  listCurves: (call) => {
    const at = START_MS + 6_000;
    call.write({
      curves: [
        {
          trialId: ended.id,
          reports: [
            { attempt: 1, epoch: 1, atMs: at, metrics: { test_loss: 0.5, early: 1 } },
            { attempt: 2, epoch: 2, atMs: at + 1, metrics: { test_loss: 0.25 } },
          ],
        },
      ],
    });
    call.write({ curves: [{ trialId: 'added-since', reports: [{ attempt: 1, epoch: 1, atMs: at, metrics: {} }] }] });
    call.write({
      curves: [{ trialId: running.id, reports: [{ attempt: 1, epoch: 1, atMs: at, metrics: { test_loss: 0.5 } }] }],
    });
    call.end();
  },
  getTrial: (_call, callback) =>
    callback(null, { trial: running, attempts: [], artifacts: [], programs: [], rungs: [] }),
};

async function exported(overrides: Partial<SweepServiceServer>, ...args: string[]) {
  server = await serveCanned({ ...answers, ...overrides });
  return runTrawl('export', ...args, '--server', server.address);
}

test('trawl export --curves writes one row per trial and epoch, including metrics that only some epochs have', async () => {
  const { stdout, stderr } = await exported({}, '--curves');
  expect(stderr).toBe('');
  expect(stdout.split('\r\n')).toEqual([
    'trial,config,seed,dataset,depth,epochs,latent_dim,noise_std,epoch,attempt,at,early,test_loss',
    'a000000000000000,c00,0,mnist,3,2,15,0,1,1,2026-01-02T03:04:11.000Z,1,0.5',
    'a000000000000000,c00,0,mnist,3,2,15,0,2,2,2026-01-02T03:04:11.001Z,,0.25',
    'a100000000000000,c01,0,mnist,3,2,15,0.5,1,1,2026-01-02T03:04:11.000Z,,0.5',
    '',
  ]);
  const json = JSON.parse((await exported({}, '--curves', '-f', 'json')).stdout);
  expect(json).toHaveLength(3);
  expect(json[1]).toEqual({
    trial: ended.id,
    config: 'c00',
    seed: 0,
    parameters: { dataset: 'mnist', depth: 3, epochs: 2, latent_dim: 15, noise_std: 0 },
    epoch: 2,
    attempt: 2,
    at: '2026-01-02T03:04:11.001Z',
    metrics: { test_loss: 0.25 },
  });
});

test('an export as parquet has the same columns and rows as an export as csv', async () => {
  for (const curves of [[], ['--curves']]) {
    const out = join(dir, 'table.parquet');
    const { stdout, exitCode } = await exported({}, '-f', 'parquet', '--out', out, ...curves);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 });
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(out) });
    const [header = '', ...lines] = (await exported({}, ...curves)).stdout.trimEnd().split('\r\n');
    const text = (value: unknown) => (value instanceof Date ? value.toISOString() : String(value ?? ''));
    expect(rows.map((row) => Object.values(row).map(text).join(','))).toEqual(lines);
    expect(Object.keys(rows[0] ?? {})).toEqual(header.split(','));
  }
});

test('trawl export -f tensorboard writes one run per trial, and rejects a folder that is not empty', async () => {
  const out = join(dir, 'runs');
  const first = await exported({}, '-f', 'tensorboard', '--out', out);
  expect(first).toMatchObject({ stdout: '', exitCode: 0, stderr: expect.stringContaining('2 runs written to') });
  expect(await readdir(out)).toHaveLength(3);
  const again = await exported({}, '-f', 'tensorboard', '--out', out);
  expect(again).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is not empty') });
});

test('if an outage interrupts an export, the old file stays unchanged and the exit code is 3', async () => {
  const out = join(dir, 'epochs');
  await writeFile(out, 'before');
  const gone: Partial<SweepServiceServer> = {
    listCurves: (call) => {
      call.write({ curves: [{ trialId: ended.id, reports: [] }] });
      setTimeout(() => call.emit('error', { code: status.UNAVAILABLE, details: 'going down' }), 50);
    },
  };
  for (const format of ['csv', 'parquet']) {
    expect((await exported(gone, '-f', format, '--curves', '--out', out)).exitCode).toBe(3);
  }
  expect((await exported(gone, '-f', 'tensorboard', '--out', join(dir, 'runs'))).exitCode).toBe(3);
  expect(await readFile(out, 'utf8')).toBe('before');
  expect(await readdir(dir)).toEqual(['epochs']);
});

test('the error of an export for a trial without a model gives the reason', async () => {
  const out = join(dir, 'model');
  const { stderr, exitCode } = await exported({}, '--model', 'a1', '--out', out);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('trial a100000000000000 has no model.safetensors: the trial is still running');
  const other: Partial<SweepServiceServer> = {
    getTrial: (_call, callback) => {
      const file = { attempt: 1, epoch: 0, size: 1, sha256: '', atMs: START_MS };
      const artifacts = [{ ...file, name: 'weights.bin', kind: ArtifactKind.MODEL }];
      callback(null, { trial: ended, attempts: [], artifacts, programs: [], rungs: [] });
    },
  };
  const kept = await exported(other, '--model', 'a0', '-f', 'safetensors', '--out', out);
  expect(kept).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('its trainer stored none') });
  expect(await readdir(dir)).toEqual([]);
});

test.each([
  ['-f', 'parquet'],
  ['-f', 'tensorboard'],
  ['-f', 'tensorboard', '--curves', '--out', 'x'],
  ['-f', 'tfjs', '--out', 'x'],
  ['--model', 'a0'],
  ['--model', 'a0', '-f', 'csv', '--out', 'x'],
])('export %s %s is rejected before any call', async (...args) => {
  const { stdout, stderr, exitCode } = await runTrawl('export', ...args, '--server', '127.0.0.1:1');
  expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 });
  expect(stderr).toMatch(/^trawl: (-f|--curves)/);
});

test.each([
  ['csv', []],
  ['csv', ['--curves']],
  ['json', []],
  ['json', ['--curves']],
  ['parquet', []],
  ['parquet', ['--curves']],
])('an export as %s with the options %j is recognized as a file that trawl wrote', async (format, options) => {
  const out = join(dir, `trials.${format}`);
  const listed = async (call: Parameters<SweepServiceServer['listTrials']>[0]) => {
    const ids = { id: 'ab12'.repeat(4), configId: '0123'.repeat(4) };
    call.write({ trials: [{ ...ended, ...ids }] });
    call.end();
  };
  const curves = async (call: Parameters<SweepServiceServer['listCurves']>[0]) => {
    const report = { attempt: 1, epoch: 1, atMs: START_MS, metrics: { test_loss: 0.5 } };
    call.write({ curves: [{ trialId: 'ab12'.repeat(4), reports: [report] }] });
    call.end();
  };
  const { exitCode, stderr } = await exported(
    { listTrials: listed, listCurves: curves },
    '-f',
    format,
    ...options,
    '--out',
    out,
  );
  expect(exitCode, stderr).toBe(0);
  expect(await ownFile(out)).toBe('an export written by trawl');
});
