import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Parameters } from '../../proto/trainers.ts';
import { TestRandom } from '../../test/support/random.ts';
import { RECORDED_SWEEPS, type RecordedSweep } from './eta.fixture.ts';
import { type EtaSituation, type EtaTrial, etaOf, type TimeLeft, usableSlots } from './eta.ts';

const NOW = 1_000_000;

const anyTrial: fc.Arbitrary<Omit<EtaTrial, 'id'>> = fc
  .record({
    config: fc.nat({ max: 4 }),
    state: fc.constantFrom('waiting' as const, 'running' as const, 'ended' as const),
    done: fc.double({ min: 0, max: 1, noNaN: true }),
    epochs: fc.constantFrom(undefined, 1, 5, 20),
    agoMs: fc.integer({ min: 1, max: 500_000 }),
    lastedMs: fc.integer({ min: 1, max: 500_000 }),
  })
  .map(({ config, state, done, epochs, agoMs, lastedMs }) => ({
    configId: `c${config}`,
    parameters: config === 4 ? undefined : { depth: config % 2, width: config },
    state,
    epochs,
    epoch: state === 'waiting' ? 0 : Math.floor(done * (epochs ?? 3)),
    startedAtMs: state === 'waiting' ? 0 : NOW - agoMs - (state === 'ended' ? lastedMs : 0),
    endedAtMs: state === 'ended' ? NOW - agoMs : 0,
  }));

const anySituation: fc.Arbitrary<EtaSituation> = fc
  .record({ trials: fc.array(anyTrial, { maxLength: 30 }), slots: fc.nat({ max: 6 }), paused: fc.boolean() })
  .map(({ trials, ...rest }) => ({ ...rest, now: NOW, trials: trials.map((one, at) => ({ ...one, id: `t${at}` })) }));

test('every interval is positive and finite and contains its expected value, and the expected end of a sweep is that of its last trial', () => {
  fc.assert(
    fc.property(anySituation, (situation) => {
      const { sweep, work, trials } = etaOf(situation);
      for (const { lowMs, expectedMs, highMs } of [...trials.values(), ...(sweep && work ? [sweep, work] : [])]) {
        expect(Number.isFinite(highMs)).toBe(true);
        expect(lowMs).toBeGreaterThan(0);
        expect(expectedMs).toBeGreaterThanOrEqual(lowMs);
        expect(highMs).toBeGreaterThanOrEqual(expectedMs);
      }
      if (sweep) expect(sweep.expectedMs).toBe(Math.max(...[...trials.values()].map((one) => one.expectedMs)));
      expect(work === undefined).toBe(sweep === undefined);
    }),
  );
});

test('if any trial has an estimate, every trial that runs or will run has one, and no other trial has one', () => {
  fc.assert(
    fc.property(anySituation, (situation) => {
      const { trials } = etaOf(situation);
      if (trials.size === 0) return;
      const starts = !situation.paused && situation.slots > 0;
      const expected = situation.trials.filter(({ state }) => state === 'running' || (state === 'waiting' && starts));
      expect([...trials.keys()].sort()).toEqual(expected.map(({ id }) => id).sort());
    }),
  );
});

test('neither a pause nor an additional slot makes the remaining time longer', () => {
  fc.assert(
    fc.property(anySituation, (situation) => {
      const until = (change: Partial<EtaSituation>) => etaOf({ ...situation, ...change }).sweep?.expectedMs;
      const unpaused = until({ paused: false });
      if (unpaused === undefined) return;
      expect(until({ paused: true }) ?? 0).toBeLessThanOrEqual(unpaused);
      expect(until({ paused: false, slots: situation.slots + 1 })).toBeLessThanOrEqual(unpaused + 1e-6);
    }),
  );
});

test('only running trials count while a sweep is paused, and there is no estimate while all trials are pending', () => {
  const waiting = {
    configId: 'c',
    parameters: undefined,
    state: 'waiting',
    epoch: 0,
    epochs: 10,
    startedAtMs: 0,
    endedAtMs: 0,
  } as const;
  const running = { ...waiting, id: 'r', state: 'running', epoch: 5, startedAtMs: NOW - 5_500 } as const;
  const trials = [running, ...[1, 2, 3].map((at) => ({ ...waiting, id: `w${at}` }))];
  const { sweep } = etaOf({ trials, slots: 1, paused: true, now: NOW });
  expect(sweep?.expectedMs).toBeGreaterThan(4_000);
  expect(sweep?.expectedMs).toBeLessThan(6_000);
  expect(etaOf({ trials, slots: 1, paused: false, now: NOW }).sweep?.expectedMs).toBeGreaterThan(30_000);
  expect(etaOf({ trials: trials.slice(1), slots: 1, paused: false, now: NOW }).sweep).toBeUndefined();
});

