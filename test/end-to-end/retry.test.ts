import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { failingSweep, type Retried, repairSweep } from '../support/failing-sweep.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { readStore } from '../support/stored.ts';

const LIMIT_MS = 180_000;

test('failed trials of an ended sweep are retried with a new retry budget, even if processes are killed', {
  timeout: LIMIT_MS,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, failingSweep(folder)));
  await cluster.startAgent('agent-a', 2);
  expect((await cluster.run('wait', sweep)).code).toBe(1);
  await cluster.coordinator.killNow();
  await cluster.startCoordinator();

  const trials = await cluster.json<TrialJson[]>('trials', sweep);
  const failed = trials.filter(({ state }) => state === 'failed').map(({ trial }) => trial);
  const [good = ''] = trials.filter(({ state }) => state === 'succeeded').map(({ trial }) => trial);
  expect(failed).toHaveLength(2);
  const rejected = await cluster.run('retry', sweep, ...failed, good);
  expect([rejected.code, rejected.stderr]).toEqual([4, `trawl: trial ${good} has succeeded: no trial was retried\n`]);
  const [first = ''] = failed;
  const wrong = `${first.slice(0, 8)}${first[8] === '0' ? '1' : '0'}`;
  const unknown = await cluster.run('retry', sweep, first, wrong);
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    expect.stringContaining(`has no trial "${wrong}"; did you mean "`),
  ]);
  expect((await cluster.run('retry', sweep, '--nan')).stdout).toContain('no trials match, nothing retried');
  expect((await cluster.sweep(sweep))?.state).toBe('SWEEP_STATE_FINISHED');

  const again = await cluster.json<Retried>('retry', first.slice(0, 10));
  expect(again).toMatchObject({ state: 'running', ended_at: null, retried: 1, counts: { failed: 1 } });
  expect((await cluster.run('wait', sweep)).code).toBe(1);

  repairSweep(folder);
  expect(await cluster.json<Retried>('retry', '--crash')).toMatchObject({ retried: 2, counts: { failed: 0 } });
  await cluster.coordinator.killNow();
  await cluster.startCoordinator();
  const ended = await cluster.run('wait', sweep);
  expect(ended.code, ended.stderr).toBe(0);

  await cluster.coordinator.killNow();
  const store = readStore(cluster.dir);
  expect(store.trials.map(({ state }) => state)).toEqual(Array(4).fill('succeeded'));
  const outcomes = (id: string) =>
    store.attempts.filter(({ trial }) => trial === id).map(({ number, outcome }) => `${number} ${outcome}`);
  expect(outcomes(first)).toEqual(['1 failed', '2 failed', '3 failed', '4 failed', '5 succeeded']);
  expect(outcomes(failed[1] ?? '')).toEqual(['1 failed', '2 failed', '3 succeeded']);
  const events = store.events.filter(({ kind }) => kind === 'retried').map(({ trial }) => trial);
  expect(events.sort()).toEqual([first, ...failed].sort());
});

test('the cancelled trials of a killed sweep can be retried', { timeout: LIMIT_MS }, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const text = 'trainer: noop\nparameters: {x: {values: [1, 2, 3]}, epochs: {value: 1}}\n';
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text));
  await cluster.run('kill', sweep, '-y');
  expect(await cluster.json<Retried>('retry', sweep, '--failed')).toMatchObject({ retried: 0, state: 'killed' });
  expect(await cluster.json<Retried>('retry', sweep, '--cancelled')).toMatchObject({ retried: 3, state: 'running' });
  await cluster.startAgent('agent-a', 2);
  expect((await cluster.run('wait', sweep)).code).toBe(0);
});

test('a trial id that exists in two sweeps must be given as SWEEP/ID', { timeout: LIMIT_MS }, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const file = sweepFile(
    folder,
    'command: [sh, -c, "exit 3"]\nmetric: {name: m}\nparameters: {x: {values: [1]}}\nretry: {crash: 0}\n',
  );
  for (const sweep of ['1', '2']) {
    expect((await cluster.json<{ sweep: string }>('submit', file)).sweep).toBe(sweep);
  }
  const [trial = ''] = (await cluster.json<TrialJson[]>('trials', '2')).map(({ trial }) => trial);
  for (const verb of ['explain', 'logs', 'show', 'retry']) {
    const { code, stderr } = await cluster.run(verb, trial);
    expect([code, stderr], verb).toEqual([2, expect.stringContaining(`choose one of 2/${trial}, 1/${trial}`)]);
  }
  expect(await cluster.json('explain', `1/${trial}`)).toMatchObject({ trial, sweep: '1' });
  expect(await cluster.json('show', `2/${trial}`)).toMatchObject({ trial, sweep: '2' });
  await cluster.startAgent('one', 1);
  expect((await cluster.run('wait', '1')).code).toBe(1);
  expect(await cluster.json('retry', `1/${trial}`)).toMatchObject({ sweep: '1', retried: 1 });
});
