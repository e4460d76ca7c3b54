import { describe, expect, test } from 'vitest';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { endAttempt } from './attempt-ends.ts';
import { type ClaimAnswer, onOpen } from './attempts.ts';
import type { Core, Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { presentPools } from './pools.ts';
import { schedule } from './scheduler.ts';
import { onPause } from './sweeps.ts';
import { onTick } from './tick.ts';

const NOW = 1_000;

function world({ slots = 1, pack = 3, trials = 9, policy = {} as Partial<SweepPolicy> } = {}) {
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', slots, pack), NOW);
  const sweep = addSweep(core, '1', trials, policy, (index) => (index % 3 === 2 ? 'other' : 'one'));
  schedule(core, NOW);
  return { core, sweep };
}

function open(core: Core, sweep: Sweep, trial: string, slot = 0, now = NOW) {
  const found = sampleTrial(sweep, trial);
  const attempt = found.lease?.key.attempt ?? found.attempts + 1;
  const claim = { key: sampleKey(sweep, found, attempt), agentId: 'a', incarnation: 'a1', slot };
  return onOpen(core, claim, now);
}

const mates = (answer: ClaimAnswer) => answer.granted && answer.mates.map(({ key }) => key.trialId);

test('a claimed trial is granted with other trials that have its pack key, in order of index, up to the slot’s capacity', () => {
  const { core, sweep } = world();
  const { step, answer } = open(core, sweep, 't0');
  expect(mates(answer)).toEqual(['t1', 't3']);
  expect(sweep.counts.running).toBe(3);
  expect(sweep.slotTime).toMatchObject({ slots: 1, attempts: 3 });
  const granted = step.changes.flatMap((change) => (change.kind === 'granted' ? [change.key.trialId] : []));
  expect(granted).toEqual(['t0', 't1', 't3']);
});

test('a trial is granted alone if the agent trains no packs or the trial has no pack key', () => {
  const single = world({ pack: 1 });
  expect(mates(open(single.core, single.sweep, 't0').answer)).toEqual([]);
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', 1, 8), NOW);
  const sweep = addSweep(core, '1', 4);
  schedule(core, NOW);
  expect(mates(open(core, sweep, 't0').answer)).toEqual([]);
});

test('a repeated claim gets the trials of its pack that have not ended', () => {
  const { core, sweep } = world();
  open(core, sweep, 't0');
  const again = open(core, sweep, 't0', 0, NOW + 5);
  expect(mates(again.answer)).toEqual(['t1', 't3']);
  expect(again.step.changes).toEqual([]);
  endAttempt(core, { key: sampleKey(sweep, sampleTrial(sweep, 't1'), 1), end: { outcome: 'succeeded' } }, NOW + 6);
  expect(mates(open(core, sweep, 't0', 0, NOW + 7).answer)).toEqual(['t3']);
});

test('a trial in one slot’s pack is not granted to another slot that claims it', () => {
  const { core, sweep } = world({ slots: 2 });
  expect(mates(open(core, sweep, 't0').answer)).toContain('t1');
  expect(open(core, sweep, 't1', 1).answer).toMatchObject({ refusal: { code: RefusalCode.LEASED } });
});

test('a pack takes only its share of the trials while other slots are free', () => {
  const { core, sweep } = world({ slots: 3, pack: 9, trials: 6 });
  expect(mates(open(core, sweep, 't0', 0).answer)).toEqual(['t1']);
  expect(mates(open(core, sweep, 't3', 1).answer)).toEqual(['t4']);
  expect(mates(open(core, sweep, 't2', 2).answer)).toEqual(['t5']);
});

test('a slot with a pack counts as one slot in use', () => {
  const { core, sweep } = world({ slots: 2 });
  open(core, sweep, 't0');
  expect(core.slotsInUse.get('a')?.size).toBe(1);
  expect(presentPools(core).size).toBe(1);
  expect([...presentPools(core).values()][0]).toMatchObject({ slots: 2, free: 1 });
  for (const id of ['t0', 't1', 't3']) {
    endAttempt(core, { key: sampleKey(sweep, sampleTrial(sweep, id), 1), end: { outcome: 'succeeded' } }, NOW);
  }
  expect(core.slotsInUse.size).toBe(0);
});

describe('the limits of a pack', () => {
  test('a pack contains no trials beyond the sweep’s concurrency', () => {
    const { core, sweep } = world({ pack: 9, policy: { concurrency: 3 } });
    open(core, sweep, 't0');
    expect(sweep.counts.running + sweep.counts.offered).toBe(3);
  });

  test('a pack contains no trial whose backoff has not ended', () => {
    const { core, sweep } = world({ slots: 4, policy: { retry: { oom: 1, crash: 2, timeout: 1, backoffMs: 10_000 } } });
    open(core, sweep, 't0');
    for (const id of ['t0', 't1', 't3']) {
      const failure = { class: 'crash', message: '' } as const;
      endAttempt(core, { key: sampleKey(sweep, sampleTrial(sweep, id), 1), end: { outcome: 'failed', failure } }, NOW);
    }
    schedule(core, NOW);
    expect(mates(open(core, sweep, 't4', 1).answer)).toEqual(['t6', 't7']);
    const later = NOW + 12_000;
    onTick(core, later);
    schedule(core, later);
    expect(mates(open(core, sweep, 't0', 2, later).answer)).toEqual(['t1']);
  });

  test('no pack starts in a paused sweep, because the claim itself is rejected', () => {
    const { core, sweep } = world();
    onPause(core, { sweepId: '1', reason: '' });
    expect(open(core, sweep, 't0').answer).toMatchObject({ refusal: { code: RefusalCode.PAUSED } });
  });
});

test('the trials of a pack end independently', () => {
  const { core, sweep } = world();
  open(core, sweep, 't0');
  const failure = { class: 'nan', message: '' } as const;
  endAttempt(core, { key: sampleKey(sweep, sampleTrial(sweep, 't1'), 1), end: { outcome: 'failed', failure } }, NOW);
  expect(['t0', 't1', 't3'].map((id) => sampleTrial(sweep, id).state)).toEqual(['running', 'failed', 'running']);
});
