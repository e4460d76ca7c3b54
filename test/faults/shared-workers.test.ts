/** Agents with more slots than the machine has cores, whose slots share the worker processes for programs. */
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';

const cores = availableParallelism();
const slots = 2 * cores + 1;

/** A program that prints its point, marks its start, and ends when the file `go` exists. */
const WAITING = `
echo "point $1"
touch "$2/started-$1"
while [ ! -e "$2/go" ]; do sleep 0.05; done
echo '{"epoch": 1, "loss": 1}'
`;

function waitingSweep(folder: string, trials: number): string {
  writeFileSync(join(folder, 'waiting.sh'), WAITING);
  return sweepFile(
    folder,
    [
      `command: [sh, ${JSON.stringify(join(folder, 'waiting.sh'))}, "\${param:x}", ${JSON.stringify(folder)}]`,
      'metric: {name: loss, goal: minimize}',
      `parameters: {x: {min: 1, max: ${trials}}}`,
      'retry: {crash: 0}',
    ].join('\n'),
  );
}

const started = (folder: string): number =>
  Array.from({ length: slots }, (_, at) => join(folder, `started-${at + 1}`)).filter((file) => existsSync(file)).length;

test('programs of several slots run in one worker process, and each trial has its own log', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', slots);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', waitingSweep(folder, slots));
  await until('all programs have started', () => started(folder) === slots);
  expect(cluster.workersOf('agent')).toHaveLength(cores);
  writeFileSync(join(folder, 'go'), '');
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  for (const { trial, parameters, attempts } of await cluster.json<TrialJson[]>('trials', sweep)) {
    expect(attempts).toBe(1);
    expect((await cluster.run('logs', trial)).stdout).toBe(`point ${parameters.x}\n`);
  }
});

test('if a shared worker is killed, no trial fails, and each slot then has its own worker; training is not affected', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', slots);
  const training = 'trainer: noop\nparameters: {epochs: {value: 10000}, duration_ms: {value: 50}}\n';
  const trained = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, training));
  const shared = await until('the training runs in a process of its own', () => {
    const workers = cluster.workersOf('agent');
    return workers.length === cores + 1 && workers.toSorted((a, b) => a - b).slice(0, cores);
  });
  const { sweep } = await cluster.json<{ sweep: string }>('submit', waitingSweep(folder, slots - 1));
  await until('every other slot runs a program', () => started(folder) === slots - 1);
  for (const pid of shared) killNow(pid);
  await until('the programs run again', async () => {
    const trials = await cluster.trials(sweep);
    return trials.filter(({ state, attempts }) => state === 'running' && attempts === 2).length === slots - 1;
  });
  expect(cluster.workersOf('agent')).toHaveLength(slots);
  writeFileSync(join(folder, 'go'), '');
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  const { attempts } = readStore(cluster.dir);
  const failed = attempts.filter(({ failureClass }) => failureClass !== null);
  expect(failed.map(({ failureClass }) => failureClass)).toEqual(Array(slots - 1).fill('drained'));
  expect(await cluster.trials(trained.sweep)).toMatchObject([{ state: 'running', attempts: 1 }]);
});
