import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { type Plan, type VirtualAgent, VirtualCluster } from '../../test/support/coordinator/virtual-cluster.ts';
import { TestRandom } from '../../test/support/random.ts';
import { ELSEWHERE_PATIENCE_MS } from './placement.ts';
import type { SweepPolicy } from './policy.ts';
import { onRelease } from './quarantine.ts';
import { onResume } from './sweeps.ts';

const NO_RETRY: Partial<SweepPolicy> = { retry: { oom: 0, crash: 0, timeout: 0, backoffMs: 0 } };
const MINUTE = 60_000;

function agent(id: string, plan: VirtualAgent['plan'] | Plan, slots = 2): VirtualAgent {
  return { id, slots, plan: typeof plan === 'function' ? plan : () => plan };
}

const good: Plan = { afterMs: 10_000, end: 'succeeded' };
const crash: Plan = { afterMs: 300, end: 'crash' };

const grantsTo = ({ granted }: VirtualCluster, id: string) => granted.filter(({ agentId }) => agentId === id).length;

describe('faulty machines', () => {
  test.each<[string, Plan, Partial<SweepPolicy>]>([
    ['on which the program crashes at once', crash, {}],
    ['without the interpreter', { afterMs: 100, end: 'preflight' }, {}],
    ['without memory for the program', { afterMs: 5_000, end: 'oom' }, {}],
    ['on which the program hangs', { afterMs: 0, end: 'hang' }, { timeoutMs: 40_000 }],
  ])('a machine %s is quarantined after three trials, and every trial succeeds elsewhere', (_, plan, policy) => {
    const cluster = new VirtualCluster([agent('bad', plan), agent('good', good)]);
    const sweep = cluster.submit(30, { ...NO_RETRY, ...policy });
    cluster.runUntilDone(sweep);
    expect(sweep.counts).toMatchObject({ succeeded: 30 });
    expect(grantsTo(cluster, 'bad')).toBeLessThanOrEqual(6);
    const [first, ...others] = cluster.changes.filter(({ kind }) => kind === 'quarantine');
    expect(first).toMatchObject({
      agentId: 'bad',
      sweepIds: ['1'],
      detail: 'agent bad is quarantined for sweep 1: 3 trials failed early here and succeeded elsewhere',
    });
    for (const other of others) expect(other).toMatchObject({ detail: expect.stringMatching('^a probe of agent bad') });
  });

  test('after three failures, a faulty machine gets at most one further trial while the retries of the failed trials still run elsewhere', () => {
    const cluster = new VirtualCluster([
      agent('bad', crash),
      agent('good', { afterMs: 30 * MINUTE, end: 'succeeded' }),
    ]);
    cluster.submit(30, NO_RETRY);
    cluster.runFor(20 * MINUTE);
    expect(cluster.core.quarantines.size).toBe(0);
    expect(grantsTo(cluster, 'bad')).toBeLessThanOrEqual(4);
  });

  test('a faulty machine that was quarantined for two sweeps is quarantined for all sweeps', () => {
    const cluster = new VirtualCluster([agent('bad', crash), agent('good', good)]);
    for (const id of ['1', '2']) cluster.runUntilDone(cluster.submit(20, NO_RETRY, id));
    expect(cluster.core.quarantines.get('bad')?.sweepIds).toEqual(['1', '2']);
    const third = cluster.submit(4, NO_RETRY, '3');
    const before = grantsTo(cluster, 'bad');
    cluster.runFor(MINUTE / 2);
    expect(third.counts.succeeded).toBe(4);
    // A probe of the quarantined agent may be due.
    expect(grantsTo(cluster, 'bad')).toBeLessThanOrEqual(before + 1);
  });

  test('a faulty machine runs one trial as a probe after 1, 2, 4 ... minutes, and is released when a probe succeeds', () => {
    const probes: number[] = [];
    let quarantinedAt: number | undefined;
    const plan = (_: unknown, now: number): Plan => {
      if (quarantinedAt !== undefined) probes.push(Math.round((now - quarantinedAt) / MINUTE));
      return probes.length < 4 ? crash : good;
    };
    const cluster = new VirtualCluster([agent('bad', plan), agent('good', good)]);
    const sweep = cluster.submit(2_000, NO_RETRY);
    while (cluster.core.quarantines.size === 0) cluster.runFor(1_000);
    quarantinedAt = cluster.now;
    cluster.runFor(15.5 * MINUTE);
    expect(probes.slice(0, 4)).toEqual([1, 3, 7, 15]);
    expect(cluster.core.quarantines.size).toBe(0);
    expect(cluster.changes.filter(({ kind }) => kind === 'quarantine').at(-1)).toMatchObject({ quarantine: undefined });
    expect(probes.length).toBeGreaterThan(4);
    expect(sweep.counts.failed).toBe(0);
  });

  test('a faulty machine runs trials again after a user releases the machine', () => {
    const cluster = new VirtualCluster([agent('bad', crash), agent('good', good)]);
    cluster.submit(200, NO_RETRY);
    cluster.runFor(0.9 * MINUTE);
    expect(cluster.core.quarantines.has('bad')).toBe(true);
    const before = grantsTo(cluster, 'bad');
    cluster.settle(onRelease(cluster.core, { agentId: 'bad' }));
    expect(cluster.core.quarantines.has('bad')).toBe(false);
    expect(grantsTo(cluster, 'bad')).toBeGreaterThan(before);
    expect(onRelease(cluster.core, { agentId: 'unknown' }).changes).toEqual([]);
  });

  test('a faulty machine runs trials again when it is the only agent', () => {
    const fixed = (_: unknown, now: number) => (now < 0.9 * MINUTE ? crash : good);
    const cluster = new VirtualCluster([agent('bad', fixed), agent('good', good)]);
    const sweep = cluster.submit(100, NO_RETRY);
    cluster.runFor(0.9 * MINUTE);
    expect(cluster.core.quarantines.has('bad')).toBe(true);
    cluster.core.agents.delete('good');
    const before = grantsTo(cluster, 'bad');
    cluster.runFor(MINUTE / 4);
    expect(grantsTo(cluster, 'bad')).toBeGreaterThan(before);
    expect(cluster.core.quarantines.has('bad')).toBe(false);
    expect(sweep.counts.failed).toBe(0);
  });

  test('several machines that are faulty in different ways cost the trials no retries', () => {
    const bad = [
      agent('crash', crash),
      agent('preflight', { afterMs: 100, end: 'preflight' }),
      agent('hang', { afterMs: 0, end: 'hang' }),
      agent('oom', { afterMs: 1_000, end: 'oom' }),
    ];
    const cluster = new VirtualCluster([...bad, ...[1, 2, 3, 4].map((at) => agent(`good-${at}`, good))]);
    const sweep = cluster.submit(300, { ...NO_RETRY, timeoutMs: 40_000 });
    cluster.runUntilDone(sweep);
    expect(sweep.counts).toMatchObject({ succeeded: 300 });
    expect([...cluster.core.quarantines.keys()].sort()).toEqual(bad.map(({ id }) => id).sort());
  });
});

