import fc from 'fast-check';
import { expect, test } from 'vitest';
import { configsOf, rankConfigs } from '../../lib/domain/configs.ts';
import { toWire } from '../../lib/domain/parameters.ts';
import { configSpread } from '../../lib/domain/trial-result.ts';
import { Goal, Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { goal as goalNames } from '../../proto/names.ts';
import { sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { EMPTY_BOARD, updateBoard } from './board.ts';
import { rankOf } from './order.ts';
import { EMPTY_STATE, reduce } from './reducer.ts';

type Goals = typeof Goal.MINIMIZE | typeof Goal.MAXIMIZE;

interface Shown {
  readonly id: string;
  readonly place: number;
  readonly mean: number;
  readonly std: number;
  readonly n: number;
}

function bestOf(trials: readonly Trial[], goal: Goals): Shown[] {
  return rankConfigs(configsOf(trials), 'test_loss', goalNames.of(goal)).flatMap(({ id, rank, metrics }) => {
    const spread = metrics.test_loss;
    return rank === 0 || spread === undefined ? [] : [{ id, place: rank, ...spread }];
  });
}

function leaderboardOf(trials: readonly Trial[], goal: Goals): Shown[] {
  const sweep = sampleSweep({ metric: { name: 'test_loss', goal } });
  const state = reduce(EMPTY_STATE, snapshot(sweep, [...trials]));
  const [order] = updateBoard(EMPTY_BOARD, state, undefined).ranked;
  if (order === undefined) throw new Error('the board has no ranking');
  return order.rows.flatMap((row, at) => {
    const spread = configSpread(row.trials, 'test_loss');
    const place = rankOf(order, order.keys[at] ?? Number.NaN);
    return spread === undefined ? [] : [{ id: row.id, place, ...spread, mean: order.keys[at] ?? Number.NaN }];
  });
}

const trial = (index: number, configId: string, state: TrialState, loss: number | undefined): Trial =>
  Trial.fromPartial({
    sweepId: '7',
    id: `trial-${index}`,
    configId,
    index,
    seed: (index * 7) % 5,
    parameters: toWire({ x: configId }),
    state,
    metrics: loss === undefined ? {} : { test_loss: loss },
  });

const { PENDING, OFFERED, RUNNING, SUCCEEDED, STOPPED, FAILED, CANCELLED } = TrialState;

test('`trawl best` and the leaderboard agree on replicates, ties, failures and missing values in a running sweep', () => {
  const trials = [
    trial(0, 'a', SUCCEEDED, 0.4),
    trial(1, 'a', RUNNING, 0.1),
    trial(2, 'b', RUNNING, 0.2),
    trial(3, 'b', RUNNING, 0.4),
    trial(4, 'b', PENDING, 9),
    trial(5, 'c', STOPPED, 0.4),
    trial(6, 'c', FAILED, 0.01),
    trial(7, 'd', SUCCEEDED, Number.NaN),
    trial(8, 'e', CANCELLED, 0.01),
    trial(9, 'f', SUCCEEDED, undefined),
    trial(10, 'g', SUCCEEDED, 0.1),
    trial(11, 'g', SUCCEEDED, 0.1),
    trial(12, 'g', SUCCEEDED, 0.1),
  ];
  const best = bestOf(trials, Goal.MINIMIZE);
  expect(best).toEqual([
    { id: 'g', place: 1, mean: 0.1, std: 0, n: 3 },
    { id: 'b', place: 2, mean: expect.closeTo(0.3, 12), std: expect.closeTo(Math.sqrt(0.02), 12), n: 2 },
    { id: 'a', place: 3, mean: 0.4, std: 0, n: 1 },
    { id: 'c', place: 3, mean: 0.4, std: 0, n: 1 },
  ]);
  expect(leaderboardOf(trials, Goal.MINIMIZE)).toEqual(best);
});

test('`trawl best` and the leaderboard rank any set of trials identically', () => {
  const states = fc.constantFrom(PENDING, OFFERED, RUNNING, SUCCEEDED, STOPPED, FAILED, CANCELLED);
  const loss = fc.option(
    fc.oneof(fc.constantFrom(0.1, 0.2, 0.3, Number.NaN, Number.POSITIVE_INFINITY), fc.double({ noNaN: true })),
    { nil: undefined },
  );
  const configs = fc.constantFrom('a', 'b', 'c', 'd', 'e', '');
  const goals = fc.constantFrom<Goals>(Goal.MINIMIZE, Goal.MAXIMIZE);
  fc.assert(
    fc.property(fc.array(fc.tuple(configs, states, loss), { maxLength: 30 }), goals, (all, goal) => {
      const trials = all.map(([configId, state, value], index) => trial(index, configId, state, value));
      const shown = leaderboardOf(trials, goal);
      expect(shown).toEqual(bestOf(trials, goal));
      expect(leaderboardOf(trials.toReversed(), goal)).toEqual(shown);
      expect(bestOf(trials.toReversed(), goal)).toEqual(shown);
    }),
    { numRuns: 500 },
  );
});
