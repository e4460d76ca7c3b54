import { beforeEach, describe, expect, test } from 'vitest';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import {
  addSweep,
  agentHello,
  emptyCore,
  keyOf,
  LEASE_MS,
  trialOf,
} from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello, UNTOLD_LEASE_MS } from './agents.ts';
import { type AttemptRecord, onOpen, onRecord } from './attempts.ts';
import { onDrain, onUndrain, shownState } from './drain.ts';
import { type Agent, type AttemptKey, type Core, keyText, type Sweep, type SweepPolicy } from './model.ts';
import { MAX_LOST_ATTEMPTS } from './retry.ts';
import { schedule } from './scheduler.ts';
import { Step } from './step.ts';
import { onKill, onPause, onResume, onStop } from './sweeps.ts';
import { noteBreak, onTick } from './tick.ts';

let core: Core;
let now: number;

beforeEach(() => {
  core = emptyCore();
  now = 1_000;
  onHello(core, agentHello('a', 'a1', 8), now);
  onHello(core, agentHello('b', 'b1', 8), now);
});

function open(key: AttemptKey, agentId = 'a', incarnation = `${agentId}1`, slot = 0) {
  const step = new Step();
  return { step, answer: onOpen(core, { key, agentId, incarnation, slot }, now, step) };
}

const refusalOf = ({ answer }: ReturnType<typeof open>) => (answer.granted ? 'granted' : answer.refusal.code);

/** Offers and grants a trial's next attempt. */
function run(sweep: Sweep, trialId = 't0', agentId = 'a', incarnation = `${agentId}1`): AttemptKey {
  schedule(core, now);
  const key = keyOf(sweep, trialOf(sweep, trialId));
  expect(open(key, agentId, incarnation).answer).toMatchObject({ granted: true, checkpoint: undefined });
  return key;
}

function tell(key: AttemptKey, seq: number, ending?: 'succeeded' | FailureClassName, agentId = 'a') {
  const told = { key, seq, at: now };
  const record: AttemptRecord =
    ending === undefined
      ? { ...told, kind: 'report', epoch: seq, metrics: {} }
      : ending === 'succeeded'
        ? { ...told, kind: 'ended', ending: { outcome: ending } }
        : { ...told, kind: 'ended', ending: { outcome: 'failed', failure: { class: ending, message: 'so' } } };
  const step = new Step();
  return { step, answer: onRecord(core, agentId, record, now, step) };
}

function agentNamed(id: string): Agent {
  const agent = core.agents.get(id);
  if (agent === undefined) throw new Error(`the core knows no agent ${id}`);
  return agent;
}

const sweepOf = (trials: number, policy: Partial<SweepPolicy> = {}) => addSweep(core, '1', trials, policy);

describe('a claim', () => {
  test('of what is offered is granted', () => {
    const sweep = sweepOf(1);
    schedule(core, now);
    const { step, answer } = open(keyOf(sweep, trialOf(sweep, 't0')));
    expect(answer).toMatchObject({ granted: true, checkpoint: undefined });
    expect(step.changes.map((change) => change.kind)).toContain('granted');
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'running', attempts: 1 });
  });

  test('made again by the same agent gets the same lease, and nothing changes', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    const lease = core.leases.get(keyText(key));
    const again = open(key);
    expect(again.answer).toMatchObject({ granted: true, checkpoint: undefined });
    expect(again.step.changes).toEqual([]);
    expect(core.leases.get(keyText(key))).toBe(lease);
  });

  test('of an attempt that runs elsewhere, or in an earlier incarnation, is refused', () => {
    const key = run(sweepOf(1));
    expect(refusalOf(open(key, 'b'))).toBe(RefusalCode.LEASED);
    onHello(core, agentHello('a', 'a2', 8), now);
    expect(refusalOf(open(key, 'a', 'a2'))).toBe(RefusalCode.LEASED);
  });

  test('is refused by name: no session, no such trial, not offered, paused, wrong number, ended', () => {
    const sweep = sweepOf(2, { concurrency: 1 });
    const [t0, t1] = [trialOf(sweep, 't0'), trialOf(sweep, 't1')];
    expect(refusalOf(open(keyOf(sweep, t0), 'stranger'))).toBe(RefusalCode.NO_SESSION);
    expect(refusalOf(open(keyOf(sweep, t0), 'a', 'earlier'))).toBe(RefusalCode.NO_SESSION);
    expect(refusalOf(open({ sweepId: '9', trialId: 't0', attempt: 1 }))).toBe(RefusalCode.UNKNOWN);
    expect(refusalOf(open({ sweepId: '1', trialId: 'none', attempt: 1 }))).toBe(RefusalCode.UNKNOWN);
    expect(refusalOf(open(keyOf(sweep, t0)))).toBe(RefusalCode.SUPERSEDED);
    schedule(core, now);
    expect(refusalOf(open(keyOf(sweep, t0, 2)))).toBe(RefusalCode.SUPERSEDED);
    onPause(core, '1', '');
    expect(refusalOf(open(keyOf(sweep, t0)))).toBe(RefusalCode.PAUSED);
    onResume(core, '1');
    const key = run(sweep);
    expect(refusalOf(open({ ...key, attempt: 2 }))).toBe(RefusalCode.SUPERSEDED);
    tell(key, 1, 'succeeded');
    expect(refusalOf(open(key))).toBe(RefusalCode.ENDED);
    expect(t1.state).toBe('pending');
  });
});

