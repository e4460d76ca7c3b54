import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import type { WarningKindName } from '../../proto/names.ts';
import {
  addSweep,
  agentHello,
  emptyCore,
  LEASE_MS,
  sampleKey,
  sampleTrial,
} from '../../test/support/coordinator/sample-core.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import type { Core, Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { schedule } from './scheduler.ts';
import type { Change, Step } from './step.ts';
import { onKill, onResume } from './sweeps.ts';
import { onTick } from './tick.ts';

const MINUTE = 60_000;

let core: Core;
let now: number;
let changes: (Change & { kind: 'warning' })[];
let seqs: Map<string, number>;

beforeEach(() => {
  core = emptyCore();
  now = 1_000;
  changes = [];
  seqs = new Map();
  onHello(core, agentHello('a', 'a1', 50), now);
});

const programs = (trials: number, policy: Partial<SweepPolicy> = {}, replicates = 1): Sweep =>
  addSweep(core, '1', trials, { trainer: 'command', ...policy }, undefined, 0, replicates);

const ranked = (metric: string, at: 'last' | 'best' = 'last') => ({
  ranking: { metric, goal: 'maximize' as const, at },
});

function take({ changes: all }: Step): void {
  for (const change of all) if (change.kind === 'warning') changes.push(change);
}

function run(sweep: Sweep, trialId: string): AttemptKey {
  take(schedule(core, now));
  const key = sampleKey(sweep, sampleTrial(sweep, trialId));
  const { step, answer } = onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, now);
  expect(answer.granted).toBe(true);
  take(step);
  return key;
}

type Body = Parameters<typeof onRecord>[1]['record'] extends infer R
  ? R extends unknown
    ? Omit<R, 'key' | 'seq' | 'at'>
    : never
  : never;

function send(key: AttemptKey, body: Body): void {
  const seq = (seqs.get(keyText(key)) ?? 0) + 1;
  seqs.set(keyText(key), seq);
  const record = { key, seq, at: now, ...body } as Parameters<typeof onRecord>[1]['record'];
  const { step, answer } = onRecord(core, { agentId: 'a', record }, now);
  expect(answer).toEqual({ result: 'accepted' });
  take(step);
}

const report = (key: AttemptKey, epoch: number, metrics: Record<string, number>) =>
  send(key, { kind: 'report', epoch, metrics });
const succeed = (key: AttemptKey) => send(key, { kind: 'ended', end: { outcome: 'succeeded' } });

function runToEnd(sweep: Sweep, trialId: string, metrics: Record<string, number>): void {
  const key = run(sweep, trialId);
  report(key, 1, metrics);
  succeed(key);
}

function wait(ms: number): void {
  for (let left = ms; left > 0; left -= LEASE_MS / 2) {
    now += Math.min(left, LEASE_MS / 2);
    const held = [...core.leases.values()].map(({ key }) => key);
    take(
      onHeartbeat(core, { agentId: 'a', incarnation: 'a1', held, claimed: [], leaving: false, gpuFigures: [] }, now),
    );
    take(onTick(core, now));
  }
}

const shown = (sweep: Sweep, kind: WarningKindName) => sweep.warnings.shown.get(kind);
const messageOf = (sweep: Sweep, kind: WarningKindName) => shown(sweep, kind)?.message ?? '';

