/** Ranks the trials of a sweep with several objectives. */
import type { Losses } from '../../lib/domain/hypervolume.ts';
import { lossesOf, type Objective, rankByLosses } from '../../lib/domain/pareto.ts';
import { objectivesOf } from '../../lib/domain/ranking.ts';
import { trialValue } from '../../lib/domain/trial-result.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { ListConfigsRequest, ListTrialsRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';

/** The indices of trials, best first, and their ranks. */
export interface RankedIndices {
  readonly indices: Uint32Array;
  readonly places: Uint32Array;
  /**
   * The front of each trial (1 is the Pareto front), or 0 if the trial lacks a value of an objective. Undefined
   * unless the trials are ranked by several objectives.
   */
  readonly fronts?: Uint32Array;
}

/**
 * Returns the objectives by which the rows of the answer are ranked. Empty if the rows are ranked by a single metric.
 * @throws {BadInputError} if the request has a goal but no metric, and the sweep has several objectives
 */
export function requestedObjectives(
  sweep: Pick<Sweep, 'objectives'>,
  { rankBy, goal }: Pick<ListConfigsRequest, 'rankBy' | 'goal'>,
): Objective[] {
  if (rankBy !== '') return [];
  const objectives = objectivesOf(sweep);
  if (objectives.length > 0 && goal !== 'GOAL_UNSPECIFIED') {
    throw new BadInputError('a goal requires a metric to rank by, because the sweep has several objectives');
  }
  return objectives;
}

type Result = Pick<Trial, 'index' | 'state' | 'metrics' | 'droppedIn'>;

/**
 * Ranks the trials of a sweep. Keeps only the index and the objective values of each trial, because the full rows of a
 * large sweep would need too much memory.
 * @param pages the results of all trials, in order of index
 */
export async function indicesByObjectives(
  pages: AsyncIterable<readonly Result[]>,
  objectives: readonly Objective[],
  { states, limit }: Pick<ListTrialsRequest, 'states' | 'limit'>,
): Promise<RankedIndices> {
  const goals = objectives.map(({ goal }) => goal);
  const items: { readonly index: number; readonly losses: Losses | undefined; readonly isWanted: boolean }[] = [];
  for await (const page of pages) {
    for (const trial of page) {
      const values = objectives.map(({ name }) => trialValue(trial, name));
      const isWanted = states.length === 0 || states.includes(trial.state);
      items.push({ index: trial.index, losses: lossesOf(values, goals), isWanted });
    }
  }
  const needed = limit === 0 || states.length > 0 ? undefined : limit;
  const ranked = rankByLosses(items, ({ losses }) => losses, needed)
    .filter(([{ isWanted }]) => isWanted)
    .slice(0, limit === 0 ? undefined : limit);
  return {
    indices: Uint32Array.from(ranked, ([{ index }]) => index),
    places: Uint32Array.from(ranked, ([, { place }]) => place),
    fronts: Uint32Array.from(ranked, ([, { front }]) => front),
  };
}
