import { beforeEach, expect, test, vi } from 'vitest';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { endAttempt } from './attempt-ends.ts';
import type { FinalEnd } from './attempt-model.ts';
import { onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { agentRecordOf } from './attribution.ts';
import { onDrain } from './drain.ts';
import { startOfAttempt } from './leases.ts';
import type { Core, Sweep } from './model.ts';
import { onDisconnect } from './past-agents.ts';
import type { SweepPolicy } from './policy.ts';
import { MAX_PREFETCH_PER_SLOT, MAX_RETURN_KEYS, orderReturns, RETURN_RETRY_MS } from './prefetch.ts';
import { isProbeDue } from './quarantine.ts';
import { MAX_FREE_LOSSES, MAX_LOST_ATTEMPTS } from './retry.ts';
import { schedule } from './scheduler.ts';
import { slotTimeOf } from './slot-time.ts';
import { onKill, onKillTrial, onPause, onStop } from './sweeps.ts';
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
  const key = keyOf(sweep, trial);
  const seq = (core.leases.get(keyText(key))?.lastSeq ?? 0) + 1;
  const record = { kind: 'ended', key, seq, at: now, end: how } as const;
  return onRecord(core, { agentId: 'a', record }, now).step.changes.find((change) => change.kind === 'ended');
}

/** Renews all leases. */
function beat(incarnation = 'a1'): void {
  const held = [...core.leases.values()].map(({ key }) => key);
  onHeartbeat(core, { agentId: 'a', incarnation, held, leaving: false }, now);
}

test('the slot time of a queued attempt begins when the previous attempt ends', () => {
  const sweep = sweepOf();
  grant(sweep, 't0');
  grant(sweep, 't1');
  const starts = () => ['t0', 't1', 't2'].map((trial) => startOfAttempt(core, keyOf(sweep, trial)));
  expect(starts()).toEqual([now, 'queued', undefined]);
  now += 5_000;
  expect(slotTimeOf(sweep.slotTime, now)).toMatchObject({ slotMs: 5_000, slots: 1, attempts: 1 });
  expect(end(sweep, 't0')).toMatchObject({ leasedMs: 5_000, used: { slotMs: 5_000 } });
  expect(starts()).toEqual([undefined, now, undefined]);
  now += 300;
  expect(slotTimeOf(sweep.slotTime, now)).toMatchObject({ slots: 1, attempts: 1 });
  expect(end(sweep, 't1')).toMatchObject({ leasedMs: 300, used: { slotMs: 300 } });
  expect(slotTimeOf(sweep.slotTime, now)).toMatchObject({ slots: 0, attempts: 0 });
  expect(sweep.share).toMatchObject({ queuedSlots: 0, activeSlots: 0, doneMs: 5_300 });
});

test('the timeout of a queued attempt begins when the attempt starts', () => {
  const sweep = sweepOf({ timeoutMs: 60_000 });
  grant(sweep, 't0');
  now += 50_000;
  beat();
  grant(sweep, 't1');
  now += 10_000;
  beat();
  expect(onTick(core, now).changes.flatMap((one) => (one.kind === 'ended' ? one.key.trialId : []))).toEqual(['t0']);
  beat();
  now += 59_999;
  beat();
  expect(onTick(core, now).changes.filter(({ kind }) => kind === 'ended')).toEqual([]);
  expect(end(sweep, 't1', { outcome: 'failed', failure: { class: 'crash', message: '' } })).toMatchObject({
    early: false,
    leasedMs: 59_999,
  });
});