describe('a sweep without its ranking metric', () => {
  test.each([
    ['val_accuracy', 'val_acc'],
    ['acc', 'val.acc'],
    ['Loss', 'loss'],
    ['test_loss', 'test-loss'],
    ['eval/f1', 'eval/f1_score'],
    ['psnr', 'psnt'],
  ])('if a trial ends without the metric %s, the warning names %s', (metric, near) => {
    const sweep = programs(2, ranked(metric));
    runToEnd(sweep, 't0', { [near]: 1, unrelated_thing: 2 });
    expect(shown(sweep, 'missing_metric')).toMatchObject({ count: 1, since: now });
    expect(messageOf(sweep, 'missing_metric')).toBe(
      `1 of 1 ended trials did not report metric "${metric}"; reported: ${near}, unrelated_thing; did you mean "${near}"?`,
    );
  });

  test('the warning about a missing metric names at most 8 of the reported metrics', () => {
    const sweep = programs(1, ranked('zzz'));
    runToEnd(sweep, 't0', Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`m${i}`, i])));
    expect(messageOf(sweep, 'missing_metric')).toContain('reported: m0, m1, m2, m3, m4, m5, m6, m7 and 3 more');
  });

  test('metric names that equal properties of JavaScript objects are handled like other names', () => {
    const sweep = programs(2, ranked('constructor'));
    runToEnd(sweep, 't0', { toString: 1, __proto__2: 2 });
    expect(messageOf(sweep, 'missing_metric')).toContain('did not report metric "constructor"');
    runToEnd(sweep, 't1', { constructor: 1 });
    expect(shown(sweep, 'missing_metric')?.count).toBe(1);
  });

  test('a trial that ends without any report gives a warning', () => {
    const sweep = programs(2);
    succeed(run(sweep, 't0'));
    expect(messageOf(sweep, 'missing_metric')).toContain('no other metric is reported');
  });

  test('the warning about a missing metric appears at the third distinct step; a report of the metric removes it', () => {
    const sweep = programs(2, ranked('val'));
    const key = run(sweep, 't0');
    report(key, 0, { train: 1 });
    report(key, 0, { lr: 1 });
    report(key, 0.5, { train: 1 });
    expect(shown(sweep, 'missing_metric')).toBeUndefined();
    report(key, 1, { train: 1 });
    expect(messageOf(sweep, 'missing_metric')).toContain('no trial has reported metric "val"; reported: train, lr');
    report(run(sweep, 't1'), 1, { val: 1 });
    expect(shown(sweep, 'missing_metric')).toBeUndefined();
    expect(changes.map(({ warning, shown, appeared }) => [warning, shown !== undefined, appeared])).toEqual([
      ['missing_metric', true, true],
      ['missing_metric', false, false],
    ]);
  });

  test('a trial that reports the ranking metric only at its last step gives no warning after this report', () => {
    const sweep = programs(1, ranked('val'));
    const key = run(sweep, 't0');
    for (let step = 1; step <= 5; step++) report(key, step, { train: 1 });
    report(key, 5, { val: 1 });
    succeed(key);
    expect(shown(sweep, 'missing_metric')).toBeUndefined();
  });

  test('a ranking metric counts as reported even if its value is not finite', () => {
    const sweep = programs(1, ranked('val'));
    runToEnd(sweep, 't0', { val: Number.NaN });
    expect(sweep.warnings.shown.size).toBe(0);
  });

  test('the sweep is paused once, when the first 5 trials with a result all lack the metric', () => {
    const sweep = programs(12, ranked('val_accuracy'));
    const failing = run(sweep, 't0');
    send(failing, { kind: 'ended', end: { outcome: 'failed', failure: { class: 'rejected', message: '' } } });
    for (const trial of ['t1', 't2', 't3', 't4']) runToEnd(sweep, trial, { val_acc: 1 });
    expect(sweep.state).toBe('running');
    const [fifth, sixth] = [run(sweep, 't5'), run(sweep, 't6')];
    report(fifth, 1, { val_acc: 1 });
    const seq = 2;
    const { step } = onRecord(
      core,
      {
        agentId: 'a',
        record: {
          key: fifth,
          seq,
          at: now,
          kind: 'ended',
          end: { outcome: 'stopped', rule: 'median', reason: 'worse' },
        },
      },
      now,
    );
    expect(step.changes).toContainEqual({
      kind: 'sweep',
      sweepId: '1',
      state: 'paused',
      reason: 'the first 5 trials ended without metric "val_accuracy"; reported: val_acc; did you mean "val_acc"?',
    });
    onResume(core, { sweepId: '1' });
    report(sixth, 1, { val_acc: 1 });
    succeed(sixth);
    runToEnd(sweep, 't7', { val_acc: 1 });
    expect(sweep.state).toBe('running');
    expect(shown(sweep, 'missing_metric')?.count).toBe(7);
  });

  test('a sweep is not paused for a missing metric if one of its first trials has the metric', () => {
    const sweep = programs(10, ranked('val'));
    runToEnd(sweep, 't0', { val: 1 });
    for (let i = 1; i < 9; i++) runToEnd(sweep, `t${i}`, { loss: 1 });
    expect(sweep.state).toBe('running');
    expect(messageOf(sweep, 'missing_metric')).toBe('8 of 9 ended trials did not report metric "val"; reported: loss');
  });

  test('a sweep without a named metric or with a built-in trainer has no warning about a missing metric', () => {
    const unnamed = programs(8, ranked(''));
    for (let i = 0; i < 7; i++) runToEnd(unnamed, `t${i}`, { anything: i });
    expect(changes).toEqual([]);
    onKill(core, { sweepId: '1', reason: '' }, now);
    const builtIn = addSweep(core, '2', 8);
    for (let i = 0; i < 7; i++) runToEnd(builtIn, `t${i}`, { anything: i });
    expect(changes).toEqual([]);
    expect(builtIn.state).toBe('running');
  });
});

