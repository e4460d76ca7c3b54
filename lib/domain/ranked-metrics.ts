import { Goal, type Sweep, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type GoalName, goal, trialState } from '../../proto/names.ts';
import { usualGoal } from './goals.ts';

export interface RankedMetric {
  readonly name: string;
  readonly goal: GoalName;
}

function goalOf(name: string, sweep: Sweep): GoalName {
  if (sweep.metric?.name === name && sweep.metric.goal !== Goal.UNSPECIFIED) return goal.of(sweep.metric.goal);
  return usualGoal(name);
}

/**
 * The two metrics that the leaderboard ranks by: the sweep's own and `psnr`, or the test loss where psnr is the sweep's
 * own. One only where no trial has reported the second.
 * @param reported names of metrics that trials have reported
 */
export function rankedMetrics(sweep: Sweep, reported: readonly string[]): RankedMetric[] {
  const own = sweep.metric?.name ?? 'test_loss';
  const second = own === 'psnr' ? 'test_loss' : 'psnr';
  const ranked = [{ name: own, goal: goalOf(own, sweep) }];
  return reported.includes(second) ? [...ranked, { name: second, goal: goalOf(second, sweep) }] : ranked;
}

function value(trial: Trial, metric: RankedMetric): number | undefined {
  const state = trialState.of(trial.state);
  if (state === 'failed' || state === 'cancelled') return undefined;
  const found = trial.metrics[metric.name];
  return found !== undefined && Number.isFinite(found) ? found : undefined;
}

/**
 * The trials that have a finite value of the metric, best first; equals in order of index. Failed and cancelled trials
 * have no place; a running one has that of its latest epoch.
 */
export function rankTrials(trials: Iterable<Trial>, metric: RankedMetric): Trial[] {
  const sign = metric.goal === 'minimize' ? 1 : -1;
  return [...trials]
    .flatMap((trial) => {
      const found = value(trial, metric);
      return found === undefined ? [] : [{ trial, key: sign * found }];
    })
    .sort((a, b) => a.key - b.key || a.trial.index - b.trial.index)
    .map(({ trial }) => trial);
}

/** Places by trial id, from 1; trials with equal values share theirs. */
export function placesOf(trials: Iterable<Trial>, metric: RankedMetric): Map<string, number> {
  const places = new Map<string, number>();
  let place = 0;
  let last: number | undefined;
  rankTrials(trials, metric).forEach((trial, i) => {
    const own = trial.metrics[metric.name];
    if (own !== last) place = i + 1;
    last = own;
    places.set(trial.id, place);
  });
  return places;
}
