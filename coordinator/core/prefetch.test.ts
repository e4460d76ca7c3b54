import { beforeEach, expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { endAttempt } from './attempt-ends.ts';
import type { FinalEnd } from './attempt-model.ts';
import { onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import type { Core, Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { schedule } from './scheduler.ts';
import { slotTimeOf } from './slot-time.ts';
import { onTick } from './tick.ts';

let core: Core;
let now: number;

beforeEach(() => {
  core = emptyCore();
  now = 1_000;
  onHello(core, agentHello('a', 'a1', 1), now);
});

function sweepOf(policy: Partial<SweepPolicy> = {}, trials = 40): Sweep {
  const sweep = addSweep(core, '1', trials, policy);
  schedule(core, now);
  return sweep;
}

const keyOf = (sweep: Sweep, trial: string, attempt = 1) => sampleKey(sweep, sampleTrial(sweep, trial), attempt);

function grant(sweep: Sweep, trial: string, slot = 0): void {
  const key = keyOf(sweep, trial);
  const { answer } = onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot }, now);
  expect(answer).toMatchObject({ granted: true });
}

function end(sweep: Sweep, trial: string, how: FinalEnd = { outcome: 'succeeded' }) {
  const { changes } = endAttempt(core, { key: keyOf(sweep, trial), end: how }, now);
  return changes.find((change) => change.kind === 'ended');
}

test('the time of a queued attempt begins at the end of the attempt before it', () => {
  const sweep = sweepOf();
  grant(sweep, 't0');
  grant(sweep, 't1');
  now += 5_000;
  expect(slotTimeOf(sweep.slotTime, now)).toMatchObject({ slotMs: 5_000, slots: 1 });
  expect(end(sweep, 't0')).toMatchObject({ leasedMs: 5_000, used: { slotMs: 5_000 } });
  now += 300;
  expect(end(sweep, 't1')).toMatchObject({ leasedMs: 300, used: { slotMs: 300 } });
  expect(sweep.share).toMatchObject({ queuedSlots: 0, activeSlots: 0, doneMs: 5_300 });
});

test('the timeout of a queued attempt begins at its start', () => {
  const sweep = sweepOf({ timeoutMs: 60_000 });
  grant(sweep, 't0');
  now += 50_000;
  grant(sweep, 't1');
  const renew = () => {
    for (const lease of core.leases.values()) lease.expiresAt = now + core.leaseMs;
  };
  now += 10_000;
  renew();
  expect(onTick(core, now).changes.flatMap((one) => (one.kind === 'ended' ? one.key.trialId : []))).toEqual(['t0']);
  now += 59_999;
  renew();
  expect(onTick(core, now).changes.filter(({ kind }) => kind === 'ended')).toEqual([]);
  expect(end(sweep, 't1', { outcome: 'failed', failure: { class: 'crash', message: '' } })).toMatchObject({
    early: false,
    leasedMs: 59_999,
  });
});

test('an attempt has started when its agent sends a record of it, even if the slot has an older attempt', () => {
  const sweep = sweepOf();
  grant(sweep, 't0');
  grant(sweep, 't1');
  now += 1_000;
  const record = { kind: 'report', key: keyOf(sweep, 't1'), seq: 1, at: now, epoch: 1, metrics: {} } as const;
  onRecord(core, { agentId: 'a', record }, now);
  expect(sweep.share).toMatchObject({ queuedSlots: 0, activeSlots: 2 });
  now += 200;
  expect(end(sweep, 't1')).toMatchObject({ leasedMs: 200 });
});
