import { beforeEach, describe, expect, test } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import { addSweep, agentHello, emptyCore, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello } from './agents.ts';
import type { FinalEnd } from './attempt-model.ts';
import { onRecord, type RecordAnswer } from './attempt-records.ts';
import { type ClaimAnswer, onOpen } from './attempts.ts';
import { onDrain } from './drain.ts';
import type { Core, Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { openOffers, schedule } from './scheduler.ts';
import type { Change, Output, Step } from './step.ts';
import { onKill, onPause, onStop } from './sweeps.ts';
import { onTick } from './tick.ts';
import { addTrial } from './trials.ts';

let core: Core;
let now: number;
let changes: Change[];
let outputs: Output[];
let seqs: Map<string, number>;

beforeEach(() => {
  core = emptyCore();
  now = 1_000_000;
  changes = [];
  outputs = [];
  seqs = new Map();
});

function take(step: Step): void {
  changes.push(...step.changes);
  outputs.push(...step.outputs);
}

function connect(...ids: readonly string[]): void {
  for (const id of ids) take(onHello(core, agentHello(id, `${id}1`, 1), now));
}

/** Adds a sweep in which five earlier attempts succeeded after one second each. */
function sweepOf(trials: number, policy: Partial<SweepPolicy> = {}, id = '1', priority = 0): Sweep {
  const sweep = addSweep(core, id, trials, { speculate: true, ...policy }, undefined, priority);
  for (let attempt = 0; attempt < 5; attempt++) sweep.durations.ofSweep.push({ parameters: {}, durationMs: 1_000 });
  return sweep;
}

function open(agentId: string, trialId: string, attempt = 1, sweepId = '1'): ClaimAnswer {
  const key = { sweepId, trialId, attempt };
  const { step, answer } = onOpen(core, { key, agentId, incarnation: `${agentId}1`, slot: 0 }, now);
  take(step);
  return answer;
}

function end(agentId: string, key: AttemptKey, how: 'succeeded' | FailureClassName): RecordAnswer {
  const seq = (seqs.get(keyText(key)) ?? 0) + 1;
  seqs.set(keyText(key), seq);
  const final: FinalEnd =
    how === 'succeeded' ? { outcome: how } : { outcome: 'failed', failure: { class: how, message: '' } };
  const { step, answer } = onRecord(core, { agentId, record: { kind: 'ended', key, seq, at: now, end: final } }, now);
  take(step);
  return answer;
}

/** Advances the time while every agent stays connected. */
function wait(ms: number): void {
  now += ms;
  for (const { id } of core.agents.values()) {
    const held = [...core.leases.values()].flatMap(({ agentId, key }) => (agentId === id ? key : []));
    take(onHeartbeat(core, { agentId: id, incarnation: `${id}1`, held, leaving: false }, now));
  }
  take(onTick(core, now));
  take(schedule(core, now));
}

const FIRST = { sweepId: '1', trialId: 't0', attempt: 1 };
const SECOND = { sweepId: '1', trialId: 't0', attempt: 2 };

/** Starts trial t0 on agent a. When the attempt has become a straggler, starts a second attempt on agent b. */
function speculate(policy: Partial<SweepPolicy> = {}): Sweep {
  connect('a', 'b');
  const sweep = sweepOf(1, policy);
  take(schedule(core, now));
  expect(open('a', 't0')).toMatchObject({ granted: true });
  wait(5_000);
  expect(open('b', 't0', 2)).toMatchObject({ granted: true });
  changes = [];
  outputs = [];
  return sweep;
}

const offersOf = () => outputs.flatMap((output) => (output.kind === 'offer' ? keyText(output.key) : []));
const endsOf = () =>
  changes.flatMap((change) => (change.kind === 'ended' ? [[change.key.attempt, change.end.outcome, change.free]] : []));

describe('offers of second attempts', () => {
  test('a second attempt is offered to an idle slot of another agent once the first attempt is a straggler', () => {
    connect('a', 'b');
    const sweep = sweepOf(1);
    take(schedule(core, now));
    open('a', 't0');
    outputs = [];
    wait(4_999);
    expect(offersOf()).toEqual([]);
    wait(1);
    expect(offersOf()).toEqual(['1/t0/2']);
    expect(openOffers(core)).toEqual([{ key: SECOND, pool: core.agents.get('b')?.pools[0] }]);
    expect(core.agents.get('a')?.pools).not.toEqual(core.agents.get('b')?.pools);
    wait(1);
    expect(offersOf()).toEqual(['1/t0/2']);
    expect(open('a', 't0', 2)).toMatchObject({ refusal: { code: RefusalCode.AVOIDED } });
    expect(open('b', 't0', 2)).toMatchObject({ granted: true, mates: [] });
    expect(sweep.counts).toMatchObject({ running: 1, offered: 0 });
    expect(changes.at(-1)).toMatchObject({ kind: 'granted', key: SECOND, speculative: true, resumedFrom: 0 });
  });

  test('no second attempt is offered without speculate: true', () => {
    connect('a', 'b');
    sweepOf(1, { speculate: false });
    take(schedule(core, now));
    open('a', 't0');
    outputs = [];
    wait(3_600_000);
    expect(sampleTrial(core.sweeps.get('1') as Sweep, 't0').lease?.straggler).toBeDefined();
    expect(offersOf()).toEqual([]);
  });

  test('a second attempt is offered once per trial, and never while a second attempt runs', () => {
    speculate();
    connect('c');
    wait(3_600_000);
    expect(offersOf()).toEqual([]);
    end('b', SECOND, 'crash');
    wait(3_600_000);
    expect(offersOf()).toEqual([]);
  });

  test.each([
    ['of the same sweep', 2, 0],
    ['of another sweep', 1, 0],
    ['of a sweep of higher priority', 1, 1],
  ])(
    'an offer of a second attempt is withdrawn, and a claim of the offer is rejected, while a trial %s is pending',
    (_, trials, priority) => {
      connect('a', 'b');
      const sweep = sweepOf(trials);
      take(schedule(core, now));
      open('a', 't0');
      if (trials === 2) {
        open('b', 't1');
        wait(6_000);
        end('b', { ...FIRST, trialId: 't1' }, 'lost');
      } else {
        wait(5_000);
        sweepOf(1, {}, '2', priority);
        expect(sampleTrial(sweep, 't0').speculativeOffer).toBeDefined();
        expect(open('b', 't0', 2)).toMatchObject({ refusal: { code: RefusalCode.OUTRANKED } });
      }
      take(schedule(core, now));
      expect(sampleTrial(sweep, 't0').speculativeOffer).toBeUndefined();
      expect(open('b', 't0', 2)).toMatchObject({ refusal: { code: RefusalCode.SUPERSEDED } });
      expect(trials === 2 ? open('b', 't1', 2) : open('b', 't0', 1, '2')).toMatchObject({ granted: true });
    },
  );

  test('a slot that holds a lease gets no second attempt, because the attempt would wait in the queue of the slot', () => {
    connect('a', 'b', 'c');
    const sweep = sweepOf(1);
    take(schedule(core, now));
    open('a', 't0');
    sweepOf(1, { speculate: false }, '2', 1);
    take(schedule(core, now));
    expect(open('b', 't0', 1, '2')).toMatchObject({ granted: true });
    wait(5_000);
    expect(open('b', 't0', 2)).toMatchObject({ refusal: { code: RefusalCode.SLOT_FULL } });
    expect(sampleTrial(sweep, 't0')).toMatchObject({ speculated: false, speculation: undefined });
    expect(open('c', 't0', 2)).toMatchObject({ granted: true });
  });

  test('a second attempt is offered although a trial of lower priority is pending', () => {
    connect('a', 'b');
    sweepOf(1);
    take(schedule(core, now));
    open('a', 't0');
    sweepOf(5, {}, '2', -1);
    outputs = [];
    wait(5_000);
    expect(offersOf()).toContain('1/t0/2');
    expect(open('b', 't0', 2)).toMatchObject({ granted: true });
  });

  test('no second attempt is offered beyond the concurrency limit', () => {
    connect('a', 'b', 'c');
    const sweep = sweepOf(1, { concurrency: 1 });
    take(schedule(core, now));
    open('a', 't0');
    outputs = [];
    wait(60_000);
    expect(offersOf()).toEqual([]);
    expect(sweep.speculations.size).toBe(0);
  });

  test('an offer of a second attempt is withdrawn if a pending trial needs the last place within the concurrency limit', () => {
    connect('a', 'b');
    const sweep = sweepOf(2, { concurrency: 2 });
    take(schedule(core, now));
    open('a', 't0');
    open('b', 't1');
    end('b', { ...FIRST, trialId: 't1' }, 'succeeded');
    wait(5_000);
    expect(sampleTrial(sweep, 't0').speculativeOffer).toBeDefined();
    addTrial(sweep, { ...sampleTrial(sweep, 't1'), id: 't2', index: 2, state: 'pending', attempts: 0 });
    expect(open('b', 't0', 2)).toMatchObject({ refusal: { code: RefusalCode.OUTRANKED } });
    take(schedule(core, now));
    expect(sampleTrial(sweep, 't0').speculativeOffer).toBeUndefined();
    expect(open('b', 't2')).toMatchObject({ granted: true });
  });

  test.each([
    ['the sweep is paused', () => take(onPause(core, { sweepId: '1', reason: '' }))],
    ['the sweep is stopped', () => take(onStop(core, { sweepId: '1', reason: '' }))],
    ['the other agent is drained', () => take(onDrain(core, { agentId: 'b', graceMs: 0, reason: '' }, now))],
  ])('an offer of a second attempt is withdrawn when %s', (_, act) => {
    connect('a', 'b');
    const sweep = sweepOf(1);
    take(schedule(core, now));
    open('a', 't0');
    wait(5_000);
    act();
    take(schedule(core, now));
    expect(sweep.speculations.size).toBe(0);
    expect(openOffers(core)).toEqual([]);
    expect(open('b', 't0', 2)).toMatchObject({ granted: false });
    expect(end('a', FIRST, 'succeeded')).toEqual({ result: 'accepted' });
  });

  test('no second attempt is offered to an agent whose own attempts are slow or failed early', () => {
    connect('a', 'b', 'c', 'd');
    const sweep = sweepOf(2);
    take(schedule(core, now));
    open('a', 't0');
    open('b', 't1');
    sweep.records.set('c', { successes: 0, refuted: 0, failures: new Map([['t9', { pack: 'p', refuted: false }]]) });
    wait(5_000);
    expect(open('b', 't0', 2)).toMatchObject({ refusal: { code: RefusalCode.AVOIDED } });
    expect(open('c', 't0', 2)).toMatchObject({ refusal: { code: RefusalCode.AVOIDED } });
    expect(open('d', 't0', 2)).toMatchObject({ granted: true });
    expect(end('d', SECOND, 'succeeded')).toEqual({ result: 'accepted' });
    expect([...sweep.durations.slowAgents]).toEqual(['a']);
    wait(1);
    expect(open('a', 't1', 2)).toMatchObject({ refusal: { code: RefusalCode.AVOIDED } });
    expect(open('d', 't1', 2)).toMatchObject({ granted: true });
  });
});

describe('a trial with two attempts', () => {
  test('a second attempt that succeeds supersedes the first attempt, and its result becomes the result of the trial', () => {
    const sweep = speculate();
    expect(end('b', SECOND, 'succeeded')).toEqual({ result: 'accepted' });
    expect(endsOf()).toEqual([
      [1, 'superseded', false],
      [2, 'succeeded', false],
    ]);
    expect(changes[0]).toEqual({ kind: 'promoted', key: SECOND });
    const message = 'attempt 1 of trial t0 was superseded by attempt 2';
    const refusal = { code: RefusalCode.SUPERSEDED, message };
    expect(outputs).toEqual([{ kind: 'revoke', agentId: 'a', key: FIRST, refusal }]);
    expect(sweep.state).toBe('finished');
    expect(sweep.counts).toMatchObject({ running: 0, succeeded: 1 });
    expect(core.leases.size).toBe(0);
    expect(sweep.records.get('a')).toBeUndefined();
  });

  test('if the first attempt succeeds, it supersedes the second attempt', () => {
    const sweep = speculate();
    expect(end('a', FIRST, 'succeeded')).toEqual({ result: 'accepted' });
    expect(endsOf()).toEqual([
      [2, 'superseded', false],
      [1, 'succeeded', false],
    ]);
    expect(changes.some(({ kind }) => kind === 'promoted')).toBe(false);
    expect(outputs).toMatchObject([{ kind: 'revoke', agentId: 'b', key: SECOND }]);
    expect(sweep.records.get('a')?.successes).toBe(1);
  });

  test('a late report of the superseded attempt is rejected', () => {
    speculate();
    end('b', SECOND, 'succeeded');
    core.sweeps.set('1', sweepOf(0));
    expect(end('a', FIRST, 'succeeded')).toMatchObject({ result: 'rejected' });
  });

  test.each(['crash', 'oom', 'timeout', 'lost', 'nan', 'drained', 'preflight', 'rejected'] as const)(
    'a failure of class %s does not count against the trial while the other attempt continues',
    (failure) => {
      const sweep = speculate({ retry: { oom: 0, crash: 0, timeout: 0, backoffMs: 0 } });
      const trial = sampleTrial(sweep, 't0');
      end('a', FIRST, failure);
      expect(endsOf()).toEqual([[1, 'failed', true]]);
      expect(changes[0]).toEqual({ kind: 'promoted', key: SECOND });
      expect(trial).toMatchObject({ state: 'running', failures: {}, attempts: 2, failure: undefined });
      expect([trial.lease?.key, trial.speculation]).toEqual([SECOND, undefined]);
      expect(end('a', FIRST, 'succeeded')).toMatchObject({ refusal: { code: RefusalCode.SUPERSEDED } });
      end('b', SECOND, 'succeeded');
      expect(sweep.counts.succeeded).toBe(1);
    },
  );

  test('the first attempt continues when the second attempt fails', () => {
    const sweep = speculate({ retry: { oom: 0, crash: 0, timeout: 0, backoffMs: 0 } });
    end('b', SECOND, 'crash');
    expect(endsOf()).toEqual([[2, 'failed', true]]);
    expect(changes.some(({ kind }) => kind === 'promoted')).toBe(false);
    expect(end('b', SECOND, 'succeeded')).toMatchObject({ refusal: { code: RefusalCode.ENDED } });
    expect(end('a', FIRST, 'succeeded')).toEqual({ result: 'accepted' });
    expect(sweep.counts.succeeded).toBe(1);
  });

  test('if both attempts of a trial fail, only the second failure uses a retry', () => {
    const sweep = speculate({ retry: { oom: 0, crash: 1, timeout: 0, backoffMs: 0 } });
    const trial = sampleTrial(sweep, 't0');
    wait(60_000);
    end('a', FIRST, 'crash');
    end('b', SECOND, 'crash');
    expect(trial).toMatchObject({ state: 'pending', failures: { crash: 1 } });
    expect(trial.failedAttempts.map(({ free }) => free)).toEqual([true, false]);
  });

  test('each of two concurrent attempts has its own timeout', () => {
    const sweep = speculate({ timeoutMs: 20_000 });
    wait(14_999);
    expect(endsOf()).toEqual([]);
    wait(1);
    expect(endsOf()).toEqual([[1, 'failed', true]]);
    expect(sampleTrial(sweep, 't0').lease?.key).toEqual(SECOND);
    wait(5_000);
    expect(endsOf()).toEqual([
      [1, 'failed', true],
      [2, 'failed', false],
    ]);
  });

  test('both attempts are cancelled when the sweep is killed', () => {
    speculate();
    take(onKill(core, { sweepId: '1', reason: 'enough' }, now));
    expect(endsOf()).toEqual([
      [2, 'cancelled', false],
      [1, 'cancelled', false],
    ]);
    expect(outputs.map((output) => (output.kind === 'revoke' ? output.agentId : ''))).toEqual(['a', 'b']);
    expect(changes.filter(({ kind }) => kind === 'trial')).toHaveLength(1);
    expect(core.leases.size).toBe(0);
    expect(core.slotsInUse.size).toBe(0);
  });

  test('a second attempt starts from scratch, and the checkpoints that it stores are recorded as ordinary files', () => {
    connect('a', 'b');
    const sweep = sweepOf(1);
    take(schedule(core, now));
    open('a', 't0');
    const artifact = { name: 'c', kind: 'checkpoint', epoch: 3, size: 1, sha256: '' } as const;
    take(
      onRecord(core, { agentId: 'a', record: { kind: 'artifact', key: FIRST, seq: 1, at: now, artifact } }, now).step,
    );
    wait(5_000);
    for (let i = 0; i < 2; i++) {
      const answer = open('b', 't0', 2);
      expect(answer).toMatchObject({ granted: true, policy: { checkpointEvery: 0 } });
      expect('checkpoint' in answer && answer.checkpoint).toBeUndefined();
    }
    const record = { kind: 'artifact', key: SECOND, seq: 1, at: now, artifact } as const;
    const { step } = onRecord(core, { agentId: 'b', record }, now);
    expect(step.changes).toEqual([{ ...record, artifact: { ...artifact, kind: 'file' } }]);
    expect(sampleTrial(sweep, 't0').checkpoint).toEqual({ ...artifact, attempt: 1 });
  });

  test('a repeated claim of one of two attempts gets the same lease, and a claim by another agent is rejected', () => {
    speculate();
    expect(open('a', 't0', 1)).toMatchObject({ granted: true });
    expect(open('b', 't0', 2)).toMatchObject({ granted: true });
    expect(open('a', 't0', 2)).toMatchObject({ refusal: { code: RefusalCode.LEASED } });
    expect(open('b', 't0', 3)).toMatchObject({ refusal: { code: RefusalCode.SUPERSEDED } });
    expect(changes).toEqual([]);
  });
});