describe('a record', () => {
  test('is taken once and in order; a gap names what is missing', () => {
    const key = run(sweepOf(1));
    expect(tell(key, 2).answer).toEqual({ taken: 'gap', expected: 1 });
    expect(tell(key, 1).answer).toEqual({ taken: 'new' });
    const again = tell(key, 1);
    expect(again.answer).toEqual({ taken: 'again' });
    expect(again.step.changes).toEqual([]);
    expect(tell(key, 2).answer).toEqual({ taken: 'new' });
  });

  test('of a superseded attempt is refused by name and changes nothing', () => {
    const sweep = sweepOf(1);
    const first = run(sweep);
    tell(first, 1, 'crash');
    run(sweep, 't0', 'b');
    const late = tell(first, 2, 'succeeded');
    expect(late.answer).toMatchObject({ taken: 'refused', refusal: { code: RefusalCode.SUPERSEDED } });
    expect(late.step.changes).toEqual([]);
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'running', attempts: 2 });
  });

  test('from an agent that does not hold the attempt is refused', () => {
    const key = run(sweepOf(1));
    expect(tell(key, 1, 'succeeded', 'b').answer).toMatchObject({ taken: 'refused' });
    expect(tell(key, 1, 'succeeded').answer).toEqual({ taken: 'new' });
  });

  test('of an attempt that has ended, or of no trial here, is refused', () => {
    const key = run(sweepOf(2));
    tell(key, 1, 'succeeded');
    expect(tell(key, 1, 'succeeded').answer).toMatchObject({ refusal: { code: RefusalCode.ENDED } });
    expect(tell({ ...key, sweepId: '9' }, 1).answer).toMatchObject({ refusal: { code: RefusalCode.UNKNOWN } });
  });
});

