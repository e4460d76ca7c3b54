/** Sweeps that share the slots of a cluster, in a small world of its own: offers are claimed in order, trials take time. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore, trialOf } from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { endAttempt, onOpen } from './attempts.ts';
import type { AttemptKey, Core, Sweep } from './model.ts';
import { OFFERS_AHEAD_PER_SLOT, schedule } from './scheduler.ts';
import { Step } from './step.ts';
import { onPause, onPriority, onResume } from './sweeps.ts';

interface Running {
  readonly key: AttemptKey;
  readonly slot: number;
  readonly until: number;
}

/** One agent whose slots take offers in the order in which they were made. */
class Plant {
  readonly core: Core = emptyCore();
  readonly slots: number;
  now = 0;
  readonly grants = new Map<string, number>();
  /** Slot-milliseconds of attempts that have ended, and of those that run so far. */
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
      // The queue holds one message for an offer, however often it is made.
      if (!this.#queue.some(({ sweepId, trialId }) => sweepId === output.key.sweepId && trialId === output.key.trialId))
        this.#queue.push(output.key);
    }
  }

  /** Free slots claim what stands in the queue; what they are refused for now comes again. */
  claim(): void {
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.#running.some((each) => each.slot === slot)) continue;
      const returned: AttemptKey[] = [];
      for (let key = this.#queue.shift(); key !== undefined; key = this.#queue.shift()) {
        const answer = onOpen(this.core, { key, agentId: 'a', incarnation: '1', slot }, this.now, new Step());
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

  /** Goes on to the end of the next attempt. */
  advance(): void {
    const [next] = this.#running.sort((a, b) => a.until - b.until);
    if (next === undefined) return;
    this.now = next.until;
    onHeartbeat(this.core, { agentId: 'a', incarnation: '1', held: [], leaving: false }, this.now);
    this.#running.shift();
    const durationMs = this.#durations.get(next.key.sweepId) ?? 0;
    this.#spent.set(next.key.sweepId, (this.#spent.get(next.key.sweepId) ?? 0) + durationMs);
    endAttempt(this.core, next.key, { outcome: 'succeeded' }, this.now, new Step());
    if ((this.core.sweeps.get(next.key.sweepId)?.counts.pending ?? 0) === 0) this.core.sweeps.delete('gone');
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      this.pass();
      this.claim();
      this.advance();
    }
  }

  /** Slot-milliseconds that the sweep has had. */
  spent(id: string): number {
    const now = this.#running
      .filter(({ key }) => key.sweepId === id)
      .reduce((sum, { until }) => sum + (this.#durations.get(id) ?? 0) - (until - this.now), 0);
    return (this.#spent.get(id) ?? 0) + now;
  }
}

describe('sweeps of one priority', () => {
  test('share the slots by weight, whatever their sizes and however long their trials take', () => {
    const plant = new Plant(4);
    plant.add('1', 50_000, 1, 1_000);
    plant.add('2', 500_000, 3, 9_000);
    plant.add('3', 60_000, 2, 500);
    plant.run(8_000);
    const total = plant.spent('1') + plant.spent('2') + plant.spent('3');
    expect(plant.spent('1') / total).toBeCloseTo(1 / 6, 2);
    expect(plant.spent('2') / total).toBeCloseTo(3 / 6, 2);
    expect(plant.spent('3') / total).toBeCloseTo(2 / 6, 2);
  });

  test('are never further apart than what the slots hold and what stands ahead of them, by weight', () => {
    const anySweep = fc.record({
      weight: fc.constantFrom(0.5, 1, 2, 5),
      durationMs: fc.constantFrom(500, 1_000, 4_000),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(anySweep, { minLength: 2, maxLength: 4 }),
        (slots, sweeps) => {
          const plant = new Plant(slots);
          for (const [at, { weight, durationMs }] of sweeps.entries()) plant.add(`${at}`, 5_000, weight, durationMs);
          // Until the durations are known the guesses may be off.
          plant.run(40 * slots);
          const before = sweeps.map((_, at) => plant.spent(`${at}`));
          // The bound of SFQ(D): as many in service as there are slots, and offers ahead of them.
          const depth = slots * (1 + OFFERS_AHEAD_PER_SLOT) + 1;
          for (let step = 0; step < 150; step++) {
            plant.run(1);
            const had = sweeps.map(({ weight, durationMs }, at) => {
              return { level: (plant.spent(`${at}`) - (before[at] ?? 0)) / weight, step: durationMs / weight };
            });
            for (const a of had) {
              for (const b of had) {
                expect(Math.abs(a.level - b.level)).toBeLessThanOrEqual(depth * (a.step + b.step));
              }
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('have no credit for the time before they came, nor for while they were paused', () => {
    const plant = new Plant(2);
    plant.add('1', 10_000, 1, 1_000);
    const paused = plant.add('2', 10_000, 1, 1_000);
    plant.run(100);
    onPause(plant.core, '2', '');
    plant.run(400);
    plant.add('3', 10_000, 1, 1_000);
    onResume(plant.core, '2');
    const before = ['1', '2', '3'].map((id) => plant.spent(id));
    plant.run(300);
    for (const [at, id] of ['1', '2', '3'].entries()) {
      expect(plant.spent(id) - (before[at] ?? 0)).toBeCloseTo(100_000, -4);
    }
    expect(paused.state).toBe('running');
  });

  test('that come when the first guess was far off do not wait for it to be made good', () => {
    const plant = new Plant(8);
    // Guessed at a minute each, and over in ten milliseconds.
    plant.add('1', 10_000, 1, 10);
    plant.pass();
    plant.claim();
    plant.add('2', 10_000, 1, 10);
    plant.run(400);
    const total = plant.spent('1') + plant.spent('2');
    expect(plant.spent('2') / total).toBeGreaterThan(0.4);
  });

  test('take up what a constrained one cannot use, and it is not made to pay for that', () => {
    const core = emptyCore();
    onHello(core, { ...agentHello('gpu', '1', 1), slotFacts: [{ gpus: 1, vramBytes: 1 }] }, 0);
    onHello(core, agentHello('cpu', '1', 3), 0);
    addSweep(core, '1', 50, {});
    const constrained = addSweep(core, '2', 50, { resources: { gpu: 1, labels: {} } });
    schedule(core, 0);
    // The slot with the GPU and the offer ahead of it go to the one that can run nowhere else.
    expect(constrained.counts.offered).toBeGreaterThanOrEqual(1);
    expect(core.sweeps.get('1')?.counts.offered).toBeGreaterThanOrEqual(6);
  });
});

describe('a more urgent sweep', () => {
  test('comes before everything that has not begun, and the others go on after it', () => {
    const plant = new Plant(3);
    plant.add('1', 100, 1_000, 1_000);
    plant.run(10);
    plant.add('2', 12, 1, 1_000, 1);
    const before = plant.grants.get('1') ?? 0;
    plant.pass();
    while ((plant.core.sweeps.get('2')?.counts.pending ?? 0) > 0) {
      plant.run(1);
      if ((plant.grants.get('2') ?? 0) < 12) expect(plant.grants.get('1')).toBe(before);
    }
    plant.run(20);
    expect(plant.grants.get('2')).toBe(12);
    expect(plant.grants.get('1')).toBeGreaterThan(before);
  });

  test('is granted first even where the offer of another stands before its own', () => {
    const core = emptyCore();
    onHello(core, agentHello('a', '1', 2), 0);
    const usual = addSweep(core, '1', 9);
    schedule(core, 0);
    const key = { sweepId: '1', trialId: 't0', attempt: 1 };
    addSweep(core, '2', 1, {}, undefined, 7);
    // The claim comes in before the scheduler has seen the new sweep.
    const step = new Step();
    expect(onOpen(core, { key, agentId: 'a', incarnation: '1', slot: 0 }, 0, step)).toEqual({
      granted: false,
      refusal: {
        code: 'REFUSAL_CODE_OUTRANKED',
        message: 'sweep 2 is more urgent, and something of it waits for this slot',
      },
    });
    expect(step.changes).toEqual([]);
    expect(trialOf(usual, 't0')).toMatchObject({ state: 'offered', attempts: 0 });
    schedule(core, 0);
    // It stands: who claims is still refused, until it has been taken.
    expect(onOpen(core, { key, agentId: 'a', incarnation: '1', slot: 0 }, 0, step)).toMatchObject({ granted: false });
    const urgent = { sweepId: '2', trialId: 't0', attempt: 1 };
    expect(onOpen(core, { key: urgent, agentId: 'a', incarnation: '1', slot: 0 }, 0, step)).toMatchObject({
      granted: true,
    });
    expect(onOpen(core, { key, agentId: 'a', incarnation: '1', slot: 1 }, 0, step)).toMatchObject({ granted: true });
  });

  test('displaces offers, the newest first, and no more than it needs', () => {
    const core = emptyCore();
    onHello(core, agentHello('a', '1', 2), 0);
    const usual = addSweep(core, '1', 9);
    schedule(core, 0);
    addSweep(core, '2', 1, {}, undefined, 7);
    const { changes } = schedule(core, 0);
    expect([...usual.offers].map(({ id }) => id)).toEqual(['t0', 't1', 't2']);
    expect(changes).toContainEqual(
      expect.objectContaining({ trialId: 't3', state: 'pending', detail: 'sweep 2 is more urgent' }),
    );
  });

  test('that may run nowhere holds nobody up', () => {
    const plant = new Plant(2);
    plant.add('1', 10, 1, 1_000);
    addSweep(plant.core, '2', 5, { resources: { labels: { zone: 'moon' } } }, undefined, 9);
    plant.run(10);
    expect(plant.grants.get('1')).toBe(10);
  });
});

test('a priority that is changed counts from the next grant, and the sweep owes nothing to its new peers', () => {
  const plant = new Plant(2);
  plant.add('1', 1_000, 1, 1_000);
  plant.add('2', 1_000, 1, 1_000, -1);
  plant.run(100);
  expect(plant.grants.get('2')).toBe(0);
  const { changes } = onPriority(plant.core, '2', 0, plant.now);
  expect(changes).toEqual([{ kind: 'priority', sweepId: '2', priority: 0, before: -1 }]);
  expect(onPriority(plant.core, '2', 0, plant.now).changes).toEqual([]);
  const before = plant.spent('1');
  plant.run(100);
  expect(plant.spent('2')).toBeCloseTo(plant.spent('1') - before, -4);
});
