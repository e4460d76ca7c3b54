import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Parameters } from '../../proto/trainers.ts';
import {
  addSweep,
  agentHello,
  emptyCore,
  LEASE_MS,
  sampleKey,
  sampleTrial,
} from '../../test/support/coordinator/sample-core.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { onHello } from './agents.ts';
import { onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { type Core, newCore, type Sweep } from './model.ts';
import { schedule } from './scheduler.ts';
import type { Change, Step } from './step.ts';
import { addDuration, KEPT_CONFIGS, KEPT_DURATIONS, MIN_STRAGGLER_MS, recordDuration } from './stragglers.ts';
import { onKill } from './sweeps.ts';
import { onTick } from './tick.ts';

let core: Core;
let now: number;
let changes: Change[];

beforeEach(() => {
  core = emptyCore();
  now = 1_000_000;
  changes = [];
  onHello(core, agentHello('a', 'a1', 50), now);
});

function take({ changes: all }: Step): void {
  changes.push(...all);
}

function start(sweep: Sweep, trialId: string): AttemptKey {
  take(schedule(core, now));
  const key = sampleKey(sweep, sampleTrial(sweep, trialId));
  const { step, answer } = onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: Number(trialId.slice(1)) }, now);
  expect(answer.granted).toBe(true);
  take(step);
  return key;
}

function succeed(key: AttemptKey): void {
  const record = { kind: 'ended', key, seq: 1, at: now, end: { outcome: 'succeeded' } } as const;
  take(onRecord(core, { agentId: 'a', record }, now).step);
}

/** Starts the trials at the same time. All of them succeed after `ms` milliseconds. */
function runAll(sweep: Sweep, trialIds: readonly string[], ms: number): void {
  const keys = trialIds.map((id) => start(sweep, id));
  for (const lease of core.leases.values()) lease.expiresAt = Number.POSITIVE_INFINITY;
  now += ms;
  for (const key of keys) succeed(key);
}

/** Advances the time, and calls the tick. Every agent stays connected, and no lease expires. */
function tickAfter(ms: number): void {
  now += ms;
  for (const agent of core.agents.values()) agent.lastHeardAt = now;
  for (const lease of core.leases.values()) lease.expiresAt = Number.POSITIVE_INFINITY;
  take(onTick(core, now));
}

const found = () => changes.filter((change) => change.kind === 'straggler');
const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `t${from + i}`);

test('an attempt that runs three times as long as predicted from five attempts of other configs causes a warning', () => {
  const sweep = addSweep(core, '1', 6);
  runAll(sweep, ids(0, 5), 10_000);
  const key = start(sweep, 't5');
  tickAfter(29_999);
  expect(found()).toEqual([]);
  tickAfter(1);
  const detail =
    'attempt 1 of trial t5 on agent a has run for 30.0s; 10.0s is the expected duration for its parameters, estimated from 5 succeeded attempts of the sweep';
  expect(found()).toEqual([{ kind: 'straggler', key, detail }]);
  expect(sweep.warnings.shown.get('straggler')).toEqual({ message: detail, count: 1, since: now });
});

test('four succeeded attempts are too few to detect a straggler', () => {
  const sweep = addSweep(core, '1', 6);
  runAll(sweep, ids(0, 4), 10_000);
  start(sweep, 't4');
  tickAfter(3_600_000);
  expect(found()).toEqual([]);
});

test('an attempt is compared with attempts of its config, or of the whole sweep if fewer than five replicates of its config have succeeded', () => {
  const sweep = addSweep(core, '1', 12, {}, undefined, 0, 6);
  runAll(sweep, ids(0, 5), 100_000);
  runAll(sweep, ids(6, 10), 100_000);
  start(sweep, 't5');
  start(sweep, 't10');
  tickAfter(299_999);
  expect(found()).toEqual([]);
  tickAfter(1);
  expect(found().map(({ key, detail }) => [key.trialId, detail.slice(detail.indexOf('; ') + 2)])).toEqual([
    ['t5', 'the median duration of 5 succeeded attempts with the same parameters is 1m40s'],
    ['t10', '1m40s is the expected duration for its parameters, estimated from 9 succeeded attempts of the sweep'],
  ]);
});