describe('a lease', () => {
  test('is renewed by each of its records, and by heartbeats that name it', () => {
    const key = run(sweepOf(1));
    now += LEASE_MS - 1;
    tell(key, 1);
    now += LEASE_MS - 1;
    expect(onTick(core, now).changes).toEqual([]);
    onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [key], leaving: false }, now);
    now += LEASE_MS - 1;
    expect(onTick(core, now).changes).toEqual([]);
  });

  test('that nobody renews runs out: the attempt is lost, its trial waits again, the agent is told', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    now += LEASE_MS;
    onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [], leaving: false }, now);
    const step = onTick(core, now);
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'pending', attempts: 1, failures: { lost: 1 } });
    expect(step.outputs).toMatchObject([{ kind: 'dismiss', agentId: 'a', key }]);
  });

  test('whose holder does not know that it has it is kept while the holder asks for it, and no longer than a minute', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    const grantedAt = now;
    const beat = { agentId: 'a', incarnation: 'a1', held: [], claimed: [key], leaving: false };
    while (now + LEASE_MS < grantedAt + UNTOLD_LEASE_MS) {
      now += LEASE_MS - 1;
      onHeartbeat(core, beat, now);
      expect(onTick(core, now).changes).toEqual([]);
    }
    expect(open(key).answer).toMatchObject({ granted: true });
    now = grantedAt + UNTOLD_LEASE_MS;
    onHeartbeat(core, beat, now);
    now += LEASE_MS;
    onTick(core, now);
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
  });

  test('is not kept for who claims it and does not hold it, and such a claim is no fault', () => {
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

  test('does not run out while the coordinator itself stands still: then its holder has its whole time again', () => {
    const sweep = sweepOf(1);
    run(sweep);
    const before = now;
    now += 10 * LEASE_MS;
    noteBreak(core, before, now);
    onTick(core, now);
    now += LEASE_MS - 1;
    onTick(core, now);
    expect(trialOf(sweep, 't0').state).toBe('running');
    expect(agentNamed('a').state).toBe('connected');
    now += 2;
    onTick(core, now);
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
    expect(agentNamed('a').state).toBe('lost');
  });

  test('runs out all the same when the coordinator is only late', () => {
    const sweep = sweepOf(1);
    run(sweep);
    for (let late = 0; late < 5; late++) {
      noteBreak(core, now, now + LEASE_MS / 5);
      now += LEASE_MS / 5;
      onTick(core, now);
    }
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
  });

  test('is not another’s to renew: who names an attempt without holding it is told to drop it', () => {
    const key = run(sweepOf(1));
    const expiresAt = core.leases.get(keyText(key))?.expiresAt;
    now += 1_000;
    const step = onHeartbeat(core, { agentId: 'b', incarnation: 'b1', held: [key], leaving: false }, now);
    expect(step.outputs).toMatchObject([{ kind: 'dismiss', agentId: 'b', key }]);
    expect(core.leases.get(keyText(key))?.expiresAt).toBe(expiresAt);
  });
});

describe('an agent that was restarted', () => {
  test('keeps the attempts that it has still to tell of, for as long as that takes', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    onHello(core, agentHello('a', 'a2', 8), now);
    for (let beat = 0; beat < 3; beat++) {
      now += LEASE_MS - 1;
      onHeartbeat(core, { agentId: 'a', incarnation: 'a2', held: [key], leaving: false }, now);
      expect(onTick(core, now).changes).toEqual([]);
    }
    expect(tell(key, 1, 'succeeded').answer).toEqual({ taken: 'new' });
  });

  test('may still send what it recorded before; a heartbeat ends what it does not name', () => {
    const sweep = sweepOf(2);
    const [finished, cut] = [run(sweep, 't0'), run(sweep, 't1')];
    onHello(core, agentHello('a', 'a2', 8), now);
    expect(tell(finished, 1, 'succeeded').answer).toEqual({ taken: 'new' });
    expect(tell(cut, 1).answer).toEqual({ taken: 'new' });
    onHeartbeat(core, { agentId: 'a', incarnation: 'a2', held: [], leaving: false }, now);
    expect(trialOf(sweep, 't0').state).toBe('succeeded');
    expect(trialOf(sweep, 't1')).toMatchObject({ state: 'pending', failures: { lost: 1 } });
    expect(tell(cut, 2).answer).toMatchObject({ taken: 'refused' });
  });

  test('is not ended by a heartbeat of the earlier incarnation that arrives late', () => {
    const sweep = sweepOf(1);
    onHello(core, agentHello('a', 'a2', 8), now);
    const key = run(sweep, 't0', 'a', 'a2');
    onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [], leaving: false }, now);
    expect(core.leases.has(keyText(key))).toBe(true);
  });

  test('leaves other agents’ attempts alone', () => {
    const key = run(sweepOf(1), 't0', 'b');
    onHello(core, agentHello('a', 'a2', 8), now);
    onHeartbeat(core, { agentId: 'a', incarnation: 'a2', held: [], leaving: false }, now);
    expect(core.leases.has(keyText(key))).toBe(true);
  });
});