test('an attempt counts as started once its agent sends a record of it, even if an older attempt of the slot has not ended', () => {
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

/** Lets a trial succeed, so that the slot may hold queued attempts. Then grants four attempts to the slot. */
function queue(sweep: Sweep): void {
  grant(sweep, 't0');
  now += 10;
  end(sweep, 't0');
  schedule(core, now);
  for (const trial of ['t1', 't2', 't3', 't4']) grant(sweep, trial);
  expect(sweep.share).toMatchObject({ activeSlots: 1, queuedSlots: 3 });
}

const returns = () => schedule(core, now).outputs.filter(({ kind }) => kind === 'return');
const orderedTrials = () =>
  returns().flatMap((output) => (output.kind === 'return' ? output.keys.map(({ trialId }) => trialId) : []));
const orderFor = (...trials: string[]) => [
  { kind: 'return', agentId: 'a', keys: trials.map((id) => keyOf(sweep1(), id)) },
];

function sweep1(): Sweep {
  const sweep = core.sweeps.get('1');
  if (sweep === undefined) throw new Error('there is no sweep');
  return sweep;
}

function sendLog(trial: string): void {
  const record = { kind: 'log', key: keyOf(sweep1(), trial), seq: 1, at: now, text: 'x' } as const;
  onRecord(core, { agentId: 'a', record }, now);
}

function sendReturned(sweep: Sweep, trial: string, seq = 1) {
  const record = { kind: 'ended', key: keyOf(sweep, trial), seq, at: now, end: { outcome: 'returned' } } as const;
  return onRecord(core, { agentId: 'a', record }, now);
}

test.each<[number, number | undefined]>([
  [1, MAX_PREFETCH_PER_SLOT],
  [10, 10],
  [50, 2],
  [100, 1],
  [101, undefined],
  [60_000, undefined],
])('if trials take %d ms, a slot may hold %s queued attempts', (durationMs, prefetch) => {
  const sweep = sweepOf();
  expect(core.prefetch.size).toBe(0);
  grant(sweep, 't0');
  now += durationMs;
  end(sweep, 't0');
  schedule(core, now);
  expect([...core.prefetch.values()][0]).toBe(prefetch);
  // There is one offer for the free slot, one offer in advance, and one offer for each attempt that may be queued.
  expect(sweep.counts.offered).toBe(2 + (prefetch ?? 0));
});

test('no attempt is queued if its sweep has a concurrency limit, or while another sweep has pending trials but no succeeded trial', () => {
  const sweep = sweepOf({ concurrency: 8 });
  grant(sweep, 't0');
  end(sweep, 't0');
  schedule(core, now);
  expect(core.prefetch.size).toBe(0);
  sweep.policy = { ...sweep.policy, concurrency: undefined };
  schedule(core, now);
  expect(core.prefetch.size).toBe(1);
  addSweep(core, '2', 4);
  schedule(core, now);
  expect(core.prefetch.size).toBe(0);
});

test('a claim is rejected if the slot already holds as many leases as it may', () => {
  const sweep = sweepOf({}, 60);
  grant(sweep, 't0');
  now += 50;
  end(sweep, 't0');
  schedule(core, now);
  const answers = ['t1', 't2', 't3', 't4', 't5'].map((trial) => {
    const { answer } = onOpen(core, { key: keyOf(sweep, trial), agentId: 'a', incarnation: 'a1', slot: 0 }, now);
    schedule(core, now);
    return answer.granted ? answer.prefetch : answer.refusal.code;
  });
  // The slot may hold two leases even without prefetch, and two more because of prefetch.
  expect(answers).toEqual([2, 2, 2, 2, RefusalCode.SLOT_FULL]);
});

test.each<[string, () => void]>([
  ['the sweep is paused', () => void onPause(core, { sweepId: '1', reason: '' })],
  ['the sweep is stopped', () => void onStop(core, { sweepId: '1', reason: '' })],
  ['the agent is drained', () => void onDrain(core, { agentId: 'a', graceMs: 60_000, reason: '' }, now)],
])('if %s, its queued attempts are returned, and the running attempt continues', (_, act) => {
  const sweep = sweepOf();
  queue(sweep);
  expect(returns()).toEqual([]);
  act();
  // The order includes t1, because the coordinator has no record of t1 and cannot know that t1 runs. The agent ignores
  // the order for t1.
  expect(returns()).toEqual(orderFor('t1', 't2', 't3', 't4'));
  // The trials become pending only when the agent answers, because it may have started them.
  expect(sweep.counts.running).toBe(4);
  expect(returns()).toEqual([]);
  now += RETURN_RETRY_MS;
  expect(returns()).toEqual(orderFor('t1', 't2', 't3', 't4'));
  const { step, answer } = sendReturned(sweep, 't3');
  expect(answer).toEqual({ result: 'accepted' });
  const state = sweep.state === 'stopping' ? 'cancelled' : 'pending';
  expect(step.changes).toMatchObject([
    { kind: 'ended', end: { outcome: 'returned' }, leasedMs: 0, used: undefined },
    { kind: 'trial', state },
  ]);
  expect(sweep.counts.running).toBe(3);
});

test('a quarantined agent returns the queued attempts from before its quarantine, but not its queued probe', () => {
  onHello(core, agentHello('b', 'b1', 1), now);
  const sweep = sweepOf();
  grant(sweep, 't0');
  grant(sweep, 't1');
  sendLog('t0');
  const quarantine = { sweepIds: ['1'], since: now, reason: '', failedProbes: 1, probeAt: now + 1_000 };
  core.quarantines.set('a', quarantine);
  expect(returns()).toEqual(orderFor('t1'));
  sendReturned(sweep, 't1');
  now += 1_000;
  schedule(core, now);
  grant(sweep, 't2');
  expect(sweep.share).toMatchObject({ activeSlots: 1, queuedSlots: 1 });
  now += RETURN_RETRY_MS;
  expect(returns()).toEqual([]);
  // A returned probe has shown nothing about the machine, so the next probe is not delayed.
  sendReturned(sweep, 't2');
  expect(core.quarantines.get('a')).toEqual(quarantine);
  expect(isProbeDue(core, 'a', now)).toBe(true);
  schedule(core, now);
  grant(sweep, 't3');
  onDrain(core, { agentId: 'a', graceMs: 60_000, reason: '' }, now);
  expect(returns()).toEqual(orderFor('t3'));
});

test('an attempt that has sent a record has started, so the agent is not told to return it', () => {
  const sweep = sweepOf();
  queue(sweep);
  sendLog('t1');
  onPause(core, { sweepId: '1', reason: '' });
  expect(orderedTrials()).toEqual(['t2', 't3', 't4']);
});

test('if an attempt counts as started but sends no record, the delay between orders to return it doubles each time', () => {
  const sweep = sweepOf();
  grant(sweep, 't0');
  now += 1_000;
  onPause(core, { sweepId: '1', reason: '' });
  const orderedAt: number[] = [];
  for (let second = 0; second < 3_600; second++) {
    if (orderedTrials().length > 0) orderedAt.push(second);
    now += 1_000;
  }
  expect(orderedAt).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1_023, 2_047]);
});