describe('identical replicates', () => {
  test('replicates give a warning when all of them have ended with equal results in every metric', () => {
    const sweep = programs(6, ranked('loss'), 3);
    for (const trial of ['t0', 't1']) runToEnd(sweep, trial, { loss: 0.5, acc: 1 });
    expect(shown(sweep, 'identical_replicates')).toBeUndefined();
    runToEnd(sweep, 't2', { acc: 1, loss: 0.5 });
    expect(shown(sweep, 'identical_replicates')).toEqual({
      message: 'all 3 replicates of config c0 have identical results: the program probably ignores its seed',
      count: 1,
      since: now,
    });
    for (const trial of ['t3', 't4', 't5']) runToEnd(sweep, trial, { loss: 0.7 });
    expect(shown(sweep, 'identical_replicates')?.count).toBe(2);
  });

  test('replicates give no warning if a value differs, is missing or is not finite, or if only one replicate has a result', () => {
    const sweep = programs(10, ranked('loss'), 2);
    runToEnd(sweep, 't0', { loss: 0.5, seconds: 1 });
    runToEnd(sweep, 't1', { loss: 0.5, seconds: 1.001 });
    runToEnd(sweep, 't2', { loss: 0.5, extra: 1 });
    runToEnd(sweep, 't3', { loss: 0.5 });
    runToEnd(sweep, 't4', { loss: Number.NaN });
    runToEnd(sweep, 't5', { loss: Number.NaN });
    runToEnd(sweep, 't6', { loss: 1 });
    const failing = run(sweep, 't7');
    report(failing, 1, { loss: 1 });
    send(failing, { kind: 'ended', end: { outcome: 'failed', failure: { class: 'rejected', message: '' } } });
    expect(shown(sweep, 'identical_replicates')).toBeUndefined();
  });

  test('replicates with equal final values and different curves give no warning', () => {
    const sweep = programs(2, ranked('acc'), 2);
    for (const [trial, first] of [
      ['t0', 0.5],
      ['t1', 0.6],
    ] as const) {
      const key = run(sweep, trial);
      report(key, 1, { acc: first });
      report(key, 2, { acc: 1 });
      succeed(key);
    }
    expect(shown(sweep, 'identical_replicates')).toBeUndefined();
  });

  test('replicates with equal curves give a warning, even if one replicate reports each step in several parts', () => {
    const sweep = programs(2, ranked('acc'), 2);
    const whole = run(sweep, 't0');
    report(whole, 1, { acc: 1, loss: 2 });
    succeed(whole);
    const divided = run(sweep, 't1');
    report(divided, 1, { loss: 2 });
    report(divided, 1, { acc: 1 });
    succeed(divided);
    expect(shown(sweep, 'identical_replicates')?.count).toBe(1);
  });

  test('for a retried replicate, the curve of the last attempt is compared with the other replicates', () => {
    const sweep = programs(2, ranked('loss'), 2);
    runToEnd(sweep, 't0', { loss: 0.25 });
    const first = run(sweep, 't1');
    report(first, 3, { loss: 9, other: 1 });
    send(first, { kind: 'ended', end: { outcome: 'failed', failure: { class: 'crash', message: '' } } });
    onTick(core, now);
    const second = run(sweep, 't1');
    report(second, 1, { loss: 0.25 });
    succeed(second);
    expect(changes.at(-1)).toMatchObject({ warning: 'identical_replicates', appeared: true });
  });
});

test('the counts in the notices of all attempts are added up, and a later notice of an attempt replaces its earlier notice', () => {
  const sweep = addSweep(core, '1', 3);
  const [a, b] = [run(sweep, 't0'), run(sweep, 't1')];
  send(a, { kind: 'notice', warning: 'unreadable_reports', message: 'a line', count: 2 });
  send(b, { kind: 'notice', warning: 'unreadable_reports', message: 'b line', count: 5 });
  send(a, { kind: 'notice', warning: 'unreadable_reports', message: 'another line', count: 3 });
  expect(shown(sweep, 'unreadable_reports')).toMatchObject({ message: 'trial t0: another line', count: 8 });
  send(b, { kind: 'notice', warning: 'hook_not_loaded', message: 'no wandb', count: 0 });
  expect(shown(sweep, 'hook_not_loaded')).toMatchObject({ message: 'trial t1: no wandb', count: 1 });
  expect(changes.map(({ appeared }) => appeared)).toEqual([true, false, false, true]);
});

