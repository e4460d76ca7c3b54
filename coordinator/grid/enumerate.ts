/** Enumerates the trials of a sweep that do not depend on results. */
import { formatCount } from '../../lib/text/numbers.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { PlannedTrial, SourceState } from '../search/trial-source.ts';
import { canAddReplicates } from './adaptive-trials.ts';
import { type SweepSpec, usesResults } from './spec.ts';
import { allSteps, initialState, MAX_REPEATED_POINTS, nextStep } from './trials.ts';

/**
 * Yields the distinct trials in the order in which a coordinator creates them. In grid order, the last axis varies
 * fastest. The replicates of a config are consecutive. With adaptive replicates, only the minimum number of replicates
 * per config is yielded. Memory use grows with the number of yielded trials.
 * @throws {BadInputError} if the sweep has no trials, or as soon as the next trial would depend on results (TPE: after
 * its initial random configs; Optuna and warm_start: at once)
 */
export function* enumerateTrials(spec: SweepSpec): Generator<PlannedTrial, void, undefined> {
  let isEmpty = true;
  for (const step of allSteps(spec)) {
    if (step.kind === 'dropped') continue;
    isEmpty = false;
    yield step.trial;
  }
  if (isEmpty) throw noTrials(spec);
}

export function noTrials(spec: Pick<SweepSpec, 'name' | 'search'>): BadInputError {
  return new BadInputError(`sweep ${spec.name} has no trials: ${noPointsReason(spec)}`);
}

/** Returns the reason why a sweep has no trials. For a search, the reason covers only the points that were drawn. */
export function noPointsReason({ search }: Pick<SweepSpec, 'search'>): string {
  if (search === undefined) return 'exclude drops every point';
  return `exclude drops each of the first ${formatCount(MAX_REPEATED_POINTS)} points of the search`;
}

interface FirstTrials {
  readonly trials: readonly PlannedTrial[];
  readonly state: SourceState;
  /** Whether the sweep has no further trials. */
  readonly done: boolean;
}

/**
 * Returns the trials to create when a sweep is submitted. Returns no trials for a search that uses results.
 * @param limit the maximum number of trials, and the maximum number of points including dropped points
 */
export function firstTrials(spec: SweepSpec, limit: { readonly trials: number; readonly points: number }): FirstTrials {
  if (usesResults(spec.search)) return { trials: [], state: initialState(spec), done: false };
  const trials: PlannedTrial[] = [];
  const known = new Set<string>();
  let state = initialState(spec);
  for (let points = 0; points < limit.points && trials.length < limit.trials; points++) {
    const step = nextStep(spec, state, (trialId) => known.has(trialId));
    if (step.kind === 'done') return { trials, state, done: !canAddReplicates(spec, state) };
    if (step.kind === 'wait') break;
    state = step.state;
    if (step.kind === 'dropped') continue;
    known.add(step.trial.trialId);
    trials.push(step.trial);
  }
  return { trials, state, done: false };
}
