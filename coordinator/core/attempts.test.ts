import { beforeEach, describe, expect, test } from 'vitest';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import {
  addSweep,
  agentHello,
  emptyCore,
  LEASE_MS,
  sampleKey,
  sampleTrial,
} from '../../test/support/coordinator/sample-core.ts';
import type { Agent } from './agent-model.ts';
import { displayedState, onHeartbeat, onHello, UNCONFIRMED_LEASE_MS } from './agents.ts';
import { type AttemptRecord, onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { onDrain, onUndrain } from './drain.ts';
import type { Core, Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { MAX_LOST_ATTEMPTS } from './retry.ts';
import { schedule } from './scheduler.ts';
import { onKill, onPause, onResume, onStop } from './sweeps.ts';
import { onTick, recordOutage } from './tick.ts';

let core: Core;
let now: number;

beforeEach(() => {
  core = emptyCore();
  now = 1_000;
  onHello(core, agentHello('a', 'a1', 8), now);
  onHello(core, agentHello('b', 'b1', 8), now);
});

function open(key: AttemptKey, agentId = 'a', incarnation = `${agentId}1`, slot = 0) {
  return onOpen(core, { key, agentId, incarnation, slot }, now);
}

const refusalOf = ({ answer }: ReturnType<typeof open>) => (answer.granted ? 'granted' : answer.refusal.code);

function run(sweep: Sweep, trialId = 't0', agentId = 'a', incarnation = `${agentId}1`): AttemptKey {
  schedule(core, now);
  const key = sampleKey(sweep, sampleTrial(sweep, trialId));
  expect(open(key, agentId, incarnation).answer).toMatchObject({ granted: true, checkpoint: undefined });
  return key;
}

function send(key: AttemptKey, seq: number, end?: 'succeeded' | FailureClassName, agentId = 'a') {
  const header = { key, seq, at: now };
  const record: AttemptRecord =
    end === undefined
      ? { ...header, kind: 'report', epoch: seq, metrics: {} }
      : end === 'succeeded'
        ? { ...header, kind: 'ended', end: { outcome: end } }
        : { ...header, kind: 'ended', end: { outcome: 'failed', failure: { class: end, message: 'as planned' } } };
  return onRecord(core, { agentId, record }, now);
}

function agentNamed(id: string): Agent {
  const agent = core.agents.get(id);
  if (agent === undefined) throw new Error(`no agent ${id} in the core`);
  return agent;
}

// The changes of a tick, without the changes of agents. A tick also marks silent agents as lost; past-agents.test.ts
// tests those changes.
const trialChanges = () => onTick(core, now).changes.filter(({ kind }) => kind !== 'agent');

const sweepOf = (trials: number, policy: Partial<SweepPolicy> = {}) => addSweep(core, '1', trials, policy);

describe('claims', () => {
  test('a claim of an offered trial is granted', () => {
    const sweep = sweepOf(1);
    schedule(core, now);
    const { step, answer } = open(sampleKey(sweep, sampleTrial(sweep, 't0')));
    expect(answer).toMatchObject({ granted: true, checkpoint: undefined });
    expect(step.changes.map((change) => change.kind)).toContain('granted');
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'running', attempts: 1 });
  });

  test('a repeated claim by the same agent gets the same lease and changes nothing', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    const lease = core.leases.get(keyText(key));
    const again = open(key);
    expect(again.answer).toMatchObject({ granted: true, checkpoint: undefined });
    expect(again.step.changes).toEqual([]);
    expect(core.leases.get(keyText(key))).toBe(lease);
  });

  test('a claim is rejected if the attempt already runs on another agent or under an earlier incarnation of the agent', () => {
    const key = run(sweepOf(1));
    expect(refusalOf(open(key, 'b'))).toBe(RefusalCode.LEASED);
    onHello(core, agentHello('a', 'a2', 8), now);
    expect(refusalOf(open(key, 'a', 'a2'))).toBe(RefusalCode.LEASED);
  });

  test('the code of a rejected claim states the reason', () => {
    const sweep = sweepOf(2, { concurrency: 1 });
    const [t0, t1] = [sampleTrial(sweep, 't0'), sampleTrial(sweep, 't1')];
    expect(refusalOf(open(sampleKey(sweep, t0), 'stranger'))).toBe(RefusalCode.NO_SESSION);
    expect(refusalOf(open(sampleKey(sweep, t0), 'a', 'earlier'))).toBe(RefusalCode.NO_SESSION);
    expect(refusalOf(open({ sweepId: '9', trialId: 't0', attempt: 1 }))).toBe(RefusalCode.UNKNOWN);
    expect(refusalOf(open({ sweepId: '1', trialId: 'none', attempt: 1 }))).toBe(RefusalCode.ENDED);
    expect(refusalOf(open(sampleKey(sweep, t0)))).toBe(RefusalCode.SUPERSEDED);
    schedule(core, now);
    expect(refusalOf(open(sampleKey(sweep, t0, 2)))).toBe(RefusalCode.SUPERSEDED);
    onPause(core, { sweepId: '1', reason: '' });
    expect(refusalOf(open(sampleKey(sweep, t0)))).toBe(RefusalCode.PAUSED);
    onResume(core, { sweepId: '1' });
    const key = run(sweep);
    expect(refusalOf(open({ ...key, attempt: 2 }))).toBe(RefusalCode.SUPERSEDED);
    send(key, 1, 'succeeded');
    expect(refusalOf(open(key))).toBe(RefusalCode.ENDED);
    expect(t1.state).toBe('pending');
  });
});