/** Sets the parameters of the trials whose numbers are at least `from` and less than `to`. */
function setParameters(sweep: Sweep, from: number, to: number, parameters: Parameters): void {
  for (const id of ids(from, to)) Object.assign(sampleTrial(sweep, id), { parameters });
}

test('a trial with a large depth is not compared with the durations of trials with a small depth', () => {
  const sweep = addSweep(core, '1', 14);
  setParameters(sweep, 0, 6, { depth: 3 });
  setParameters(sweep, 6, 14, { depth: 5 });
  runAll(sweep, ids(0, 5), 10_000);
  start(sweep, 't6');
  tickAfter(60_000);
  expect(found()).toEqual([]);
  succeed(sampleKey(sweep, sampleTrial(sweep, 't6'), 1));
  runAll(sweep, ids(7, 13), 60_000);
  start(sweep, 't5');
  start(sweep, 't13');
  tickAfter(60_000);
  expect(found().map(({ key }) => key.trialId)).toEqual(['t5']);
  tickAfter(150_000);
  expect(found().map(({ key }) => key.trialId)).toEqual(['t5', 't13']);
});

test('a trial with ten times as many epochs may take ten times as long', () => {
  const sweep = addSweep(core, '1', 7);
  setParameters(sweep, 0, 5, { epochs: 3 });
  setParameters(sweep, 5, 7, { epochs: 30 });
  runAll(sweep, ids(0, 5), 9_000);
  start(sweep, 't5');
  tickAfter(269_999);
  expect(found()).toEqual([]);
  tickAfter(1);
  expect(found().map(({ detail }) => detail)).toEqual([
    expect.stringContaining('; 1m30s is the expected duration for its parameters'),
  ]);
});

test('the limit for stragglers is higher if the parameters do not explain the durations', () => {
  const sweep = addSweep(core, '1', 7);
  for (const [at, ms] of [5_000, 10_000, 20_000, 40_000, 80_000].entries()) runAll(sweep, [`t${at}`], ms);
  start(sweep, 't5');
  tickAfter(3 * 20_000);
  expect(found()).toEqual([]);
});

test('an attempt of a few seconds is not a straggler', () => {
  const sweep = addSweep(core, '1', 6);
  runAll(sweep, ids(0, 5), 10);
  start(sweep, 't5');
  tickAfter(MIN_STRAGGLER_MS - 1);
  expect(found()).toEqual([]);
  tickAfter(1);
  expect(found()).toHaveLength(1);
});

test('each straggler is found once, and the warning disappears with the last straggler', () => {
  const sweep = addSweep(core, '1', 8);
  runAll(sweep, ids(0, 5), 10_000);
  const [first, second] = [start(sweep, 't5'), start(sweep, 't6')];
  for (let i = 0; i < 5; i++) tickAfter(30_000);
  expect(found()).toHaveLength(2);
  expect(sweep.warnings.shown.get('straggler')).toMatchObject({ count: 2 });
  expect(sweep.warnings.shown.get('straggler')?.message).toMatch(/^attempt 1 of trial t6 .*; 1 other attempt is slow$/);
  succeed(second);
  expect(sweep.warnings.shown.get('straggler')).toMatchObject({ count: 1 });
  succeed(first);
  expect(sweep.warnings.shown.has('straggler')).toBe(false);
  expect(changes.at(-1)).toMatchObject({ kind: 'warning', warning: 'straggler', shown: undefined });
});

test('a killed sweep has no straggler', () => {
  const sweep = addSweep(core, '1', 7);
  runAll(sweep, ids(0, 5), 10_000);
  start(sweep, 't5');
  tickAfter(30_000);
  expect(sweep.warnings.shown.has('straggler')).toBe(true);
  take(onKill(core, { sweepId: '1', reason: '' }, now));
  expect(sweep.warnings.shown.has('straggler')).toBe(false);
});