/** Returns the input of `etaOf` as it was at the given time of a recorded sweep. */
function situationAt({ slots, trials }: RecordedSweep, now: number): EtaSituation {
  return {
    slots,
    paused: false,
    now: now + 1,
    trials: trials.map(([config, epochs, startMs, endMs, reportsMs, parameters], at): EtaTrial => {
      const state = endMs <= now ? 'ended' : startMs <= now ? 'running' : 'waiting';
      return {
        ...{ id: `${at}`, configId: `${config}`, parameters, state, epochs },
        epoch: reportsMs.filter((ms) => ms <= now).length,
        startedAtMs: state === 'waiting' ? 0 : startMs + 1,
        endedAtMs: state === 'ended' ? endMs + 1 : 0,
      };
    }),
  };
}

test('the 90% intervals cover at least 80% of the outcomes of recorded trials and sweeps', () => {
  const covered = { sweep: [] as boolean[], trials: [] as boolean[] };
  for (const recorded of RECORDED_SWEEPS) {
    const endMs = Math.max(...recorded.trials.map(([, , , end]) => end));
    for (let twentieth = 1; twentieth < 20; twentieth++) {
      const now = Math.round((endMs * twentieth) / 20);
      const { sweep, trials } = etaOf(situationAt(recorded, now));
      if (sweep === undefined) continue;
      covered.sweep.push(endMs - now >= sweep.lowMs && endMs - now <= sweep.highMs);
      for (const [id, { lowMs, highMs }] of trials) {
        const left = (recorded.trials[Number(id)]?.[3] ?? 0) - now;
        covered.trials.push(left >= lowMs && left <= highMs);
      }
    }
  }
  const share = (all: readonly boolean[]) => all.filter((one) => one).length / all.length;
  expect(covered.sweep.length).toBeGreaterThan(80);
  expect(share(covered.sweep)).toBeGreaterThanOrEqual(0.8);
  expect(share(covered.trials)).toBeGreaterThanOrEqual(0.8);
});

test('the estimate assumes that a sweep uses the free slots and the slots of its own trials, up to its concurrency limit', () => {
  const agents = [
    { takesWork: true, slots: 4, busy: 3, pack: 1 },
    { takesWork: true, slots: 2, busy: 0, pack: 4 },
    { takesWork: false, slots: 8, busy: 0, pack: 4 },
  ];
  expect(usableSlots(agents, { running: 2, concurrency: undefined, packs: false })).toBe(5);
  expect(usableSlots(agents, { running: 2, concurrency: 0, packs: false })).toBe(5);
  expect(usableSlots(agents, { running: 2, concurrency: 3, packs: false })).toBe(3);
});

test('a free slot starts a whole pack if the trials of the sweep can be packed', () => {
  const agents = [
    { takesWork: true, slots: 4, busy: 3, pack: 1 },
    { takesWork: true, slots: 2, busy: 0, pack: 4 },
    { takesWork: true, slots: 1, busy: 0, pack: 0 },
  ];
  expect(usableSlots(agents, { running: 2, concurrency: undefined, packs: true })).toBe(12);
  expect(usableSlots(agents, { running: 2, concurrency: 5, packs: true })).toBe(5);
});

test('trials that are not created yet count like pending trials, and an unlimited search has no estimate', () => {
  const ended = {
    configId: 'a',
    parameters: undefined,
    state: 'ended',
    epoch: 10,
    epochs: 10,
    startedAtMs: NOW - 5_000,
    endedAtMs: NOW,
  } as const;
  const running = { ...ended, id: 'r', configId: 'b', state: 'running', epoch: 5, endedAtMs: 0 } as const;
  const situation = { trials: [{ ...ended, id: 'e' }, running], slots: 1, paused: false, now: NOW };
  const without = etaOf(situation);
  const limited = etaOf({ ...situation, toCome: 3 });
  expect(limited.sweep?.expectedMs).toBeGreaterThan(2 * (without.sweep?.expectedMs ?? 0));
  expect([...limited.trials.keys()]).toEqual(['r']);
  const unlimited = etaOf({ ...situation, toCome: Number.POSITIVE_INFINITY });
  expect(unlimited.sweep).toBeUndefined();
  expect(unlimited.trials).toEqual(without.trials);
  expect(etaOf({ ...situation, toCome: Number.POSITIVE_INFINITY, paused: true }).sweep).toEqual(without.sweep);
});