describe('records', () => {
  test('records of an attempt are accepted once and in order, and the answer to a gap has the number of the expected record', () => {
    const key = run(sweepOf(1));
    expect(send(key, 2).answer).toEqual({ result: 'gap', expected: 1 });
    expect(send(key, 1).answer).toEqual({ result: 'accepted' });
    const again = send(key, 1);
    expect(again.answer).toEqual({ result: 'duplicate' });
    expect(again.step.changes).toEqual([]);
    expect(send(key, 2).answer).toEqual({ result: 'accepted' });
  });

  test('if records before the first received record are missing, the attempt ends as lost', () => {
    const key = run(sweepOf(1));
    const record: AttemptRecord = { key, seq: 3, at: now, kind: 'report', epoch: 3, metrics: {} };
    const { step, answer } = onRecord(core, { agentId: 'a', record, isFirst: true }, now);
    expect(answer).toMatchObject({ result: 'lost', refusal: { code: RefusalCode.ENDED } });
    expect(step.changes).toContainEqual(
      expect.objectContaining({ kind: 'ended', key, end: expect.objectContaining({ outcome: 'failed' }) }),
    );
    expect(step.changes).not.toContain(record);
    expect(core.leases.size).toBe(0);
  });

  test('a record of a superseded attempt is rejected with a code and changes nothing', () => {
    const sweep = sweepOf(1);
    const first = run(sweep);
    send(first, 1, 'crash');
    run(sweep, 't0', 'b');
    const late = send(first, 2, 'succeeded');
    expect(late.answer).toMatchObject({ result: 'rejected', refusal: { code: RefusalCode.SUPERSEDED } });
    expect(late.step.changes).toEqual([]);
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'running', attempts: 2 });
  });

  test('a record from an agent that does not hold the lease is rejected', () => {
    const key = run(sweepOf(1));
    expect(send(key, 1, 'succeeded', 'b').answer).toMatchObject({ result: 'rejected' });
    expect(send(key, 1, 'succeeded').answer).toEqual({ result: 'accepted' });
  });

  test('a record of an ended attempt or of an unknown sweep is rejected', () => {
    const key = run(sweepOf(2));
    send(key, 1, 'succeeded');
    expect(send(key, 1, 'succeeded').answer).toMatchObject({ refusal: { code: RefusalCode.ENDED } });
    expect(send({ ...key, sweepId: '9' }, 1).answer).toMatchObject({ refusal: { code: RefusalCode.UNKNOWN } });
  });
});

