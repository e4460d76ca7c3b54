import { expect, test } from 'vitest';
import { configsOf, rankConfigsByObjectives } from '../../lib/domain/configs.ts';
import type { Objective } from '../../lib/domain/pareto.ts';
import { goalOf, objectiveText, rankedMetrics, rankTrialsByObjectives } from '../../lib/domain/ranking.ts';
import { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { indicesByObjectives, requestedObjectives } from './objectives.ts';

const OBJECTIVES: readonly Objective[] = [
  { name: 'loss', goal: 'minimize' },
  { name: 'psnr', goal: 'maximize' },
];
const SWEEP = Sweep.fromPartial({
  metric: { name: 'loss', goal: 'GOAL_MINIMIZE' },
  objectives: [
    { name: 'loss', goal: 'GOAL_MINIMIZE' },
    { name: 'psnr', goal: 'GOAL_MAXIMIZE' },
  ],
});

const trialOf = (index: number, metrics: Record<string, number>, state: Trial['state'] = 'TRIAL_STATE_SUCCEEDED') =>
  Trial.fromPartial({ index, id: `t${index}`, configId: `c${index >> 1}`, seed: index % 2, state, metrics });

const TRIALS = [
  trialOf(0, { loss: 5, psnr: 20 }),
  trialOf(1, { loss: 1, psnr: 10 }),
  trialOf(2, { loss: 0, psnr: 0 }),
  trialOf(3, { loss: 6, psnr: 19 }),
  trialOf(4, { loss: 0 }),
  trialOf(5, { loss: 0, psnr: 50 }, 'TRIAL_STATE_FAILED'),
];

async function* pages() {
  yield TRIALS.slice(0, 4);
  yield TRIALS.slice(4);
}

test('trials are ranked by Pareto front, and trials that failed or lack a value of an objective have no rank', async () => {
  const { indices, places, fronts } = await indicesByObjectives(pages(), OBJECTIVES, { states: [], limit: 0 });
  expect([...indices]).toEqual([1, 0, 2, 3, 4, 5]);
  expect([...places]).toEqual([1, 2, 3, 4, 0, 0]);
  expect([...(fronts ?? [])]).toEqual([1, 1, 1, 2, 0, 0]);
  const ranked = rankTrialsByObjectives(TRIALS, OBJECTIVES);
  expect(ranked.map(({ index }) => index)).toEqual([...indices]);
  expect(ranked.map(({ front }) => front)).toEqual([1, 1, 1, 2, undefined, undefined]);
});

test('with a limit, only the best trials are returned, and a filter by state does not change the ranks', async () => {
  const best = await indicesByObjectives(pages(), OBJECTIVES, { states: [], limit: 2 });
  expect([...best.indices]).toEqual([1, 0]);
  const failed = await indicesByObjectives(pages(), OBJECTIVES, { states: ['TRIAL_STATE_FAILED'], limit: 1 });
  expect([[...failed.indices], [...failed.places]]).toEqual([[5], [0]]);
});

test('configs are ranked by the means of their replicates', () => {
  const ranked = rankConfigsByObjectives(configsOf(TRIALS.slice(0, 4)), OBJECTIVES);
  // The means are loss 3 and psnr 15 for c0, and loss 3 and psnr 9.5 for c1.
  expect(ranked.map(({ id, rank, front }) => [id, rank, front])).toEqual([
    ['c0', 1, 1],
    ['c1', 2, 2],
  ]);
});

test('for a sweep with several objectives, a request with a goal but without a metric is rejected', () => {
  expect(requestedObjectives(SWEEP, { rankBy: '', goal: 'GOAL_UNSPECIFIED' })).toEqual(OBJECTIVES);
  expect(requestedObjectives(SWEEP, { rankBy: 'psnr', goal: 'GOAL_MINIMIZE' })).toEqual([]);
  expect(requestedObjectives(Sweep.fromPartial({}), { rankBy: '', goal: 'GOAL_MAXIMIZE' })).toEqual([]);
  expect(() => requestedObjectives(SWEEP, { rankBy: '', goal: 'GOAL_MAXIMIZE' })).toThrow('several objectives');
});

test('a sweep with several objectives is ranked by all of them, and each objective has its own goal', () => {
  expect(rankedMetrics(SWEEP, ['test_loss', 'psnr'])).toEqual(OBJECTIVES);
  expect(goalOf(SWEEP, 'psnr')).toBe('maximize');
  expect(objectiveText(SWEEP)).toBe('minimize loss, maximize psnr');
});