describe('failures that the program causes', () => {
  const broken: Plan = { afterMs: 500, end: 'crash', message: "ModuleNotFoundError: No module named 'torch'\nmore" };

  test('a bad program on a single agent pauses its sweep after 10 failures, and the reason groups the errors', () => {
    const cluster = new VirtualCluster([agent('only', broken, 1)]);
    const sweep = cluster.submit(30, NO_RETRY);
    cluster.runUntilDone(sweep);
    expect(sweep.state).toBe('paused');
    expect(sweep.counts).toMatchObject({ failed: 10 });
    expect(cluster.changes.filter(({ kind }) => kind === 'sweep')).toMatchObject([
      { reason: `10 failures in a row on 1 agent: 10 × "crash: ModuleNotFoundError: No module named 'torch'"` },
    ]);
    expect(cluster.core.quarantines.size).toBe(0);
  });

  test('the reason for a pause counts errors that differ only in numbers as one error', () => {
    let step = 0;
    const numbered = {
      ...broken,
      get message() {
        return `ValueError: bad loss at step ${++step}`;
      },
    };
    const cluster = new VirtualCluster([agent('only', numbered, 1)]);
    const sweep = cluster.submit(30, NO_RETRY);
    cluster.runUntilDone(sweep);
    expect(cluster.changes.filter(({ kind }) => kind === 'sweep')).toMatchObject([
      { reason: `10 failures in a row on 1 agent: 10 × "crash: ValueError: bad loss at step 1"` },
    ]);
  });

  test('a bad program on several agents pauses its sweep, and no agent is quarantined', () => {
    const cluster = new VirtualCluster(['a', 'b', 'c', 'd'].map((id) => agent(id, broken)));
    const sweep = cluster.submit(200);
    cluster.runUntilDone(sweep);
    expect(sweep.state).toBe('paused');
    const failures = cluster.changes.filter(({ kind }) => kind === 'ended').length;
    expect(failures).toBeGreaterThanOrEqual(10);
    expect(failures).toBeLessThanOrEqual(30);
    expect(cluster.core.quarantines.size).toBe(0);
    const reason = cluster.changes.findLast((change) => change.kind === 'sweep');
    expect(reason).toMatchObject({
      reason: expect.stringMatching(/^1\d failures in a row on [2-4] agents: 1\d × "crash/),
    });
  });

  test('failures of a bad program are counted from zero after a resume', () => {
    const cluster = new VirtualCluster([agent('only', broken, 1)]);
    const sweep = cluster.submit(30, NO_RETRY);
    cluster.runUntilDone(sweep);
    cluster.settle(onResume(cluster.core, { sweepId: '1' }));
    cluster.runUntilDone(sweep);
    expect(sweep.counts).toMatchObject({ failed: 20 });
    expect(sweep.state).toBe('paused');
  });

  test('a bad program pauses its sweep even if the trials fail late', () => {
    const late: Plan = { ...broken, afterMs: 2 * MINUTE };
    const cluster = new VirtualCluster([agent('a', late), agent('b', late)]);
    const sweep = cluster.submit(30, NO_RETRY);
    cluster.runUntilDone(sweep);
    expect(sweep.state).toBe('paused');
    expect(sweep.counts.failed).toBe(10);
  });

  test('failures on only one of several machines do not pause a sweep', () => {
    const cluster = new VirtualCluster([
      agent('bad', crash, 16),
      agent('good', { afterMs: 5 * MINUTE, end: 'succeeded' }),
    ]);
    const sweep = cluster.submit(40, NO_RETRY);
    cluster.runFor(4 * MINUTE);
    expect(sweep.state).toBe('running');
  });

  test('no machine is quarantined because of a program that fails at random', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(0.02, 0.1, 0.3), (seed, rate) => {
        const random = new TestRandom(seed);
        const flaky = () => (random.next() < rate ? crash : { ...good, afterMs: random.between(2_000, 20_000) });
        const cluster = new VirtualCluster(
          ['a', 'b', 'c', 'd'].map((id) => agent(id, flaky)),
          seed,
        );
        cluster.runUntilDone(cluster.submit(120, { retry: { oom: 9, crash: 9, timeout: 9, backoffMs: 0 } }));
        const quarantined = cluster.changes.filter((change) => change.kind === 'quarantine' && change.quarantine);
        expect(quarantined).toEqual([]);
      }),
      { numRuns: 8, seed: 7 },
    );
  });
});

