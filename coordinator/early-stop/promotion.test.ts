import { ascending } from 'd3-array';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  enterRung,
  isWaitingAt,
  newPromotionRung,
  promoteBest,
  promotedAt,
  promoteFrom,
  promotionRank,
  type WaitingTrial,
} from './promotion.ts';

const waitingTrials = (scores: readonly number[]): WaitingTrial[] =>
  scores.map((score, at) => ({ trialId: `t${at}`, score }));

const LIVE = () => true;

/** Enters the trials into a rung in order, and returns the ids of the trials that each entry promotes. */
function promotions(all: readonly WaitingTrial[], eta: number, isLive: (id: string) => boolean = LIVE): string[][] {
  const rung = newPromotionRung();
  return all.map((trial) => {
    enterRung(rung, trial);
    return promoteBest(rung, eta, isLive).map(({ trialId }) => trialId);
  });
}

test('no trial is promoted before eta trials have reached the rung', () => {
  expect(promotions(waitingTrials([5, 4, 3, 2]), 3)).toEqual([[], [], ['t2'], ['t3']]);
});

test('a trial that waits is promoted when enough worse trials have reached the rung', () => {
  expect(promotions(waitingTrials([1, 5, 6, 2, 7, 8]), 3)).toEqual([[], [], ['t0'], [], [], ['t3']]);
});

test('a trial that has ended keeps its rank, and is not promoted', () => {
  const promoted = promotions(waitingTrials([1, 2, 3, 4]), 2, (id) => id !== 't0');
  expect(promoted).toEqual([[], [], [], ['t1']]);
});

test('trials with equal scores are promoted in the order of their ids, and at most 1/eta of the rung is promoted', () => {
  expect(promotions(waitingTrials([1, 1, 1, 1, 1, 1]), 2)).toEqual([[], ['t0'], [], ['t1'], [], ['t2']]);
});

test('the rank of a trial counts all better trials of the rung', () => {
  const rung = newPromotionRung();
  const all = waitingTrials([3, 1, 2, 2]);
  for (const trial of all) enterRung(rung, trial);
  expect(all.map((trial) => promotionRank(rung, trial))).toEqual([4, 1, 2, 3]);
  promoteFrom(rung, { trialId: 't3', score: 2 });
  expect(promotionRank(rung, { trialId: 't2', score: 2 })).toBe(3);
  expect(isWaitingAt(rung, { trialId: 't3', score: 2 })).toBe(false);
});

const scores = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 60 });

test('after each entry, no live trial in the best 1/eta is still waiting, and no trial has been promoted twice', () => {
  fc.assert(
    fc.property(scores, fc.integer({ min: 2, max: 5 }), fc.func(fc.boolean()), (values, eta, dead) => {
      const isLive = (id: string) => !dead(id);
      const rung = newPromotionRung();
      const promoted = new Set<string>();
      for (const [at, trial] of waitingTrials(values).entries()) {
        enterRung(rung, trial);
        const count = promotedAt(at + 1, eta);
        const bound = [...values.slice(0, at + 1)].sort(ascending)[count - 1] ?? Number.NEGATIVE_INFINITY;
        for (const { trialId, score } of promoteBest(rung, eta, isLive)) {
          expect(promoted.has(trialId)).toBe(false);
          promoted.add(trialId);
          expect(score).toBeLessThanOrEqual(bound);
        }
        for (const waiting of rung.waiting.filter(({ trialId }) => isLive(trialId))) {
          expect(promotionRank(rung, waiting)).toBeGreaterThan(count);
        }
        expect(rung.waiting.length + rung.promoted.length).toBe(at + 1);
      }
    }),
  );
});

test('with distinct scores, a rung that is loaded again after each entry promotes the same trials as a rung that is not', () => {
  const distinct = fc.uniqueArray(fc.integer(), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(distinct, fc.integer({ min: 2, max: 4 }), (values, eta) => {
      const promoted = new Set<string>();
      const expected = promotions(waitingTrials(values), eta);
      for (const at of values.keys()) {
        const rung = newPromotionRung();
        for (const trial of waitingTrials(values.slice(0, at + 1)).toReversed()) {
          enterRung(rung, trial);
          if (promoted.has(trial.trialId)) promoteFrom(rung, trial);
        }
        const ids = promoteBest(rung, eta, LIVE).map(({ trialId }) => trialId);
        expect(ids).toEqual(expected[at]);
        for (const id of ids) promoted.add(id);
      }
    }),
  );
});