describe('a drained agent', () => {
  const DRAIN = { graceMs: 0, reason: '' };

  test('is refused what is offered, which another may take; what it runs goes on, and can be claimed again', () => {
    const sweep = sweepOf(2);
    const key = run(sweep, 't0');
    onDrain(core, 'a', DRAIN, now);
    schedule(core, now);
    expect(refusalOf(open(keyOf(sweep, trialOf(sweep, 't1'))))).toBe(RefusalCode.DRAINED);
    expect(open(key).answer).toMatchObject({ granted: true });
    expect(tell(key, 1).answer).toEqual({ taken: 'new' });
    expect(run(sweep, 't1', 'b')).toMatchObject({ attempt: 1 });
  });

  test('costs the trial that it hands back no attempt of its budget, and no wait', () => {
    const sweep = sweepOf(1, { retry: { oom: 0, crash: 0, timeout: 0, backoffMs: 60_000 } });
    tell(run(sweep), 1, 'drained');
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'pending', failures: { drained: 1 } });
    expect(schedule(core, now).outputs).toMatchObject([{ kind: 'offer', key: { attempt: 2 } }]);
  });

  test('is shown as draining while something runs, as drained then, and as connected after', () => {
    const sweep = sweepOf(1);
    const key = run(sweep);
    const shown = () => shownState(core, agentNamed('a'));
    onDrain(core, 'a', DRAIN, now);
    expect(shown()).toBe('draining');
    tell(key, 1, 'succeeded');
    expect(shown()).toBe('drained');
    onUndrain(core, 'a');
    expect(shown()).toBe('connected');
  });

  test('stays drained through a restart, unless it was its own wish', () => {
    const leaving = { agentId: 'a', incarnation: 'a1', held: [], leaving: true };
    onHeartbeat(core, leaving, now);
    onDrain(core, 'b', DRAIN, now);
    expect([shownState(core, agentNamed('a')), shownState(core, agentNamed('b'))]).toEqual(['drained', 'drained']);
    onHello(core, agentHello('a', 'a2', 8), now);
    onHello(core, agentHello('b', 'b2', 8), now);
    expect([shownState(core, agentNamed('a')), shownState(core, agentNamed('b'))]).toEqual(['connected', 'drained']);
  });

  test('counts for no offers', () => {
    sweepOf(40);
    onDrain(core, 'a', DRAIN, now);
    onDrain(core, 'b', DRAIN, now);
    expect(schedule(core, now).outputs).toEqual([]);
    onUndrain(core, 'b');
    expect(schedule(core, now).outputs.length).toBeGreaterThan(0);
  });
});

describe('time', () => {
  test('loses an agent that falls silent, and finds it again by its heartbeat', () => {
    now += LEASE_MS + 1;
    onTick(core, now);
    expect(core.agents.get('a')?.state).toBe('lost');
    onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held: [], leaving: false }, now);
    expect(core.agents.get('a')?.state).toBe('connected');
  });

  test('ends an attempt that runs past the sweep’s timeout, however alive it is', () => {
    const sweep = sweepOf(1, { timeoutMs: 60_000 });
    const key = run(sweep);
    for (let seq = 1; seq <= 5; seq++) {
      now += 11_000;
      tell(key, seq);
    }
    expect(onTick(core, now).changes).toEqual([]);
    now += 5_000;
    onTick(core, now);
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'pending', failures: { timeout: 1 } });
  });

  test('brings a retry back after its backoff, and not before', () => {
    const sweep = sweepOf(1, { retry: { oom: 1, crash: 2, timeout: 1, backoffMs: 10_000 } });
    tell(run(sweep), 1, 'crash');
    now += 9_999;
    onTick(core, now);
    expect(schedule(core, now).outputs).toEqual([]);
    now += 1;
    onTick(core, now);
    expect(schedule(core, now).outputs).toMatchObject([{ kind: 'offer', key: { trialId: 't0', attempt: 2 } }]);
  });
});