test('trials with bad parameters fail after attempts on different agents, and no machine is quarantined', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 2, max: 5 }), (seed, agents) => {
      const isBad = ({ trialId }: { readonly trialId: string }) => Number(trialId.slice(1)) % 4 === 3;
      const plan = (key: { readonly trialId: string }) => (isBad(key) ? crash : { ...good, afterMs: 2_000 });
      const machines = Array.from({ length: agents }, (_, at) => agent(`agent-${at}`, plan));
      const cluster = new VirtualCluster(machines, seed);
      const sweep = cluster.submit(80, NO_RETRY);
      cluster.runUntilDone(sweep);
      expect(sweep.counts).toMatchObject({ succeeded: 60, failed: 20 });
      expect(cluster.changes.filter(({ kind }) => kind === 'quarantine')).toEqual([]);
      for (const trial of sweep.trials.values()) {
        expect(trial.state).toBe(isBad({ trialId: trial.id }) ? 'failed' : 'succeeded');
        if (trial.state === 'failed')
          expect(new Set(trial.failedAttempts.map(({ agentId }) => agentId)).size).toBe(trial.attempts);
      }
    }),
    { numRuns: 10 },
  );
});

describe('a retry', () => {
  const late: Plan = { afterMs: MINUTE, end: 'crash' };

  test('a retry runs on another agent even if the attempt failed late', () => {
    const cluster = new VirtualCluster([agent('a', late), agent('b', good)]);
    const sweep = cluster.submit(12, { retry: { oom: 0, crash: 1, timeout: 0, backoffMs: 0 } });
    cluster.runUntilDone(sweep);
    expect(sweep.counts).toMatchObject({ succeeded: 12 });
  });

  test('a retry waits up to ten minutes for another agent that is busy, and then runs on the first agent again', () => {
    const busy: Plan = { afterMs: 60 * MINUTE, end: 'succeeded' };
    const planOf = ({ attempt, trialId }: AttemptKey) => (trialId === 't0' && attempt === 1 ? late : busy);
    const cluster = new VirtualCluster([agent('a', planOf, 1), agent('b', planOf, 1)]);
    cluster.submit(2, { retry: { oom: 0, crash: 1, timeout: 0, backoffMs: 0 } });
    cluster.runFor(MINUTE + ELSEWHERE_PATIENCE_MS - 1_000);
    expect(cluster.granted).toHaveLength(2);
    const first = cluster.granted.find(({ key }) => key.trialId === 't0')?.agentId;
    cluster.runFor(2_000);
    expect(cluster.granted[2]).toMatchObject({ agentId: first, key: { trialId: 't0', attempt: 2 } });
  });

  test('a retry runs on the same agent if there is no other agent', () => {
    const cluster = new VirtualCluster([agent('only', ({ attempt }) => (attempt === 1 ? crash : good))]);
    const sweep = cluster.submit(4);
    expect(cluster.runUntilDone(sweep)).toBeLessThan(MINUTE);
    expect(sweep.counts).toMatchObject({ succeeded: 4 });
  });
});
