/** The rows of the errors view: the failed trials of the sweep, grouped by failure class and error. */
import { type FailureGroup, failureGroups } from '../../lib/domain/failure-groups.ts';
import { parameterText, SEED } from '../../lib/domain/parameters.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { DashboardState } from './reducer.ts';
import type { TrialMap } from './trial-map.ts';

const known = new WeakMap<TrialMap, readonly FailureGroup[]>();

/**
 * Returns the groups of failed trials, largest first. The trials of a group are in order of index. Caches the groups
 * until a trial changes.
 */
export function failureRows({ trials }: Pick<DashboardState, 'trials'>): readonly FailureGroup[] {
  const cached = known.get(trials);
  if (cached !== undefined) return cached;
  const failed = [...trials.values()].filter(({ state }) => state === 'TRIAL_STATE_FAILED');
  const groups = failureGroups(failed.sort((a, b) => a.index - b.index));
  known.set(trials, groups);
  return groups;
}

/** An id that stays the same while the trials of the group change. */
export const failureGroupId = ({ class: name, pattern }: FailureGroup): string => `${name}: ${pattern}`;

/** Returns the trial that failed last in the group. */
export function newestFailure({ trials }: FailureGroup): Trial | undefined {
  const [first, ...rest] = trials;
  return rest.reduce((newest, trial) => (newest && trial.endedAtMs <= newest.endedAtMs ? newest : trial), first);
}

/**
 * Returns the parameters, except the seed, that differ between the trials of the sweep and are equal in all trials of
 * the group, as `name=value`. Empty if the group has only one trial, because all parameters would then be equal.
 * @param varying the names of the parameters that differ between the trials of the sweep
 */
export function sharedByGroup({ trials }: FailureGroup, varying: readonly string[]): string[] {
  const [first, ...rest] = trials;
  if (first === undefined || rest.length === 0) return [];
  return varying
    .filter((name) => name !== SEED)
    .flatMap((name) => {
      const text = parameterText(first, name);
      return rest.every((trial) => parameterText(trial, name) === text) ? [`${name}=${text}`] : [];
    });
}

/**
 * Returns the next or previous trial in the group of a failed trial. Undefined at the ends of the group, and for a
 * trial that has not failed.
 */
export function groupNeighbor(groups: readonly FailureGroup[], trialId: string, by: 1 | -1): string | undefined {
  for (const { trials } of groups) {
    const at = trials.findIndex(({ id }) => id === trialId);
    if (at >= 0) return at + by < 0 ? undefined : trials[at + by]?.id;
  }
  return undefined;
}
