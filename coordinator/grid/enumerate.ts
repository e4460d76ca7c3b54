/** Enumerates the trials of a sweep that do not depend on results. */
import { BadInputError } from '../../proto/errors.ts';
import type { PlannedTrial } from '../search/trial-source.ts';
import type { SweepSpec } from './spec.ts';
import { allSteps } from './trials.ts';

/**
 * Yields the distinct trials in the order in which a coordinator creates them. In grid order, the last axis varies
 * fastest. The replicates of a config are consecutive. The memory grows with the number of trials taken.
 * @throws {BadInputError} if the sweep has no trials, or after the first trials of a search whose points depend on
 * results
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

export function noTrials({ name }: Pick<SweepSpec, 'name'>): BadInputError {
  return new BadInputError(`sweep ${name} has no trials: exclude drops every point`);
}
