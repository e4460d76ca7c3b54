/** Tests retry, explain and priority: the request that a key or command sends, and the status line after the answer. */
import { expect, test } from 'vitest';
import { type Trial, TrialState } from '../proto/gen/trawl/v1/types.ts';
import { midAnswers, midSweep, midTrials } from '../test/support/dashboard/mid-sweep.ts';
import { sampleSweep, snapshot } from '../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../test/support/dashboard/sample-dashboard.tsx';
import { type SampleAnswers, SampleSource } from '../test/support/dashboard/sample-source.ts';
import { viewOf } from './state/ui.ts';

const FAILED = '5e1f2a3b4c5d6e7f';

async function start(more: Partial<SampleAnswers> = {}, options: { readonly readonly?: boolean } = {}) {
  const retry = () => ({ sweep: midSweep, retried: 1 });
  const source = new SampleSource({ ...midAnswers, retry, ...more });
  const at = await sampleDashboard(source, { columns: 160, rows: 30 }, options);
  const status = () => at.frame().at(-2)?.trimEnd();
  return { ...at, source, status };
}

function withStates(states: Readonly<Record<number, Trial['state']>>): Pick<SampleAnswers, 'updates'> {
  const trials = midTrials.map((trial) => ({ ...trial, state: states[trial.index] ?? trial.state }));
  return { updates: [snapshot(midSweep, trials)] };
}

test('R on a config with one failed replicate retries this replicate without asking for confirmation', async () => {
  const at = await start();
  await at.press('R');
  expect(at.source.retries).toEqual([['7', { trials: [FAILED] }]]);
  expect(at.status()).toBe('retry: 1 trial is pending again');
  at.stop();
});

test('if rows are marked, R retries the failed or cancelled trials of these rows after a confirmation, wherever the cursor is', async () => {
  const at = await start(withStates({ 0: TrialState.CANCELLED, 1: TrialState.FAILED }));
  await at.press(':', ...'sort latent_dim', 'enter', ' ', 'j', ' ', 'G', 'R');
  expect(at.status()).toBe('retry 3 trials with a fresh retry budget? [y/N]');
  await at.press('n');
  expect(at.source.retries).toEqual([]);
  await at.press('R', 'y');
  const ids = [0, 1, 5].map((index) => midTrials[index]?.id);
  expect(at.source.retries).toEqual([['7', { trials: ids }]]);
  at.stop();
});

test('R on a config sends a request only if a replicate failed or was cancelled; R on a trial always sends a request', async () => {
  const at = await start();
  await at.press('j', 'R');
  expect(at.status()).toBe('retry: none of the selected trials failed or was cancelled');
  expect(at.source.retries).toEqual([]);
  await at.press('d', 'R');
  expect(at.source.retries).toEqual([['7', { trials: [midTrials[0]?.id] }]]);
  at.stop();
});

test(':retry selects trials by failure class or state, shows the number of these trials, and rejects unknown groups', async () => {
  const at = await start(withStates({ 0: TrialState.FAILED, 1: TrialState.CANCELLED }));
  await at.press(':', ...'retry oom', 'enter');
  expect(at.source.retries.at(-1)).toEqual(['7', { failures: ['oom'], cancelled: false }]);
  await at.press(':', ...'retry failed cancelled', 'enter');
  expect(at.status()).toBe('retry 3 trials with a fresh retry budget? [y/N]');
  await at.press('y');
  expect(at.source.retries.at(-1)).toEqual(['7', { failures: 'all', cancelled: true }]);
  await at.press(':', ...'retry nan', 'enter');
  expect(at.status()).toBe('retry: no trial failed with nan');
  await at.press(':', ...'retry broken', 'enter');
  expect(at.status()).toMatch(/^retry: unknown group "broken"; use failed, oom, nan, crash/);
  expect(at.source.retries).toHaveLength(2);
  at.stop();
});

test('an ended sweep is watched again after a retry', async () => {
  const ended = sampleSweep({ state: 'SWEEP_STATE_FINISHED' });
  const at = await start({ updates: [snapshot(ended, [...midTrials])] });
  at.source.end();
  await at.settle();
  expect(at.happened).toEqual(['ended']);
  await at.press('R');
  expect(at.source.watched).toEqual(['7', '7']);
  at.stop();
});

test('an ended sweep is watched again after another user has retried trials of it', async () => {
  const ended = sampleSweep({ state: 'SWEEP_STATE_FINISHED' });
  const sweeps = [ended];
  const at = await start({ updates: [snapshot(ended, [...midTrials])], sweeps });
  at.source.end();
  await at.settle();
  at.clock.now += 10_000;
  await at.settle();
  expect(at.source.watched).toEqual(['7']);
  sweeps[0] = midSweep;
  at.clock.now += 10_000;
  await at.settle();
  expect(at.source.watched).toEqual(['7', '7']);
  at.stop();
});

test("e shows the coordinator's explanation of why the trial under the cursor is not running", async () => {
  const at = await start({ explain: ['trial 7e1f of sweep 7: pending for 3s', '  every slot is in use', 'agents:'] });
  await at.press('e');
  expect(viewOf(at.dashboard.model().ui)).toEqual({ kind: 'explain', trialId: expect.stringMatching(/e1f2a3b/) });
  const lines = at.frame().slice(6);
  expect(lines[0]?.trimEnd()).toBe('trial 7e1f of sweep 7: pending for 3s');
  expect(lines[1]?.trimEnd()).toBe('  every slot is in use');
  await at.press('q');
  expect(viewOf(at.dashboard.model().ui).kind).toBe('sweep');
  at.stop();
});

test(':priority sets the priority of the sweep, and rejects an invalid priority', async () => {
  const at = await start();
  await at.press(':', ...'priority -5', 'enter');
  expect(at.source.priorities).toEqual([['7', -5]]);
  expect(at.status()).toBe('priority: sweep 7 (autoencoders) has priority -5');
  for (const wrong of ['priority', 'priority high', 'priority 1.5', 'priority 1001']) {
    await at.press(':', ...wrong, 'enter');
    expect(at.status()).toBe('priority must be a whole number from -1000 to 1000');
  }
  expect(at.source.priorities).toHaveLength(1);
  at.stop();
});

test('read-only mode allows explanations, but no retries and no priority changes', async () => {
  const at = await start({ explain: ['as it is'] }, { readonly: true });
  await at.press('R', ':', ...'retry failed', 'enter');
  expect(at.status()).toContain('read-only');
  await at.press(':', ...'priority 5', 'enter');
  expect(at.status()).toContain('read-only');
  await at.press('e');
  expect(at.frame().join('\n')).toContain('as it is');
  expect([...at.source.retries, ...at.source.priorities]).toEqual([]);
  at.stop();
});