describe('leases', () => {
  test('a lease is renewed by each record of its attempt and by each heartbeat that lists the attempt', () => {
    const key = run(sweepOf(1));
    now += LEASE_MS - 1;
    send(key, 1);
    now += LEASE_MS - 1;
    expect(trialChanges()).toEqual([]);
    onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [key], leaving: false }, now);
    now += LEASE_MS - 1;
    expect(trialChanges()).toEqual([]);
  });

  test('when a lease expires, the attempt is lost, its trial is pending again, and the lease is revoked', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    now += LEASE_MS;
    onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [], leaving: false }, now);
    const step = onTick(core, now);
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'pending', attempts: 1, failures: { lost: 1 } });
    expect(step.outputs).toMatchObject([{ kind: 'revoke', agentId: 'a', key }]);
  });

  test('if an agent did not receive a grant, its heartbeats that list the claim renew the lease for up to a minute', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    const grantedAt = now;
    const beat = { agentId: 'a', incarnation: 'a1', held: [], claimed: [key], leaving: false };
    while (now + LEASE_MS < grantedAt + UNCONFIRMED_LEASE_MS) {
      now += LEASE_MS - 1;
      onHeartbeat(core, beat, now);
      expect(trialChanges()).toEqual([]);
    }
    expect(open(key).answer).toMatchObject({ granted: true });
    now = grantedAt + UNCONFIRMED_LEASE_MS;
    onHeartbeat(core, beat, now);
    now += LEASE_MS;
    onTick(core, now);
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
  });

  test('after a takeover, heartbeats that list a claim renew the lease of the claim even before the agent has connected', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    core.agents.delete('a');
    for (let beats = 0; beats < 3; beats++) {
      now += LEASE_MS - 1;
      onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [], claimed: [key], leaving: false }, now);
      onTick(core, now);
    }
    expect(sampleTrial(sweep, 't0').state).toBe('running');
    now += 1;
    onHeartbeat(core, { agentId: 'a', incarnation: 'a0', held: [], claimed: [key], leaving: false }, now);
    now += LEASE_MS - 1;
    onTick(core, now);
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
  });

  test('a claim by a non-holder does not renew the lease, and is not an error', () => {
    const key = run(sweepOf(1));
    const expiresAt = core.leases.get(keyText(key))?.expiresAt;
    now += 1_000;
    for (const [agentId, incarnation] of [
      ['b', 'b1'],
      ['a', 'a0'],
    ] as const) {
      const beat = { agentId, incarnation, held: [], claimed: [key], leaving: false };
      expect(onHeartbeat(core, beat, now).outputs).toEqual([]);
    }
    expect(core.leases.get(keyText(key))?.expiresAt).toBe(expiresAt);
  });

  test('a lease does not expire during an outage of the coordinator, and has its full duration after the outage', () => {
    const sweep = sweepOf(1);
    run(sweep);
    const before = now;
    now += 10 * LEASE_MS;
    recordOutage(core, before, now);
    onTick(core, now);
    now += LEASE_MS - 1;
    onTick(core, now);
    expect(sampleTrial(sweep, 't0').state).toBe('running');
    expect(agentNamed('a').state).toBe('connected');
    now += 2;
    onTick(core, now);
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
    expect(agentNamed('a').state).toBe('lost');
  });

  test('a lease expires as usual when the coordinator ticks late', () => {
    const sweep = sweepOf(1);
    run(sweep);
    for (let late = 0; late < 5; late++) {
      recordOutage(core, now, now + LEASE_MS / 5);
      now += LEASE_MS / 5;
      onTick(core, now);
    }
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
  });

  test('if a heartbeat lists another agent’s lease, the lease is not renewed, and the sender must end the attempt', () => {
    const key = run(sweepOf(1));
    const expiresAt = core.leases.get(keyText(key))?.expiresAt;
    now += 1_000;
    const step = onHeartbeat(core, { agentId: 'b', incarnation: 'b1', held: [key], leaving: false }, now);
    expect(step.outputs).toMatchObject([{ kind: 'revoke', agentId: 'b', key }]);
    expect(core.leases.get(keyText(key))?.expiresAt).toBe(expiresAt);
  });
});

