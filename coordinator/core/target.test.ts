import { beforeEach, expect, test } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import type { Core, Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { schedule } from './scheduler.ts';
import { onPause, onStop } from './sweeps.ts';

const NOW = 1_000;
const REASON = 'target reached: trial t0 has test_loss 0.5 at step 2 (target 0.5)';

let core: Core;
beforeEach(() => {
  core = emptyCore();
  onHello(core, agentHello('a', 'a1', 2), NOW);
});

function running(policy: Partial<SweepPolicy>): { sweep: Sweep; keys: AttemptKey[] } {
  const sweep = addSweep(core, '1', 4, policy);
  schedule(core, NOW);
  const keys = ['t0', 't1'].map((id) => sampleKey(sweep, sampleTrial(sweep, id)));
  for (const [slot, key] of keys.entries()) onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot }, NOW);
  expect(sweep.counts.running).toBe(2);
  return { sweep, keys };
}

function report(key: AttemptKey | undefined, seq: number, metrics: Record<string, number>) {
  if (key === undefined) throw new Error('no attempt');
  return onRecord(core, { agentId: 'a', record: { kind: 'report', key, seq, at: NOW, epoch: seq, metrics } }, NOW).step;
}

function end(key: AttemptKey | undefined, seq: number) {
  if (key === undefined) throw new Error('no attempt');
  const record = { kind: 'ended', key, seq, at: NOW, end: { outcome: 'succeeded' } } as const;
  return onRecord(core, { agentId: 'a', record }, NOW).step;
}

test('when a trial reaches the target, pending trials are cancelled, running trials finish, and the sweep ends', () => {
  const { sweep, keys } = running({ target: 0.5 });
  report(keys[0], 1, { test_loss: 0.6, other: 0 });
  expect(sweep.state).toBe('running');
  const { changes } = report(keys[0], 2, { test_loss: 0.5 });
  expect(changes).toMatchObject([
    { kind: 'report' },
    { kind: 'trial', trialId: 't2', state: 'cancelled', detail: REASON },
    { kind: 'trial', trialId: 't3', state: 'cancelled', detail: REASON },
    { kind: 'sweep', state: 'stopping', reason: REASON },
  ]);
  expect(report(keys[0], 3, { test_loss: 0.1 }).changes).toHaveLength(1);
  end(keys[0], 4);
  expect(sweep.state).toBe('stopping');
  expect(end(keys[1], 1).changes.at(-1)).toMatchObject({ kind: 'sweep', state: 'stopped', reason: undefined });
});

test.each([
  ['maximize', 0.6, true],
  ['maximize', 0.4, false],
  ['minimize', 0.6, false],
  ['minimize', Number.NEGATIVE_INFINITY, false],
  ['minimize', Number.NaN, false],
] as const)('if the goal is to %s and the target is 0.5, a report of %s ends the sweep: %s', (goal, value, ends) => {
  for (const at of ['last', 'best'] as const) {
    core.sweeps.clear();
    core = emptyCore();
    onHello(core, agentHello('a', 'a1', 2), NOW);
    const { sweep, keys } = running({ target: 0.5, ranking: { metric: 'test_loss', goal, at } });
    report(keys[0], 1, { test_loss: value });
    expect(sweep.state).toBe(ends ? 'stopping' : 'running');
  }
});

test('a paused sweep also ends when a trial reaches the target; if a sweep is already stopping, the reason for the stop does not change', () => {
  const paused = running({ target: 0.5 });
  onPause(core, { sweepId: '1', reason: 'later' });
  report(paused.keys[0], 1, { test_loss: 0 });
  expect(paused.sweep.state).toBe('stopping');
  core = emptyCore();
  onHello(core, agentHello('a', 'a1', 2), NOW);
  const stopping = running({ target: 0.5 });
  onStop(core, { sweepId: '1', reason: 'enough' });
  expect(report(stopping.keys[0], 1, { test_loss: 0 }).changes).toHaveLength(1);
});

test('a sweep does not end if it has no target or the report lacks the ranking metric', () => {
  const { sweep, keys } = running({ target: undefined });
  report(keys[0], 1, { test_loss: 0 });
  expect(sweep.state).toBe('running');
  core = emptyCore();
  onHello(core, agentHello('a', 'a1', 2), NOW);
  const named = running({ target: 0.5, ranking: { metric: 'constructor', goal: 'minimize', at: 'last' } });
  report(named.keys[0], 1, { test_loss: 0 });
  expect(named.sweep.state).toBe('running');
});