test('the agent is not told to return attempts while it has no stream', () => {
  const sweep = sweepOf();
  queue(sweep);
  onPause(core, { sweepId: '1', reason: '' });
  onDisconnect(core, { agentId: 'a', incarnation: 'a1' });
  expect(orderedTrials()).toEqual([]);
  onHello(core, agentHello('a', 'a1', 1), now);
  expect(orderedTrials()).toEqual(['t1', 't2', 't3', 't4']);
});

test('queued attempts of dropped points are returned, and their trials are cancelled', () => {
  const sweep = sweepOf();
  queue(sweep);
  sampleTrial(sweep, 't2').dropped = true;
  sweep.version = 2;
  expect(orderedTrials()).toEqual(['t2']);
  sendReturned(sweep, 't2');
  expect(sampleTrial(sweep, 't2').state).toBe('cancelled');
});

/** Lets three trials fail early on agent `a`. */
function makeSuspect(sweep: Sweep): void {
  const early = { agentId: 'a', class: 'crash', early: true, free: false } as const;
  for (const id of ['t10', 't11', 't12']) {
    sampleTrial(sweep, id).failedAttempts = [early];
    agentRecordOf(sweep, 'a').failures.set(id, { pack: id, refuted: false });
  }
}

test('queued attempts of a suspect agent are returned if another agent can run their trials', () => {
  const sweep = sweepOf();
  queue(sweep);
  makeSuspect(sweep);
  expect(orderedTrials()).toEqual([]);
  onHello(core, agentHello('b', 'b1', 1), now);
  expect(orderedTrials()).toEqual(['t1', 't2', 't3', 't4']);
});

test("the agents that can run a sweep's trials are determined once per sweep, not once per queued attempt", () => {
  onHello(core, agentHello('b', 'b1', 1), now);
  const sweep = sweepOf();
  queue(sweep);
  makeSuspect(sweep);
  const examined = vi.spyOn(core.agents, 'values');
  const [order] = orderReturns(core, now);
  expect(order).toMatchObject({ kind: 'return', keys: { length: 4 } });
  // The agents are read once to find those that are shutting down, and once for the sweep.
  expect(examined).toHaveBeenCalledTimes(2);
});

test('an order to return attempts names at most MAX_RETURN_KEYS attempts', () => {
  const slots = MAX_RETURN_KEYS + 1;
  onHello(core, agentHello('b', 'b1', slots), now);
  const sweep = sweepOf({}, slots);
  for (let slot = 0; slot < slots; slot++) {
    onOpen(core, { key: keyOf(sweep, `t${slot}`), agentId: 'b', incarnation: 'b1', slot }, now);
  }
  onPause(core, { sweepId: '1', reason: '' });
  expect(returns().map((output) => output.kind === 'return' && output.keys.length)).toEqual([MAX_RETURN_KEYS, 1]);
});