describe('restarted agents', () => {
  test('a restarted agent keeps the attempts that its heartbeats list', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    onHello(core, agentHello('a', 'a2', 8), now);
    for (let beat = 0; beat < 3; beat++) {
      now += LEASE_MS - 1;
      onHeartbeat(core, { agentId: 'a', incarnation: 'a2', held: [key], leaving: false }, now);
      expect(trialChanges()).toEqual([]);
    }
    expect(send(key, 1, 'succeeded').answer).toEqual({ result: 'accepted' });
  });

  test('a restarted agent can send records of its earlier attempts, and loses the attempts that its heartbeat omits', () => {
    const sweep = sweepOf(2);
    const [finished, cut] = [run(sweep, 't0'), run(sweep, 't1')];
    onHello(core, agentHello('a', 'a2', 8), now);
    expect(send(finished, 1, 'succeeded').answer).toEqual({ result: 'accepted' });
    expect(send(cut, 1).answer).toEqual({ result: 'accepted' });
    onHeartbeat(core, { agentId: 'a', incarnation: 'a2', held: [], leaving: false }, now);
    expect(sampleTrial(sweep, 't0').state).toBe('succeeded');
    expect(sampleTrial(sweep, 't1')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
    expect(send(cut, 2).answer).toMatchObject({ result: 'rejected' });
  });

  test('a late heartbeat of the earlier incarnation does not end the attempts of a restarted agent', () => {
    const sweep = sweepOf(1);
    onHello(core, agentHello('a', 'a2', 8), now);
    const key = run(sweep, 't0', 'a', 'a2');
    onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [], leaving: false }, now);
    expect(core.leases.has(keyText(key))).toBe(true);
  });

  test('a restarted agent does not affect attempts of other agents', () => {
    const key = run(sweepOf(1), 't0', 'b');
    onHello(core, agentHello('a', 'a2', 8), now);
    onHeartbeat(core, { agentId: 'a', incarnation: 'a2', held: [], leaving: false }, now);
    expect(core.leases.has(keyText(key))).toBe(true);
  });
});

describe('drained agents', () => {
  const DRAIN = { graceMs: 0, reason: '' };

  test('a drained agent is granted no new trials; other agents can take them, and its running attempts continue', () => {
    const sweep = sweepOf(2);
    const key = run(sweep, 't0');
    onDrain(core, { agentId: 'a', ...DRAIN }, now);
    schedule(core, now);
    expect(refusalOf(open(sampleKey(sweep, sampleTrial(sweep, 't1'))))).toBe(RefusalCode.DRAINED);
    expect(open(key).answer).toMatchObject({ granted: true });
    expect(send(key, 1).answer).toEqual({ result: 'accepted' });
    expect(run(sweep, 't1', 'b')).toMatchObject({ attempt: 1 });
  });

  test('a trial that a drained agent hands back is offered again at once, and uses no retry', () => {
    const sweep = sweepOf(1, { retry: { oom: 0, crash: 0, timeout: 0, backoffMs: 60_000 } });
    send(run(sweep), 1, 'drained');
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'pending', failures: { drained: 1 } });
    expect(schedule(core, now).outputs).toMatchObject([{ kind: 'offer', key: { attempt: 2 } }]);
  });

  test('a drained agent is shown as draining while an attempt runs, then as drained; after an undrain, as connected', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    const shown = () => displayedState(core, agentNamed('a'));
    onDrain(core, { agentId: 'a', ...DRAIN }, now);
    expect(shown()).toBe('draining');
    send(key, 1, 'succeeded');
    expect(shown()).toBe('drained');
    onUndrain(core, { agentId: 'a' });
    expect(shown()).toBe('connected');
  });

  test('a drain by a user outlives a restart of the agent, but the drain of an agent that shuts down does not', () => {
    const leaving = { agentId: 'a', incarnation: 'a1', held: [], leaving: true };
    onHeartbeat(core, leaving, now);
    onDrain(core, { agentId: 'b', ...DRAIN }, now);
    expect([displayedState(core, agentNamed('a')), displayedState(core, agentNamed('b'))]).toEqual([
      'drained',
      'drained',
    ]);
    onHello(core, agentHello('a', 'a2', 8), now);
    onHello(core, agentHello('b', 'b2', 8), now);
    expect([displayedState(core, agentNamed('a')), displayedState(core, agentNamed('b'))]).toEqual([
      'connected',
      'drained',
    ]);
  });

  test('a drained agent gets no offers', () => {
    sweepOf(40);
    onDrain(core, { agentId: 'a', ...DRAIN }, now);
    onDrain(core, { agentId: 'b', ...DRAIN }, now);
    expect(schedule(core, now).outputs).toEqual([]);
    onUndrain(core, { agentId: 'b' });
    expect(schedule(core, now).outputs.length).toBeGreaterThan(0);
  });
});