test('attempts that failed or resumed from a checkpoint do not count in comparisons', () => {
  const sweep = addSweep(core, '1', 8, { retry: { oom: 0, crash: 0, timeout: 0, backoffMs: 0 } });
  runAll(sweep, ids(0, 4), 10_000);
  const failed = start(sweep, 't4');
  const end = { outcome: 'failed', failure: { class: 'nan', message: '' } } as const;
  take(onRecord(core, { agentId: 'a', record: { kind: 'ended', key: failed, seq: 1, at: now, end } }, now).step);
  const checkpoint = { name: 'c', kind: 'checkpoint', epoch: 3, size: 1, sha256: '', attempt: 0 } as const;
  sampleTrial(sweep, 't5').checkpoint = checkpoint;
  runAll(sweep, ['t5'], 1_000);
  expect(sweep.durations.ofSweep.map(({ durationMs }) => durationMs)).toEqual([10_000, 10_000, 10_000, 10_000]);
});

test('after an outage of the coordinator, no attempt is a straggler before its agent has had time to report', () => {
  const sweep = addSweep(core, '1', 6);
  runAll(sweep, ids(0, 5), 10_000);
  start(sweep, 't5');
  core.listeningSince = now + 60_000;
  tickAfter(60_000 + LEASE_MS - 1);
  expect(found()).toEqual([]);
  tickAfter(1);
  expect(found()).toHaveLength(1);
});

test('the median covers all durations, in whatever order they arrived', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 5_000, max: 100_000 }), { minLength: 5, maxLength: 40 }), (times) => {
      core = newCore(LEASE_MS);
      now = 0;
      changes = [];
      onHello(core, agentHello('a', 'a1', 50), now);
      const sweep = addSweep(core, '1', times.length + 1, {}, undefined, 0, times.length + 1);
      for (const [at, ms] of times.entries()) runAll(sweep, [`t${at}`], ms);
      const sorted = [...times].sort((a, b) => a - b);
      const middle = (sorted.length - 1) / 2;
      const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
      start(sweep, `t${times.length}`);
      tickAfter(Math.ceil(3 * median) - 1);
      expect(found()).toEqual([]);
      tickAfter(1);
      expect(found()).toHaveLength(1);
    }),
    { numRuns: propertyRuns(100) },
  );
});

test('the newest durations of attempts are kept in ascending order, and older durations are dropped', () => {
  const durations = fc.array(fc.nat(20), { maxLength: 40 });
  fc.assert(
    fc.property(durations, fc.integer({ min: 1, max: 10 }), (all, limit) => {
      const recent = { arrived: [], sorted: [] };
      for (const ms of all) addDuration(recent, ms, limit);
      expect(recent.arrived).toEqual(all.slice(-limit));
      expect(recent.sorted).toEqual(all.slice(-limit).toSorted((a, b) => a - b));
    }),
  );
});

test('the number of kept durations is limited in a sweep of many configs and attempts', () => {
  const sweep = addSweep(core, '1', 1);
  const trial = sampleTrial(sweep, 't0');
  const ended = { agentId: 'a', resumedFrom: 0, straggler: undefined, succeeded: true, durationMs: 1 };
  const configs = KEPT_CONFIGS + 10;
  for (let config = 0; config < configs; config++) recordDuration(sweep, { ...trial, configId: `c${config}` }, ended);
  for (let attempt = 0; attempt < 2 * KEPT_DURATIONS.ofConfig; attempt++) {
    recordDuration(sweep, { ...trial, configId: 'c10' }, { ...ended, durationMs: 2 });
  }
  const { ofSweep, ofConfigs } = sweep.durations;
  expect(ofSweep).toHaveLength(KEPT_DURATIONS.ofSweep);
  expect(ofConfigs.size).toBe(KEPT_CONFIGS);
  expect([ofConfigs.has('c9'), ofConfigs.has('c10')]).toEqual([false, true]);
  expect(ofConfigs.get('c10')?.sorted).toEqual(Array.from({ length: KEPT_DURATIONS.ofConfig }, () => 2));
});