test('when a sweep is killed, its queued attempts end like its running attempts', () => {
  const sweep = sweepOf();
  queue(sweep);
  const revoked = onKill(core, { sweepId: '1', reason: '' }, now).outputs;
  expect(revoked.map((output) => output.kind)).toEqual(['revoke', 'revoke', 'revoke', 'revoke']);
  expect(core.slotsInUse.size).toBe(0);
});

test('a returned attempt costs its trial nothing, and the next attempt of the trial is granted', () => {
  const sweep = sweepOf();
  queue(sweep);
  sendReturned(sweep, 't2');
  const trial = sampleTrial(sweep, 't2');
  expect(trial).toMatchObject({ state: 'pending', attempts: 1, failures: {}, failedAttempts: [] });
  schedule(core, now);
  const { answer } = onOpen(core, { key: keyOf(sweep, 't2', 2), agentId: 'a', incarnation: 'a1', slot: 0 }, now);
  expect(answer.granted).toBe(true);
});

test('a returned attempt that counted as started has no duration and no slot time', () => {
  const sweep = sweepOf();
  grant(sweep, 't0');
  now += 5_000;
  end(sweep, 't0');
  grant(sweep, 't1');
  now += 20;
  const { step } = sendReturned(sweep, 't1');
  expect(step.changes[0]).toMatchObject({ kind: 'ended', leasedMs: 0, used: undefined });
  expect([core.meanMs, sweep.share]).toMatchObject([
    5_000,
    { meanMs: 5_000, activeSlots: 0, queuedSlots: 0, doneMs: 5_000 },
  ]);
  expect(slotTimeOf(sweep.slotTime, now)).toMatchObject({ slotMs: 5_000, slots: 0 });
});

test('if the last attempt of a pack is returned, the slot time of the pack ends with the last attempt that ran', () => {
  onHello(core, agentHello('a', 'a1', 1, 3), now);
  const sweep = addSweep(core, '1', 3, {}, () => 'one');
  schedule(core, now);
  grant(sweep, 't0');
  expect(sweep.slotTime).toMatchObject({ slots: 1, attempts: 3 });
  now += 300;
  end(sweep, 't1');
  now += 200;
  expect(end(sweep, 't0')).toMatchObject({ used: undefined });
  now += 1_000;
  expect(sendReturned(sweep, 't2').step.changes[0]).toMatchObject({
    kind: 'ended',
    end: { outcome: 'returned' },
    leasedMs: 0,
    used: { slotMs: 500 },
  });
  expect(slotTimeOf(sweep.slotTime, now)).toMatchObject({ slotMs: 500, slots: 0 });
  expect(sweep.share).toMatchObject({ activeSlots: 0, doneMs: 500, meanMs: 500 });
});

test('if an attempt that has sent records is returned, it counts as drained', () => {
  const sweep = sweepOf();
  queue(sweep);
  sendLog('t2');
  sendReturned(sweep, 't2', 2);
  expect(sampleTrial(sweep, 't2').failures).toEqual({ drained: 1 });
});

/**
 * Advances the time tick by tick until all leases have expired. Returns the trial of each attempt that ended, and
 * whether its end was free, which means that it does not count against the trial.
 */
function expire() {
  core.listeningSince = Number.NEGATIVE_INFINITY;
  const ended: [trial: string, free: boolean][] = [];
  for (const until = now + 2 * core.leaseMs; now < until; now += 100) {
    for (const change of onTick(core, now).changes) {
      if (change.kind === 'ended') ended.push([change.key.trialId, change.free]);
    }
  }
  expect(core.leases.size).toBe(0);
  return ended;
}

test('if an agent is lost, its running attempt counts against the limit of lost attempts, but its queued attempts do not', () => {
  const sweep = sweepOf();
  queue(sweep);
  expect(expire()).toEqual([
    ['t1', false],
    ['t2', true],
    ['t3', true],
    ['t4', true],
  ]);
  expect(['t1', 't2', 't3', 't4'].map((id) => sampleTrial(sweep, id).failures)).toEqual([{ lost: 1 }, {}, {}, {}]);
  expect(sweep.share).toMatchObject({ activeSlots: 0, queuedSlots: 0 });
});