describe('time', () => {
  test('a silent agent is lost after one lease duration, and connected again after a heartbeat', () => {
    now += LEASE_MS + 1;
    onTick(core, now);
    expect(core.agents.get('a')?.state).toBe('lost');
    onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [], leaving: false }, now);
    expect(core.agents.get('a')?.state).toBe('connected');
  });

  test('an attempt that exceeds the sweep’s timeout ends even if the attempt still reports', () => {
    const sweep = sweepOf(1, { timeoutMs: 60_000 });
    const key = run(sweep);
    for (let seq = 1; seq <= 5; seq++) {
      now += 11_000;
      send(key, seq);
    }
    expect(trialChanges()).toEqual([]);
    now += 5_000;
    onTick(core, now);
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'pending', failures: { timeout: 1 } });
  });

  test.each([0, 1, LEASE_MS])(
    'if an attempt ends during an outage and before its timeout, its end is accepted up to one lease duration after the outage (here: %d ms)',
    (afterMs) => {
      const sweep = sweepOf(1, { timeoutMs: 60_000 });
      const key = run(sweep);
      now += 100_000;
      core.listeningSince = now;
      now += afterMs;
      onTick(core, now - 1);
      expect(sampleTrial(sweep, 't0').state).toBe('running');
      send(key, 1, 'succeeded');
      expect(sampleTrial(sweep, 't0').state).toBe('succeeded');
    },
  );

  test('an attempt that timed out during an outage ends one lease duration after the outage, even if it reports', () => {
    const sweep = sweepOf(1, { timeoutMs: 60_000 });
    const key = run(sweep);
    now += 100_000;
    core.listeningSince = now;
    now += LEASE_MS - 1;
    send(key, 1);
    onTick(core, now);
    expect(sampleTrial(sweep, 't0').state).toBe('running');
    onTick(core, now + 1);
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'pending', failures: { timeout: 1 } });
  });

  test('a retry is due when its backoff ends', () => {
    const sweep = sweepOf(1, { retry: { oom: 1, crash: 2, timeout: 1, backoffMs: 10_000 } });
    send(run(sweep), 1, 'crash');
    const offers = () => schedule(core, now).outputs.filter(({ kind }) => kind === 'offer');
    now += 9_999;
    onTick(core, now);
    expect(offers()).toEqual([]);
    now += 1;
    onTick(core, now);
    expect(offers()).toMatchObject([{ kind: 'offer', key: { trialId: 't0', attempt: 2 } }]);
  });
});

describe('retries', () => {
  test('a trial fails after the maximum number of lost attempts', () => {
    const sweep = sweepOf(2);
    for (let attempt = 1; attempt <= MAX_LOST_ATTEMPTS; attempt++) send(run(sweep), 1, 'lost');
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'failed', attempts: MAX_LOST_ATTEMPTS });
  });

  test('a trial has a separate retry budget for each class of failure', () => {
    const sweep = sweepOf(2);
    send(run(sweep), 1, 'crash');
    send(run(sweep, 't0', 'b'), 1, 'oom', 'b');
    for (const failure of ['crash', 'lost', 'timeout'] as const) send(run(sweep), 1, failure);
    expect(sampleTrial(sweep, 't0').state).toBe('pending');
    send(run(sweep), 1, 'crash');
    expect(sampleTrial(sweep, 't0').state).toBe('failed');
  });
});