test('a trial that is not created yet counts like a pending trial with its own config and unknown parameters', () => {
  fc.assert(
    fc.property(anySituation, fc.integer({ min: 1, max: 20 }), (situation, toCome) => {
      const lengths = situation.trials.flatMap(({ epochs }) => epochs ?? []);
      const epochs = lengths.length === 0 ? undefined : lengths.reduce((sum, each) => sum + each, 0) / lengths.length;
      const created = Array.from({ length: toCome }, (_, at): EtaTrial => {
        const unknown = { parameters: undefined, startedAtMs: 0, endedAtMs: 0 };
        return { ...unknown, id: `new ${at}`, configId: `new ${at}`, state: 'waiting', epoch: 0, epochs };
      });
      const expected = etaOf({ ...situation, trials: [...situation.trials, ...created] });
      const found = etaOf({ ...situation, toCome });
      for (const part of ['sweep', 'work'] as const) {
        expect(found[part] === undefined).toBe(expected[part] === undefined);
        for (const [bound, ms] of Object.entries(found[part] ?? {})) {
          expect(ms).toBeCloseTo(expected[part]?.[bound as keyof TimeLeft] ?? Number.NaN, 3);
        }
      }
      const known = [...expected.trials].filter(([id]) => !id.startsWith('new '));
      expect([...found.trials]).toEqual(known);
    }),
  );
});

test('the estimate for a sweep that waits for slots includes the waiting time', () => {
  const ended = {
    id: 'a',
    configId: 'a',
    parameters: undefined,
    state: 'ended' as const,
    epoch: 2,
    epochs: 2,
    startedAtMs: 1,
    endedAtMs: 2_001,
  };
  const waiting = { ...ended, id: 'b', state: 'waiting' as const, epoch: 0, startedAtMs: 0, endedAtMs: 0 };
  const left = (waitMs: number) =>
    etaOf({ trials: [ended, waiting], slots: 1, waitMs, paused: false, now: NOW }).sweep?.expectedMs ?? 0;
  expect(left(60_000)).toBeCloseTo(left(0) + 60_000, 6);
});

/**
 * The time of an epoch depends on two parameters: it doubles with the large data set, and is proportional to the depth.
 */
const epochTimeOf = ({ dataset, depth }: Parameters) => 1_000 * Number(depth) * (dataset === 'large' ? 2 : 1);

interface FirstWave {
  readonly trials: readonly EtaTrial[];
  /** The sum of the actual times of all waiting trials. */
  readonly workMs: number;
}

/**
 * Returns a sweep whose trials run in a random order, and whose first trials have ended. The duration of each trial
 * deviates at random from the time that its parameters determine.
 */
function firstWave(random: TestRandom, endedCount: number, deviation: number, known: boolean): FirstWave {
  const points = ['small', 'large'].flatMap((dataset) =>
    [1, 2, 4, 8].flatMap((depth) => [0.1, 0.2, 0.3].map((lr) => ({ dataset, depth, lr, epochs: 5 }))),
  );
  const order = points.map((parameters, at) => ({ parameters, at, key: random.next() })).sort((a, b) => a.key - b.key);
  let workMs = 0;
  const trials = order.map(({ parameters, at }, index): EtaTrial => {
    const ms = 5 * epochTimeOf(parameters) * Math.exp(deviation * (2 * random.next() - 1));
    const hasEnded = index < endedCount;
    if (!hasEnded) workMs += ms;
    return {
      ...{ id: `${at}`, configId: `${at}`, parameters: known ? parameters : undefined, epochs: 5 },
      ...(hasEnded
        ? { state: 'ended', epoch: 5, startedAtMs: NOW - ms, endedAtMs: NOW }
        : { state: 'waiting', epoch: 0, startedAtMs: 0, endedAtMs: 0 }),
    };
  });
  return { trials, workMs };
}

test('after the first trials, estimates from parameters are more accurate than estimates from the mean', () => {
  const errorOf = (known: boolean) => {
    const random = new TestRandom(5);
    const errors = Array.from({ length: 100 }, () => {
      const { trials, workMs } = firstWave(random, 8, 0.1, known);
      const { work } = etaOf({ trials, slots: 2, paused: false, now: NOW });
      return Math.abs(Math.log((work?.expectedMs ?? Number.NaN) / workMs));
    });
    return errors.reduce((total, error) => total + error, 0) / errors.length;
  };
  expect(errorOf(true)).toBeLessThan(0.7 * errorOf(false));
});

