/**
 * Finds and ranks only the best trials or configs of a sweep. Uses the indices of the database, so that a request to a
 * large sweep reads few rows.
 */
import { configsOf, rankConfigs } from '../../lib/domain/configs.ts';
import { rank } from '../../lib/domain/ranking.ts';
import { trialValue } from '../../lib/domain/trial-result.ts';
import type { Config, Sweep } from '../../proto/gen/trawl/v1/types.ts';
import type { GoalName } from '../../proto/names.ts';
import type { Queries } from '../store/queries.ts';

/**
 * The number of configs that are read from the database in addition to `limit`. SQLite may round means differently than
 * `rankConfigs`, and may therefore order configs with almost equal means differently. With the additional configs,
 * `rankConfigs` can correct this order.
 */
const NEAR_TIES = 100;

export interface BestRequest {
  /** The ranking metric of the sweep. */
  readonly metric: string;
  readonly goal: GoalName;
  /** Positive. */
  readonly limit: number;
}

/**
 * Returns the best trials, each as its index in the sweep and its rank. Undefined if fewer than `limit` trials have a
 * value.
 */
export async function bestTrials(
  queries: Queries,
  { id }: Sweep,
  { metric, goal, limit }: BestRequest,
): Promise<(readonly [index: number, rank: number])[] | undefined> {
  const running = (await queries.trials.runningResults(id)).flatMap((trial) => {
    const value = trialValue(trial, metric);
    return value === undefined ? [] : [{ index: trial.index, value }];
  });
  const candidates = [...(await queries.trials.bestResults(id, goal, limit)), ...running];
  if (candidates.length < limit) return undefined;
  return rank(candidates, ({ value }) => value, goal)
    .slice(0, limit)
    .map(([{ index }, place]) => [index, place]);
}

/** Returns the best configs with their ranks. Undefined if fewer than `limit` configs have a value. */
export async function bestConfigs(
  queries: Queries,
  { id, replicates }: Sweep,
  { metric, goal, limit }: BestRequest,
): Promise<Config[] | undefined> {
  const ended =
    replicates === 1
      ? await configsOfBest(queries, id, goal, limit)
      : await queries.trials.bestConfigs(id, goal, limit + NEAR_TIES);
  const running = (await queries.trials.runningResults(id)).map(({ configId }) => configId);
  const trials = await queries.trials.ofConfigs(id, [...new Set([...ended, ...running])]);
  const ranked = rankConfigs(configsOf(trials), metric, goal).filter((config) => config.rank > 0);
  return ranked.length < limit ? undefined : ranked.slice(0, limit);
}

/** Returns the ids of up to `limit` best configs. Only for sweeps whose configs have one trial each. */
async function configsOfBest(queries: Queries, sweepId: string, goal: GoalName, limit: number): Promise<string[]> {
  const best = await queries.trials.bestResults(sweepId, goal, limit);
  const indices = best.map(({ index }) => index);
  return (await queries.trials.byIndices(sweepId, indices)).map(({ configId }) => configId);
}