describe('silent programs', () => {
  test('a program that has not reported within 5 minutes of its start causes a warning until it reports', () => {
    const sweep = programs(2);
    const key = run(sweep, 't0');
    wait(5 * MINUTE - 1_000);
    expect(changes).toEqual([]);
    wait(2_000);
    expect(shown(sweep, 'silent')).toMatchObject({
      message: 'trial t0 on agent a has not reported within 5m00s of its start',
      count: 1,
    });
    report(key, 1, { test_loss: 1 });
    expect(shown(sweep, 'silent')).toBeUndefined();
  });

  test('a program that has ended is no longer silent', () => {
    const sweep = programs(3);
    const key = run(sweep, 't0');
    run(sweep, 't1');
    wait(6 * MINUTE);
    expect(shown(sweep, 'silent')?.count).toBe(2);
    send(key, { kind: 'ended', end: { outcome: 'failed', failure: { class: 'crash', message: '' } } });
    expect(shown(sweep, 'silent')?.count).toBe(1);
    onKill(core, { sweepId: '1', reason: '' }, now);
    expect(shown(sweep, 'silent')).toBeUndefined();
  });

  test('a program can be silent for three times its longest interval between reports before a warning appears', () => {
    const sweep = programs(1);
    const key = run(sweep, 't0');
    wait(MINUTE);
    report(key, 1, { test_loss: 1 });
    wait(4 * MINUTE);
    report(key, 2, { test_loss: 1 });
    wait(12 * MINUTE - 1_000);
    expect(changes).toEqual([]);
    wait(2_000);
    expect(messageOf(sweep, 'silent')).toBe('trial t0 on agent a has not reported for 12m00s');
  });

  test('first_report sets how long a program may run before its first report without counting as silent', () => {
    const program = {
      env: {},
      report: [],
      classify: [],
      wandb: 'WANDB_MODE_OFFLINE' as const,
      code: undefined,
      floatParameters: [],
      metric: '',
      seedParameter: '',
      parameterOrder: [],
      floatValues: [],
      firstReportMs: 30_000,
    };
    const sweep = programs(1, { program });
    run(sweep, 't0');
    wait(31_000);
    expect(messageOf(sweep, 'silent')).toContain('within 30.0s of its start');
  });

  test('a built-in trainer is never silent', () => {
    const sweep = addSweep(core, '1', 1);
    run(sweep, 't0');
    wait(30 * MINUTE);
    expect(changes).toEqual([]);
  });
});

test('a warning exists exactly as long as its cause, and each change of a warning is an event', () => {
  const metrics = fc.dictionary(fc.constantFrom('val', 'loss', 'acc'), fc.constantFrom(0, 1), { minKeys: 1 });
  const trial = fc.array(fc.tuple(fc.nat({ max: 3 }), metrics), { maxLength: 5 });
  fc.assert(
    fc.property(fc.array(trial, { minLength: 1, maxLength: 8 }), (trials) => {
      core = emptyCore();
      changes = [];
      seqs = new Map();
      onHello(core, agentHello('a', 'a1', 50), now);
      const sweep = programs(trials.length + 1, ranked('val'), 2);
      const ends: Map<string, number>[] = [];
      const curves: string[] = [];
      let [seen, third] = [false, false];
      for (const [i, reports] of trials.entries()) {
        if (sweep.state === 'paused') onResume(core, { sweepId: '1' });
        const key = run(sweep, `t${i}`);
        const last = new Map<string, { step: number; value: number }>();
        const steps = new Set<number>();
        for (const [step, values] of reports) {
          report(key, step, values);
          steps.add(step);
          for (const [name, value] of Object.entries(values)) {
            if (step >= (last.get(name)?.step ?? 0)) last.set(name, { step, value });
          }
          seen ||= 'val' in values;
          third ||= steps.size >= 3 && !seen;
        }
        succeed(key);
        const curve = reports.flatMap(([step, values]) => Object.entries(values).map((entry) => `${step} ${entry}`));
        curves.push(curve.sort().join(';'));
        ends.push(new Map([...last].map(([name, { value }]) => [name, value])));
        const lacking = ends.filter((values) => !values.has('val')).length;
        expect(shown(sweep, 'missing_metric')?.count ?? 0).toBe(lacking > 0 ? lacking : third && !seen ? 1 : 0);
        expect(sweep.state === 'paused').toBe(lacking === 5 && ends.length === 5);
      }
      const text = (values: Map<string, number> | undefined) =>
        JSON.stringify([...(values ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)));
      const identical = ends.filter(
        (values, i) =>
          i % 2 === 1 && values.size > 0 && text(values) === text(ends[i - 1]) && curves[i] === curves[i - 1],
      ).length;
      expect(shown(sweep, 'identical_replicates')?.count ?? 0).toBe(identical);
      const announced = new Map(changes.map(({ warning, shown }) => [warning, shown]));
      for (const [kind, warning] of sweep.warnings.shown) expect(announced.get(kind)).toEqual(warning);
      for (const [kind, warning] of announced) expect(sweep.warnings.shown.get(kind)).toEqual(warning);
    }),
    { numRuns: propertyRuns(300) },
  );
});