describe('max_failed', () => {
  test('when more trials have failed than max_failed allows, the sweep is paused with a reason', () => {
    const sweep = sweepOf(5, { maxFailed: { kind: 'count', count: 1 } });
    send(run(sweep, 't0'), 1, 'nan');
    expect(sweep.state).toBe('running');
    const { step } = send(run(sweep, 't1'), 1, 'nan');
    expect(sweep.state).toBe('paused');
    expect(step.changes).toContainEqual({
      kind: 'sweep',
      sweepId: '1',
      state: 'paused',
      reason: '2 trials failed (max_failed: 1)',
    });
    expect(sweep.counts.offered).toBe(0);
  });

  test('max_failed as a percentage is relative to all trials of the sweep', () => {
    const sweep = sweepOf(10, { maxFailed: { kind: 'share', ratio: 0.1 } });
    send(run(sweep, 't0'), 1, 'nan');
    expect(sweep.state).toBe('running');
    send(run(sweep, 't1'), 1, 'nan');
    expect(sweep.state).toBe('paused');
  });

  test('max_failed counts failed trials, not failed attempts', () => {
    const sweep = sweepOf(2, { maxFailed: { kind: 'count', count: 0 } });
    send(run(sweep), 1, 'crash');
    expect(sweep.state).toBe('running');
  });
});

describe('user actions', () => {
  test('in a paused sweep, offers are withdrawn until the sweep is resumed, and running trials continue', () => {
    const sweep = sweepOf(3);
    const key = run(sweep, 't0');
    onPause(core, { sweepId: '1', reason: 'lunch' });
    expect(sweep.counts).toMatchObject({ pending: 2, offered: 0, running: 1 });
    expect(schedule(core, now).outputs.filter(({ kind }) => kind === 'offer')).toEqual([]);
    expect(send(key, 1, 'succeeded').answer).toEqual({ result: 'accepted' });
    onResume(core, { sweepId: '1' });
    expect(schedule(core, now).outputs).toHaveLength(2);
  });

  test('in a stopped sweep, pending trials are cancelled, running trials finish, and failures are not retried', () => {
    const sweep = sweepOf(4);
    const [good, bad] = [run(sweep, 't0'), run(sweep, 't1')];
    onStop(core, { sweepId: '1', reason: 'enough' });
    expect(sweep.counts).toMatchObject({ cancelled: 2, running: 2 });
    send(bad, 1, 'crash');
    expect(sampleTrial(sweep, 't1').state).toBe('cancelled');
    expect(sweep.state).toBe('stopping');
    send(good, 1, 'succeeded');
    expect(sweep.state).toBe('stopped');
  });

  test('in a killed sweep, every trial ends at once, leases are revoked, and records are rejected', () => {
    const sweep = sweepOf(3);
    const key = run(sweep, 't0');
    const step = onKill(core, { sweepId: '1', reason: 'wrong data' }, 0);
    expect(sweep.state).toBe('killed');
    expect(sweep.counts.cancelled).toBe(3);
    expect(core.leases.size).toBe(0);
    expect(step.outputs).toMatchObject([{ kind: 'revoke', agentId: 'a', key, refusal: { message: 'wrong data' } }]);
    expect(send(key, 1, 'succeeded').answer).toMatchObject({ result: 'rejected' });
  });

  test('actions on an unknown or ended sweep are rejected, and a stopping sweep can be neither paused nor resumed', () => {
    const sweep = sweepOf(1);
    expect(() => onPause(core, { sweepId: '9', reason: '' })).toThrow(/cannot pause sweep 9/);
    run(sweep);
    onStop(core, { sweepId: '1', reason: '' });
    expect(() => onPause(core, { sweepId: '1', reason: '' })).toThrow(/is stopping/);
    expect(() => onResume(core, { sweepId: '1' })).toThrow(/is stopping/);
    expect(onStop(core, { sweepId: '1', reason: '' }).changes).toEqual([]);
    onKill(core, { sweepId: '1', reason: '' }, 0);
    expect(() => onKill(core, { sweepId: '1', reason: '' }, 0)).toThrow(/has ended \(killed\)/);
  });
});