test.each([4, 8, 16])(
  'after %i of 24 trials with different parameters, the 90%% interval covers at least 85%% of the outcomes',
  (endedCount) => {
    const random = new TestRandom(endedCount);
    const covered = Array.from({ length: 300 }, () => {
      const { trials, workMs } = firstWave(random, endedCount, 0.2, true);
      const { work } = etaOf({ trials, slots: 3, paused: false, now: NOW });
      return work !== undefined && work.lowMs <= workMs && workMs <= work.highMs;
    });
    expect(covered.filter(Boolean).length / covered.length).toBeGreaterThanOrEqual(0.85);
  },
);

test('trials with a slow parameter value have longer estimates, even before any trial of their configs has run', () => {
  const { trials } = firstWave(new TestRandom(9), 12, 0.05, true);
  const eta = etaOf({ trials, slots: 100, paused: false, now: NOW });
  const left = trials.filter(({ state }) => state === 'waiting');
  const meanOf = (dataset: string) => {
    const times = left
      .filter(({ parameters }) => parameters?.dataset === dataset)
      .map(({ id, parameters }) => {
        return (eta.trials.get(id)?.expectedMs ?? Number.NaN) / Number(parameters?.depth);
      });
    return times.reduce((total, ms) => total + ms, 0) / times.length;
  };
  expect(meanOf('large') / meanOf('small')).toBeGreaterThan(1.5);
  expect(meanOf('large') / meanOf('small')).toBeLessThan(2.5);
});

test('the remaining work does not depend on the number of slots; with one slot, the remaining time equals the remaining work', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 6 }), (endedCount, slots) => {
      const { trials } = firstWave(new TestRandom(endedCount), endedCount, 0.1, true);
      const on = (count: number) => etaOf({ trials, slots: count, paused: false, now: NOW });
      expect(on(slots).work).toEqual(on(1).work);
      expect(on(1).sweep?.expectedMs).toBeCloseTo(on(1).work?.expectedMs ?? Number.NaN, 3);
      expect(on(slots).sweep?.expectedMs).toBeGreaterThanOrEqual((on(1).work?.expectedMs ?? Number.NaN) / slots - 1);
    }),
  );
});

test('a continuous parameter that has no effect on the duration does not widen the interval', () => {
  const random = new TestRandom(4);
  const trials = Array.from({ length: 60 }, (_, at): EtaTrial => {
    const ms = 1_000 * (0.9 + 0.2 * random.next());
    const parameters = { lr: random.next(), momentum: random.next() };
    const hasEnded = at < 30;
    return {
      ...{ id: `${at}`, configId: `${at}`, parameters, epochs: undefined },
      ...(hasEnded
        ? { state: 'ended', epoch: 1, startedAtMs: NOW - ms, endedAtMs: NOW }
        : { state: 'waiting', epoch: 0, startedAtMs: 0, endedAtMs: 0 }),
    };
  });
  const { work } = etaOf({ trials, slots: 1, paused: false, now: NOW });
  expect(work?.expectedMs).toBeGreaterThan(29_000);
  expect(work?.expectedMs).toBeLessThan(34_000);
  expect((work?.highMs ?? 0) / (work?.lowMs ?? 1)).toBeLessThan(1.5);
});

test('running trials that are queued behind another trial of their slot count like pending trials', () => {
  const plain = { configId: 'a', parameters: undefined, epoch: 0, epochs: 1, endedAtMs: 0 };
  const ended: EtaTrial = { ...plain, id: 'e', state: 'ended', epoch: 1, startedAtMs: NOW - 600, endedAtMs: NOW - 500 };
  const granted = (state: 'running' | 'waiting') =>
    Array.from({ length: 16 }, (_, at): EtaTrial => ({ ...plain, id: `q${at}`, state, startedAtMs: NOW - 50 }));
  const running: EtaTrial = { ...plain, id: 'r', state: 'running', startedAtMs: NOW - 60 };
  const etaWith = (state: 'running' | 'waiting', queued: number) =>
    etaOf({ trials: [ended, ...granted(state), running], slots: 1, queued, paused: false, now: NOW });
  expect(etaWith('running', 16)).toEqual(etaWith('waiting', 0));
  expect(etaWith('running', 16).sweep?.expectedMs).toBeGreaterThan(16 * 100);
  expect(etaWith('running', 0).sweep?.expectedMs).toBeLessThan(200);
});
