import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keptAt } from './asha.ts';
import { LOSS, Race } from './race.fixture.ts';
import type { AshaSettings } from './settings.ts';

const ASHA: AshaSettings = { type: 'asha', minIter: 1, maxIter: undefined, eta: 3 };

test('in ASHA, a trial continues if it is among the best third of the trials that reached the rung', () => {
  const race = new Race(ASHA);
  const decisions = [5, 6, 4, 7, 3, 4.5, 9, 3.5].map((value, at) => race.report(`t${at}`, 1, value).kind);
  expect(decisions).toEqual(['continue', 'stop', 'continue', 'stop', 'continue', 'stop', 'stop', 'continue']);
});

test('the reason for a decision of ASHA states the rank of the trial and the number of trials that continue', () => {
  const race = new Race(ASHA);
  for (const [at, value] of [1, 2, 3, 4, 5].entries()) race.report(`t${at}`, 1, value);
  expect(race.report('t5', 1, 2.5)).toEqual({
    kind: 'stop',
    reason: '2.5 ranks 3 of 6 at rung 1; the top 2 continue',
  });
  expect(race.report('t6', 1, 1.5).reason).toBe('1.5 ranks 2 of 7 at rung 1; the top 2 continue');
});

test('the rungs of ASHA are at min_iter times powers of eta, and trials are compared only at rungs', () => {
  const race = new Race({ ...ASHA, minIter: 2 });
  race.run(
    'a',
    Array.from({ length: 20 }, () => 1),
  );
  expect(race.rungs).toEqual([2, 6, 18]);
});

test('ASHA has no rung at max_iter or above', () => {
  const race = new Race({ ...ASHA, maxIter: 9 });
  race.run(
    'a',
    Array.from({ length: 20 }, () => 1),
  );
  expect(race.rungs).toEqual([1, 3]);
});

test('in ASHA, a trial that reports every fifth step enters the highest rung that it passed', () => {
  const race = new Race(ASHA);
  expect(race.report('a', 5, 1).reason).toBe('1 ranks 1 of 1 at rung 3; the top 1 continues');
  expect(race.report('a', 10, 1).reason).toBe('1 ranks 1 of 1 at rung 9; the top 1 continues');
});

test('ASHA prefers higher values if the metric is maximized', () => {
  const race = new Race(ASHA, { ...LOSS, goal: 'maximize' });
  expect(race.report('a', 1, 0.8).kind).toBe('continue');
  expect(race.report('b', 1, 0.7)).toMatchObject({
    kind: 'stop',
    reason: '0.7 ranks 2 of 2 at rung 1; the top 1 continues',
  });
  expect(race.report('c', 1, 0.9).kind).toBe('continue');
});

test('with metric.at best, ASHA compares the best value of a trial so far', () => {
  const race = new Race({ ...ASHA, minIter: 2 }, { ...LOSS, at: 'best' });
  race.run('a', [3, 5]);
  expect(race.run('b', [2, 9])).toMatchObject({ kind: 'continue', step: 2 });
});

test('ASHA stops no trial in favor of a trial with an equal value', () => {
  const race = new Race(ASHA);
  expect(['a', 'b', 'c'].map((trial) => race.report(trial, 1, 1).kind)).toEqual(['continue', 'continue', 'continue']);
});

test('with distinct values, ASHA stops each trial outside the best 1/eta, and never the best trial so far', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 2, max: 5 }),
      (values, eta) => {
        const race = new Race({ ...ASHA, eta });
        for (const [at, value] of values.entries()) {
          const better = values.slice(0, at).filter((other) => other < value).length;
          const expected = better < keptAt(at + 1, eta) ? 'continue' : 'stop';
          expect(race.report(`t${at}`, 1, value).kind).toBe(expected);
        }
      },
    ),
  );
});

test('in ASHA, a trial that is better than all other trials at every step reaches its last step', () => {
  const curve = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(fc.array(curve, { minLength: 1, maxLength: 20 }), (others) => {
      const race = new Race(ASHA);
      for (const [at, values] of others.entries()) race.run(`t${at}`, values);
      expect(
        race.run(
          'best',
          Array.from({ length: 10 }, () => -1),
        ),
      ).toMatchObject({ kind: 'continue', step: 10 });
    }),
  );
});
