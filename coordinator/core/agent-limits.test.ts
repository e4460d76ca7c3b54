import { expect, test } from 'vitest';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import {
  countReport,
  isSlotFull,
  MAX_ATTEMPT_LOG_CHARACTERS,
  MAX_ATTEMPT_PROGRAMS,
  MAX_ATTEMPT_REPORT_CHARACTERS,
  MAX_LEASES_PER_SLOT,
  MAX_REPORTED_METRIC_CHARACTERS,
  MAX_REPORTED_METRICS,
  nothingReceived,
} from './agent-limits.ts';
import { onHello } from './agents.ts';
import { endAttempt } from './attempt-ends.ts';
import type { Lease } from './attempt-model.ts';
import { type AttemptRecord, onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { addLease } from './leases.ts';
import type { Core, Sweep } from './model.ts';
import { schedule } from './scheduler.ts';
import { newSlotUsage } from './share.ts';

const NOW = 1_000;

function world({ slots = 1, trials = 8 } = {}): { core: Core; sweep: Sweep } {
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', slots), NOW);
  // Because of the slots of agent b, the number of offered trials is larger than the number of slots of agent a.
  onHello(core, agentHello('b', 'b1', 16), NOW);
  const sweep = addSweep(core, '1', trials);
  schedule(core, NOW);
  return { core, sweep };
}

function claim(core: Core, sweep: Sweep, trial: string, slot: number) {
  const { answer } = onOpen(
    core,
    { key: sampleKey(sweep, sampleTrial(sweep, trial), 1), agentId: 'a', incarnation: 'a1', slot },
    NOW,
  );
  return answer.granted ? 'granted' : answer.refusal.code;
}

test('a slot can hold leases for its running and its next attempt, and further claims for the slot are rejected', () => {
  const { core, sweep } = world();
  const answers = ['t0', 't1', 't2', 't3'].map((trial) => claim(core, sweep, trial, 0));
  expect(answers).toEqual(['granted', 'granted', RefusalCode.SLOT_FULL, RefusalCode.SLOT_FULL]);
  expect(core.leases.size).toBe(MAX_LEASES_PER_SLOT);
  const key = sampleKey(sweep, sampleTrial(sweep, 't0'), 1);
  endAttempt(core, { key, end: { outcome: 'succeeded' } }, NOW);
  expect(claim(core, sweep, 't2', 0)).toBe('granted');
});

test('an agent holds at most two leases per slot, whatever slot numbers its claims name', () => {
  const { core, sweep } = world({ slots: 2, trials: 12 });
  for (const [at, trial] of [...sweep.trials.keys()].entries())
    claim(core, sweep, trial, [0, 1, 2, 99, 2 ** 31][at % 5] ?? 0);
  expect([...core.leases.values()].map(({ slot }) => slot).sort()).toEqual([0, 0, 1, 1]);
});

test.each([1, 99, 4_096])('a claim for slot %d of an agent with one slot is rejected', (slot) => {
  const { core, sweep } = world();
  expect(claim(core, sweep, 't0', slot)).toBe(RefusalCode.UNFIT);
});

const newUsage = (sweep: Sweep) => newSlotUsage(sweep, { incarnation: 'a1', gpus: 0, grantedAt: NOW });

test('a pack counts as one lease of its slot', () => {
  const { core, sweep } = world({ trials: 12 });
  const usages = [newUsage(sweep), newUsage(sweep)] as const;
  const lease = (at: number): Lease => ({
    key: { sweepId: '1', trialId: `t${at}`, attempt: 1 },
    agentId: 'a',
    incarnation: 'a1',
    slot: 0,
    pack: `pack ${Math.floor(at / 3)}`,
    grantedAt: NOW,
    usage: usages[at < 3 ? 0 : 1],
    expiresAt: NOW,
    reported: false,
    lastSeq: 0,
    resumedFrom: 0,
    straggler: undefined,
    speculative: false,
    received: nothingReceived(),
  });
  const full = Array.from({ length: 6 }, (_, at) => {
    addLease(core, sweep, sampleTrial(sweep, `t${at}`), lease(at));
    return isSlotFull(core, { id: 'a', pools: [] }, 0);
  });
  expect(full).toEqual([false, false, false, true, true, true]);
});

test.each<[string, number, (seq: number) => Partial<AttemptRecord> & Pick<AttemptRecord, 'kind'>]>([
  ['log text', MAX_ATTEMPT_LOG_CHARACTERS / 1_000_000, () => ({ kind: 'log', text: 'x'.repeat(1_000_000) })],
  [
    'reports',
    Math.floor(MAX_ATTEMPT_REPORT_CHARACTERS / 100_262),
    (epoch) => ({ kind: 'report', epoch, metrics: { ['m'.repeat(100_000)]: 1 } }),
  ],
  ['metrics', MAX_REPORTED_METRICS, (epoch) => ({ kind: 'report', epoch, metrics: { [`m${epoch}`]: 1 } })],
  [
    'the length of metric names',
    MAX_REPORTED_METRIC_CHARACTERS / 1_000,
    (epoch) => ({ kind: 'report', epoch, metrics: { [`${epoch}`.padEnd(1_000, 'm')]: 1 } }),
  ],
  [
    'program records',
    MAX_ATTEMPT_PROGRAMS,
    (seq) => ({
      kind: 'program',
      program: { attempt: 1, command: ['python'], interpreter: '', python: '', packages: `torch==${seq}` },
    }),
  ],
])('an attempt that exceeds its limit on %s ends as rejected, and is not retried', (_, allowed, bodyOf) => {
  const { core, sweep } = world();
  expect(claim(core, sweep, 't0', 0)).toBe('granted');
  const key = sampleKey(sweep, sampleTrial(sweep, 't0'), 1);
  const send = (seq: number) => {
    const record = { key, seq, at: NOW, ...bodyOf(seq) } as AttemptRecord;
    return onRecord(core, { agentId: 'a', record }, NOW);
  };
  for (let seq = 1; seq <= allowed; seq++) expect(send(seq).answer).toEqual({ result: 'accepted' });
  const { step, answer } = send(allowed + 1);
  expect(answer).toMatchObject({ result: 'exceeded', refusal: { code: RefusalCode.LIMIT_EXCEEDED } });
  expect(step.changes.map(({ kind }) => kind)).not.toContain('log');
  expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'failed', failure: 'rejected' });
  expect(send(allowed + 2).answer).toMatchObject({ result: 'rejected' });
});

test('reports without metrics count against the report limit of an attempt', () => {
  const lease = { received: nothingReceived() };
  let reports = 0;
  while (countReport(lease, {}) === undefined) reports += 1;
  expect(reports).toBe(Math.floor(MAX_ATTEMPT_REPORT_CHARACTERS / (256 + '{}'.length)));
});
