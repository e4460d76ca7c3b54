/** Groups failed trials by their error. */
import { ascending, descending, groups, rollups } from 'd3-array';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type FailureClassName, failureClass } from '../../proto/names.ts';
import { firstLine } from '../text/visible-text.ts';

export interface FailureGroup {
  readonly class: FailureClassName | 'unknown';
  /**
   * The error, which is the first line of the message. The other lines of the message differ between trials. The error
   * is empty if the failure has no message.
   */
  readonly message: string;
  /** The failed trials of the group, at least one, in the order of the input. */
  readonly trials: readonly Trial[];
  /** The agents of the last attempts, by number of trials and then by name. A trial without an agent adds no agent. */
  readonly agents: readonly string[];
}

/** Returns the class of a trial's failure; `unknown` if the trial has no failure. */
export function failureClassOf({ failure }: Pick<Trial, 'failure'>): FailureGroup['class'] {
  return failure === undefined ? 'unknown' : failureClass.of(failure.class);
}

/**
 * Groups the failed trials by failure class and error, largest group first, then by class and error. Trials that did
 * not fail are ignored.
 */
export function failureGroups(trials: readonly Trial[]): FailureGroup[] {
  const failed = trials.filter(({ state }) => state === 'TRIAL_STATE_FAILED');
  return groups(failed, failureClassOf, errorOf)
    .flatMap(([name, byMessage]) =>
      byMessage.map(([message, members]) => ({ class: name, message, trials: members, agents: agentsOf(members) })),
    )
    .sort(
      (a, b) =>
        descending(a.trials.length, b.trials.length) || ascending(a.class, b.class) || ascending(a.message, b.message),
    );
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
