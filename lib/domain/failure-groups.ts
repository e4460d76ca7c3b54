/** Groups failed trials by their error. */
import { ascending, descending, groups, rollups } from 'd3-array';
import type { Failure, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type FailureClassName, failureClass } from '../../proto/names.ts';
import { firstLine } from '../text/visible-text.ts';
import { errorPattern } from './error-pattern.ts';

export interface FailureGroup {
  readonly class: FailureClassName | 'unknown';
  /** The pattern that the errors of the group have in common. Two groups of the same class have different patterns. */
  readonly pattern: string;
  /**
   * The error of the first trial: the first line of its failure message. The errors of other trials can differ in
   * numbers, addresses or paths. The error is empty if the failure has no message.
   */
  readonly message: string;
  /** The failed trials of the group, at least one, in the order of the input. */
  readonly trials: readonly Trial[];
  /**
   * The agents of the trials' last attempts. The agent with the most trials comes first. Agents with the same number of
   * trials are sorted by name. A trial without an agent is not counted here.
   */
  readonly agents: readonly string[];
}

/** Returns the class of a trial's failure; `unknown` if the trial has no failure. */
export function failureClassOf({ failure }: Pick<Trial, 'failure'>): FailureGroup['class'] {
  return failure === undefined ? 'unknown' : failureClass.of(failure.class);
}

/**
 * Groups the failed trials by failure class and error. The largest group comes first. Groups of the same size are
 * sorted by class, and then by error pattern. Errors that differ only in numbers, addresses or paths are one group.
 * Trials that did not fail are ignored.
 */
export function failureGroups(trials: readonly Trial[]): FailureGroup[] {
  const failed = trials.filter(({ state }) => state === 'TRIAL_STATE_FAILED');
  return groups(failed, failureClassOf, patternOf)
    .flatMap(([name, byPattern]) =>
      byPattern.map(([pattern, members]) => ({
        class: name,
        pattern,
        message: members[0] === undefined ? '' : errorOf(members[0]),
        trials: members,
        agents: agentsOf(members),
      })),
    )
    .sort(
      (a, b) =>
        descending(a.trials.length, b.trials.length) || ascending(a.class, b.class) || ascending(a.pattern, b.pattern),
    );
}

/**
 * A cache of the pattern of each failure. After each change, all failures of a sweep are grouped again, but few of them
 * are new.
 */
const patterns = new WeakMap<Failure, string>();

function patternOf({ failure }: Trial): string {
  if (failure === undefined) return '';
  const pattern = patterns.get(failure) ?? errorPattern(firstLine(failure.message));
  patterns.set(failure, pattern);
  return pattern;
}

const errorOf = ({ failure }: Trial): string => firstLine(failure?.message ?? '');

function agentsOf(trials: readonly Trial[]): string[] {
  const named = trials.filter(({ agentId }) => agentId !== '');
  return rollups(
    named,
    ({ length }) => length,
    ({ agentId }) => agentId,
  )
    .sort(([a, n], [b, m]) => descending(n, m) || ascending(a, b))
    .map(([agent]) => agent);
}