describe('a trial', () => {
  test('that is lost again and again is given up at the cap', () => {
    const sweep = sweepOf(2);
    for (let attempt = 1; attempt <= MAX_LOST_ATTEMPTS; attempt++) tell(run(sweep), 1, 'lost');
    expect(trialOf(sweep, 't0')).toMatchObject({ state: 'failed', attempts: MAX_LOST_ATTEMPTS });
  });

  test('keeps a budget for each class of failure', () => {
    const sweep = sweepOf(2);
    for (const failure of ['crash', 'oom', 'crash', 'lost', 'timeout'] as const) tell(run(sweep), 1, failure);
    expect(trialOf(sweep, 't0').state).toBe('pending');
    tell(run(sweep), 1, 'crash');
    expect(trialOf(sweep, 't0').state).toBe('failed');
  });
});

describe('max_failed', () => {
  test('pauses the sweep, with the reason, once more trials failed than it allows', () => {
    const sweep = sweepOf(5, { maxFailed: { kind: 'count', count: 1 } });
    tell(run(sweep, 't0'), 1, 'nan');
    expect(sweep.state).toBe('running');
    const { step } = tell(run(sweep, 't1'), 1, 'nan');
    expect(sweep.state).toBe('paused');
    expect(step.changes).toContainEqual({
      kind: 'sweep',
      sweepId: '1',
      state: 'paused',
      reason: '2 trials failed, max_failed is 1',
    });
    expect(sweep.counts.offered).toBe(0);
  });

  test('as a share counts against all trials of the sweep', () => {
    const sweep = sweepOf(10, { maxFailed: { kind: 'share', ratio: 0.1 } });
    tell(run(sweep, 't0'), 1, 'nan');
    expect(sweep.state).toBe('running');
    tell(run(sweep, 't1'), 1, 'nan');
    expect(sweep.state).toBe('paused');
  });

  test('counts trials that failed for good, not attempts', () => {
    const sweep = sweepOf(2, { maxFailed: { kind: 'count', count: 0 } });
    tell(run(sweep), 1, 'crash');
    expect(sweep.state).toBe('running');
  });
});

describe('a person', () => {
  test('pauses: offers are taken back and go out again on resume, what runs goes on', () => {
    const sweep = sweepOf(3);
    const key = run(sweep, 't0');
    onPause(core, '1', 'lunch');
    expect(sweep.counts).toMatchObject({ pending: 2, offered: 0, running: 1 });
    expect(schedule(core, now).outputs).toEqual([]);
    expect(tell(key, 1, 'succeeded').answer).toEqual({ taken: 'new' });
    onResume(core, '1');
    expect(schedule(core, now).outputs).toHaveLength(2);
  });

  test('stops: what waits is cancelled, what runs finishes, a failure is not tried again', () => {
    const sweep = sweepOf(4);
    const [good, bad] = [run(sweep, 't0'), run(sweep, 't1')];
    onStop(core, '1', 'enough');
    expect(sweep.counts).toMatchObject({ cancelled: 2, running: 2 });
    tell(bad, 1, 'crash');
    expect(trialOf(sweep, 't1').state).toBe('cancelled');
    expect(sweep.state).toBe('stopping');
    tell(good, 1, 'succeeded');
    expect(sweep.state).toBe('stopped');
  });

  test('kills: every trial ends now, agents are told, records are refused', () => {
    const sweep = sweepOf(3);
    const key = run(sweep, 't0');
    const step = onKill(core, '1', 'wrong data');
    expect(sweep.state).toBe('killed');
    expect(sweep.counts.cancelled).toBe(3);
    expect(core.leases.size).toBe(0);
    expect(step.outputs).toMatchObject([{ kind: 'dismiss', agentId: 'a', key, refusal: { message: 'wrong data' } }]);
    expect(tell(key, 1, 'succeeded').answer).toMatchObject({ taken: 'refused' });
  });

  test('is refused what makes no sense: unknown, ended, resume or pause while stopping', () => {
    const sweep = sweepOf(1);
    expect(() => onPause(core, '9', '')).toThrow(/cannot pause sweep 9/);
    run(sweep);
    onStop(core, '1', '');
    expect(() => onPause(core, '1', '')).toThrow(/is stopping/);
    expect(() => onResume(core, '1')).toThrow(/is stopping/);
    expect(onStop(core, '1', '').changes).toEqual([]);
    onKill(core, '1', '');
    expect(() => onKill(core, '1', '')).toThrow(/has ended \(killed\)/);
  });
});
