/** Agents without a GPU and libtensorflow, whose workers load the backend `wasm` on demand. */
import { expect, test, vi } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';

const TRAINING = 'trainer: autoencoder\nparameters: {train_size: {value: 64}, epochs: {value: 1}}\n';
const PROGRAM = `
command: [echo, '{"epoch": 1, "test_loss": 1}']
metric: {name: test_loss, goal: minimize}
parameters: {x: {min: 1, max: 4}}
`;

test('an agent that cannot load its backend runs programs, and its training fails in preflight', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  vi.stubEnv('TRAWL_BACKEND', 'wasm');
  // Node then has no WebAssembly.
  vi.stubEnv('NODE_OPTIONS', '--jitless');
  try {
    await cluster.startAgent('agent', 1);
  } finally {
    vi.unstubAllEnvs();
  }
  const training = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, TRAINING));
  const failed = await until('an attempt failed', () => {
    return readStore(cluster.dir).attempts.find(({ failureClass }) => failureClass !== null);
  });
  expect(failed.failureClass).toBe('preflight');
  const workers = cluster.workersOf('agent');
  const shown = await cluster.run('show', failed.trial);
  expect(shown.stdout).toContain('this agent cannot load its backend');
  await cluster.run('kill', training.sweep, '-y');

  const programs = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, PROGRAM));
  const waited = await cluster.run('wait', programs.sweep);
  expect(waited.code, waited.stderr).toBe(0);
  expect(cluster.workersOf('agent')).toEqual(workers);
});