test('a queued attempt does not count against the limit of lost attempts if its lease expires after the lease of the previous attempt', () => {
  const sweep = sweepOf();
  for (const trial of ['t0', 't1']) {
    grant(sweep, trial);
    now += 500;
  }
  expect(expire()).toEqual([
    ['t0', false],
    ['t1', true],
  ]);
  expect(sweep.share).toMatchObject({ activeSlots: 0, queuedSlots: 0 });
});

test.each<[string, 'is charged' | 'is not charged', () => void]>([
  ['nothing more is received from the agent', 'is not charged', () => {}],
  ['a heartbeat of the agent lists the queued attempt', 'is charged', () => beat()],
  ['a heartbeat of an older process of the agent lists the queued attempt', 'is not charged', () => beat('a0')],
  [
    'the agent claims another attempt',
    'is charged',
    () => {
      schedule(core, now);
      grant(sweep1(), 't2');
    },
  ],
])('if the running attempt is killed and then %s, the loss of the queued attempt %s to its trial', (_, charge, act) => {
  const free = charge === 'is not charged';
  const sweep = sweepOf();
  grant(sweep, 't0');
  grant(sweep, 't1');
  onKillTrial(core, { sweepId: '1', trialId: 't0', reason: '' }, now);
  expect(sweep.share).toMatchObject({ activeSlots: 0, queuedSlots: 1 });
  act();
  expect(expire()).toContainEqual(['t1', free]);
  expect(sampleTrial(sweep, 't1').failures).toEqual(free ? {} : { lost: 1 });
});

test.each<[string, () => void]>([
  ['sends the last record of the previous attempt', () => end(sweep1(), 't0')],
  [
    'claims another attempt for the slot',
    () => {
      onKillTrial(core, { sweepId: '1', trialId: 't0', reason: '' }, now);
      const key = keyOf(sweep1(), 't2');
      const { answer } = onOpen(core, { key, agentId: 'a', incarnation: 'a2', slot: 0 }, now);
      expect(answer).toMatchObject({ granted: true });
    },
  ],
  [
    'connects, and a heartbeat of the earlier process arrives late',
    () => {
      onKillTrial(core, { sweepId: '1', trialId: 't0', reason: '' }, now);
      beat('a1');
    },
  ],
])(
  'if a new process of the agent %s, the loss of a queued attempt of the earlier process is not charged to its trial',
  (_, act) => {
    const sweep = sweepOf();
    grant(sweep, 't0');
    grant(sweep, 't1');
    schedule(core, now);
    onHello(core, agentHello('a', 'a2', 1), now);
    act();
    const { changes } = onHeartbeat(core, { agentId: 'a', incarnation: 'a2', held: [], leaving: false }, now);
    expect(changes).toContainEqual(
      expect.objectContaining({ kind: 'ended', key: keyOf(sweep, 't1'), free: true, leasedMs: 0 }),
    );
    expect(sampleTrial(sweep, 't1').failures).toEqual({});
  },
);

test('the first attempt of a new process of the agent starts even if the slot still has an attempt of the earlier process', () => {
  const sweep = sweepOf();
  grant(sweep, 't0');
  onHello(core, agentHello('a', 'a2', 1), now);
  schedule(core, now);
  const key = keyOf(sweep, 't1');
  expect(onOpen(core, { key, agentId: 'a', incarnation: 'a2', slot: 0 }, now).answer.granted).toBe(true);
  expect(sweep.share).toMatchObject({ activeSlots: 2, queuedSlots: 0 });
});

test('a trial fails eventually if all of its attempts are lost before their first record', () => {
  const sweep = sweepOf({}, 2);
  const lost = { outcome: 'failed', failure: { class: 'lost', message: '' } } as const;
  grant(sweep, 't0');
  const free: boolean[] = [];
  for (let attempt = 1; sampleTrial(sweep, 't1').state !== 'failed'; attempt++) {
    const key = keyOf(sweep, 't1', attempt);
    expect(onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, now).answer).toMatchObject({
      granted: true,
    });
    const { changes } = endAttempt(core, { key, end: lost }, now);
    for (const change of changes) if (change.kind === 'ended') free.push(change.free);
    schedule(core, now);
  }
  const times = (count: number, value: boolean) => Array.from({ length: count }, () => value);
  expect(free).toEqual([...times(MAX_FREE_LOSSES, true), ...times(MAX_LOST_ATTEMPTS, false)]);
  expect(sampleTrial(sweep, 't1').failures).toEqual({ lost: MAX_LOST_ATTEMPTS });
});
