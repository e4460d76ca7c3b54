import { describe, expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawl } from '../support/trawl.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 120_000;

const QUALIFIED = 'right.lab.example.org';

const SWEEP = `
name: separate
trainer: noop
parameters:
  x: {min: 1, max: 12, step: 1}
  duration_ms: {value: 300}
`;

describe('separate processes for coordinator, agents and commands', { timeout: LIMIT_MS }, () => {
  test('submit, pause, resume, wait, and every command that shows results work with separate processes', async () => {
    const folder = testFolder();
    const cluster = await Cluster.start(folder);
    const file = sweepFile(folder, SWEEP);
    const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
    expect((await cluster.run('pause', sweep, '--reason', 'lunch')).code).toBe(0);
    await cluster.startAgent('left', 1);
    await cluster.startAgent(QUALIFIED, 1);
    await until('both agents are connected', async () => (await cluster.agents()).length === 2);
    const paused = await cluster.json<{ sweep: string; state: string; reason: string }[]>('ls');
    expect(paused).toMatchObject([{ sweep, state: 'paused', reason: 'lunch' }]);
    expect((await cluster.run('resume', sweep)).code).toBe(0);
    const waited = await cluster.run('wait', sweep, '-o', 'json');
    expect(waited.code, waited.stderr).toBe(0);

    const trials = await cluster.json<TrialJson[]>('trials', sweep);
    expect(trials).toHaveLength(12);
    expect(new Set(trials.map(({ agent }) => agent))).toEqual(new Set(['left', QUALIFIED]));
    expect(await cluster.json('best', sweep, '--by', 'test_loss', '--top', '3', '--trials')).toEqual(
      trials.slice(0, 3),
    );
    const filtered = await cluster.json<TrialJson[]>('trials', sweep, '--filter', `agent=${QUALIFIED}`);
    expect(filtered).toEqual(trials.filter(({ agent }) => agent === QUALIFIED));
    const csv = await cluster.run('export', sweep, '-f', 'csv');
    expect(csv.stdout.trim().split(/\r?\n/)).toHaveLength(13);
    expect((await cluster.run('logs', trials[0]?.trial ?? '')).code).toBe(0);

    const metrics = await cluster.page('/metrics');
    expect(metrics).toContain(`trawl_trials_finished_total{sweep="${sweep}",outcome="succeeded"} 12`);
    expect(metrics).toContain(`trawl_trial_failures_total{sweep="${sweep}",class="oom"} 0`);
    expect(metrics).toContain('trawl_agents{state="connected"} 2');

    expect(metrics).toContain(`agent="${QUALIFIED}"`);
    expect((await cluster.run('drain', QUALIFIED)).code).toBe(0);
    expect(await cluster.json('agents')).toContainEqual(
      expect.objectContaining({ agent: QUALIFIED, state: 'drained' }),
    );

    expect(await cluster.coordinator.stop()).toBe(0);
    const offline = await trawl('trials', sweep, '--dir', cluster.dir, '-o', 'json');
    expect(JSON.parse(offline.stdout)).toEqual(trials);
    expect((await cluster.run('ls')).code).toBe(3);
  });

  test('stop lets running trials finish, kill ends running trials immediately, and both commands cancel pending trials', async () => {
    const folder = testFolder();
    const cluster = await Cluster.start(folder);
    await cluster.startAgent('only', 2);
    const slow = (ms: number) =>
      `trainer: noop\nparameters: {x: {min: 1, max: 6, step: 1}, duration_ms: {value: ${ms}}}\n`;
    const running = async (sweep: string) =>
      (await cluster.trials(sweep)).filter(({ state }) => state === 'running').length === 2;

    const stopped = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, slow(10_000)));
    await until('two trials run', () => running(stopped.sweep));
    expect((await cluster.run('stop', stopped.sweep)).code).toBe(0);
    const first = await cluster.run('wait', stopped.sweep, '-o', 'json');
    expect(first.code).toBe(1);
    expect(JSON.parse(first.stdout)).toMatchObject({ state: 'stopped', counts: { succeeded: 2, cancelled: 4 } });

    const killed = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, slow(600_000)));
    await until('two trials run', () => running(killed.sweep));
    expect((await cluster.run('kill', killed.sweep, '-y')).code).toBe(0);
    const second = await cluster.run('wait', killed.sweep, '-o', 'json');
    expect(JSON.parse(second.stdout)).toMatchObject({ state: 'killed', counts: { cancelled: 6 } });
    expect((await cluster.run('resume', killed.sweep)).code).toBe(4);

    const file = sweepFile(folder, slow(0));
    const after = await cluster.run('submit', file, '--wait');
    expect(after).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sweep 3 \(.*\) finished: 6 succeeded/) });
    expect(await cluster.run('submit', file, '--wait', '-q')).toMatchObject({ code: 0, stdout: '4\n' });
  });
});
