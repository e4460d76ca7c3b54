/** Simulates slot sharing in a small model of a cluster, in which offers are claimed in order and trials take time. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { addSweep, agentHello, emptyCore, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { endAttempt } from './attempt-ends.ts';
import { onOpen } from './attempts.ts';
import type { Core, Sweep } from './model.ts';
import { OFFERS_AHEAD_PER_SLOT, schedule } from './scheduler.ts';
import { onPause, onPriority, onResume } from './sweeps.ts';

interface Running {
  readonly key: AttemptKey;
  readonly slot: number;
  readonly until: number;
}

class Cluster {
  readonly core: Core = emptyCore();
  readonly slots: number;
  now = 0;
  readonly grants = new Map<string, number>();
  /** The slot time of ended attempts in milliseconds, per sweep. */
  readonly #spent = new Map<string, number>();
  readonly #durations = new Map<string, number>();
  #queue: AttemptKey[] = [];
  #running: Running[] = [];

  constructor(slots: number) {
    this.slots = slots;
    onHello(this.core, agentHello('a', '1', slots), 0);
  }

  add(id: string, trials: number, weight: number, durationMs: number, priority = 0): Sweep {
    this.#durations.set(id, durationMs);
    this.grants.set(id, 0);
    this.#spent.set(id, 0);
    return addSweep(this.core, id, trials, { weight }, undefined, priority);
  }

  pass(): void {
    for (const output of schedule(this.core, this.now).outputs) {
      if (output.kind !== 'offer') continue;
      if (!this.#queue.some(({ sweepId, trialId }) => sweepId === output.key.sweepId && trialId === output.key.trialId))
        this.#queue.push(output.key);
    }
  }

  /**
   * Lets free slots claim offers in the order of the queue. An offer stays in the queue if its claim is rejected
   * because a trial of higher priority is pending.
   */
  claim(): void {
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.#running.some((each) => each.slot === slot)) continue;
      const returned: AttemptKey[] = [];
      for (let key = this.#queue.shift(); key !== undefined; key = this.#queue.shift()) {
        const { answer } = onOpen(this.core, { key, agentId: 'a', incarnation: '1', slot }, this.now);
        if (answer.granted) {
          const durationMs = this.#durations.get(key.sweepId) ?? 0;
          this.#running.push({ key, slot, until: this.now + durationMs });
          this.grants.set(key.sweepId, (this.grants.get(key.sweepId) ?? 0) + 1);
          break;
        }
        if (answer.refusal.code === 'REFUSAL_CODE_OUTRANKED') returned.push(key);
      }
      this.#queue.unshift(...returned);
    }
  }

  /** Advances the time to the end of the attempt that ends next. */
  advance(): void {
    const [next] = this.#running.sort((a, b) => a.until - b.until);
    if (next === undefined) return;
    this.now = next.until;
    onHeartbeat(this.core, { agentId: 'a', incarnation: '1', held: [], leaving: false }, this.now);
    this.#running.shift();
    const durationMs = this.#durations.get(next.key.sweepId) ?? 0;
    this.#spent.set(next.key.sweepId, (this.#spent.get(next.key.sweepId) ?? 0) + durationMs);
    endAttempt(this.core, { key: next.key, end: { outcome: 'succeeded' } }, this.now);
    if ((this.core.sweeps.get(next.key.sweepId)?.counts.pending ?? 0) === 0) this.core.sweeps.delete('gone');
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      this.pass();
      this.claim();
      this.advance();
    }
  }

  /** Returns the slot time that the sweep has used so far, in milliseconds. */
  spent(id: string): number {
    const now = this.#running
      .filter(({ key }) => key.sweepId === id)
      .reduce((sum, { until }) => sum + (this.#durations.get(id) ?? 0) - (until - this.now), 0);
    return (this.#spent.get(id) ?? 0) + now;
  }
}

describe('sweeps of one priority', () => {
  test('sweeps of one priority share the slots by weight, whatever their sizes and the durations of their trials', () => {
    const cluster = new Cluster(4);
    cluster.add('1', 50_000, 1, 1_000);
    cluster.add('2', 500_000, 3, 9_000);
    cluster.add('3', 60_000, 2, 500);
    cluster.run(8_000);
    const total = cluster.spent('1') + cluster.spent('2') + cluster.spent('3');
    expect(cluster.spent('1') / total).toBeCloseTo(1 / 6, 2);
    expect(cluster.spent('2') / total).toBeCloseTo(3 / 6, 2);
    expect(cluster.spent('3') / total).toBeCloseTo(2 / 6, 2);
  });

  test('the weighted slot times of two sweeps differ by at most the time of their running and offered trials', {
    timeout: 120_000,
  }, () => {
    const anySweep = fc.record({
      weight: fc.constantFrom(0.5, 1, 2, 5),
      durationMs: fc.constantFrom(500, 1_000, 4_000),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(anySweep, { minLength: 2, maxLength: 4 }),
        (slots, sweeps) => {
          const cluster = new Cluster(slots);
          for (const [at, { weight, durationMs }] of sweeps.entries()) cluster.add(`${at}`, 5_000, weight, durationMs);
          cluster.run(40 * slots);
          const before = sweeps.map((_, at) => cluster.spent(`${at}`));
          // SFQ(D) bounds the difference by D + 1 requests of each of the two sweeps. Here, D is the number of running
          // attempts plus the number of offers made in advance.
          const depth = slots * (1 + OFFERS_AHEAD_PER_SLOT) + 1;
          for (let step = 0; step < 150; step++) {
            cluster.run(1);
            const had = sweeps.map(({ weight, durationMs }, at) => {
              return { level: (cluster.spent(`${at}`) - (before[at] ?? 0)) / weight, step: durationMs / weight };
            });
            for (const a of had) {
              for (const b of had) {
                expect(Math.abs(a.level - b.level)).toBeLessThanOrEqual(depth * (a.step + b.step));
              }
            }
          }
        },
      ),
      { numRuns: propertyRuns(60) },
    );
  });

  test('a sweep gets no credit for the time before it was submitted or while it was paused', () => {
    const cluster = new Cluster(2);
    cluster.add('1', 10_000, 1, 1_000);
    const paused = cluster.add('2', 10_000, 1, 1_000);
    cluster.run(100);
    onPause(cluster.core, { sweepId: '2', reason: '' });
    cluster.run(400);
    cluster.add('3', 10_000, 1, 1_000);
    onResume(cluster.core, { sweepId: '2' });
    const before = ['1', '2', '3'].map((id) => cluster.spent(id));
    cluster.run(300);
    for (const [at, id] of ['1', '2', '3'].entries()) {
      expect(cluster.spent(id) - (before[at] ?? 0)).toBeCloseTo(100_000, -4);
    }
    expect(paused.state).toBe('running');
  });

  test('a sweep is not delayed by a wrong initial duration estimate of another sweep', () => {
    const cluster = new Cluster(8);
    cluster.add('1', 10_000, 1, 10);
    cluster.pass();
    cluster.claim();
    cluster.add('2', 10_000, 1, 10);
    cluster.run(400);
    const total = cluster.spent('1') + cluster.spent('2');
    expect(cluster.spent('2') / total).toBeGreaterThan(0.4);
  });

  test('other sweeps use the slots that a constrained sweep cannot use, and the constrained sweep keeps its share', () => {
    const core = emptyCore();
    onHello(core, { ...agentHello('gpu', '1', 1), slotFacts: [{ gpus: 1, vramBytes: 1 }] }, 0);
    onHello(core, agentHello('cpu', '1', 3), 0);
    addSweep(core, '1', 50, {});
    const constrained = addSweep(core, '2', 50, { resources: { gpu: 1, labels: {} } });
    schedule(core, 0);
    expect(constrained.counts.offered).toBeGreaterThanOrEqual(1);
    expect(core.sweeps.get('1')?.counts.offered).toBeGreaterThanOrEqual(6);
  });
});

describe('a sweep of higher priority', () => {
  test('the trials of a sweep of higher priority run before all other trials that have not started; other sweeps continue afterward', () => {
    const cluster = new Cluster(3);
    cluster.add('1', 100, 1_000, 1_000);
    cluster.run(10);
    cluster.add('2', 12, 1, 1_000, 1);
    const before = cluster.grants.get('1') ?? 0;
    cluster.pass();
    while ((cluster.core.sweeps.get('2')?.counts.pending ?? 0) > 0) {
      cluster.run(1);
      if ((cluster.grants.get('2') ?? 0) < 12) expect(cluster.grants.get('1')).toBe(before);
    }
    cluster.run(20);
    expect(cluster.grants.get('2')).toBe(12);
    expect(cluster.grants.get('1')).toBeGreaterThan(before);
  });

  test('a trial of higher priority is granted first, even if a trial of lower priority was offered and claimed before', () => {
    const core = emptyCore();
    onHello(core, agentHello('a', '1', 2), 0);
    const other = addSweep(core, '1', 9);
    schedule(core, 0);
    const key = { sweepId: '1', trialId: 't0', attempt: 1 };
    addSweep(core, '2', 1, {}, undefined, 7);
    const { step, answer } = onOpen(core, { key, agentId: 'a', incarnation: '1', slot: 0 }, 0);
    expect(answer).toEqual({
      granted: false,
      refusal: {
        code: 'REFUSAL_CODE_OUTRANKED',
        message: 'sweep 2 has higher priority and a pending trial for this slot',
      },
    });
    expect(step.changes).toEqual([]);
    expect(sampleTrial(other, 't0')).toMatchObject({ state: 'offered', attempts: 0 });
    schedule(core, 0);
    expect(onOpen(core, { key, agentId: 'a', incarnation: '1', slot: 0 }, 0).answer).toMatchObject({ granted: false });
    const preferred = { sweepId: '2', trialId: 't0', attempt: 1 };
    expect(onOpen(core, { key: preferred, agentId: 'a', incarnation: '1', slot: 0 }, 0).answer).toMatchObject({
      granted: true,
    });
    expect(onOpen(core, { key, agentId: 'a', incarnation: '1', slot: 1 }, 0).answer).toMatchObject({ granted: true });
  });

  test('a sweep of higher priority displaces as many of the newest offers as it needs', () => {
    const core = emptyCore();
    onHello(core, agentHello('a', '1', 2), 0);
    const other = addSweep(core, '1', 9);
    schedule(core, 0);
    addSweep(core, '2', 1, {}, undefined, 7);
    const { changes } = schedule(core, 0);
    expect([...other.offers].map(({ id }) => id)).toEqual(['t0', 't1', 't2']);
    expect(changes).toContainEqual(
      expect.objectContaining({ trialId: 't3', state: 'pending', detail: 'sweep 2 has higher priority' }),
    );
  });

  test('a sweep of higher priority without a suitable slot does not block other sweeps', () => {
    const cluster = new Cluster(2);
    cluster.add('1', 10, 1, 1_000);
    addSweep(cluster.core, '2', 5, { resources: { labels: { zone: 'moon' } } }, undefined, 9);
    cluster.run(10);
    expect(cluster.grants.get('1')).toBe(10);
  });
});

test('a changed priority applies from the next grant, and the sweep then shares the slots with the sweeps of the new priority', () => {
  const cluster = new Cluster(2);
  cluster.add('1', 1_000, 1, 1_000);
  cluster.add('2', 1_000, 1, 1_000, -1);
  cluster.run(100);
  expect(cluster.grants.get('2')).toBe(0);
  const { changes } = onPriority(cluster.core, { sweepId: '2', priority: 0 }, cluster.now);
  expect(changes).toEqual([{ kind: 'priority', sweepId: '2', priority: 0, before: -1 }]);
  expect(onPriority(cluster.core, { sweepId: '2', priority: 0 }, cluster.now).changes).toEqual([]);
  const before = cluster.spent('1');
  cluster.run(100);
  expect(cluster.spent('2')).toBeCloseTo(cluster.spent('1') - before, -4);
});
