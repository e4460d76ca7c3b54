import { Goal } from '../proto/gen/trawl/v1/types.ts';

/** What `--goal` takes: the sweep file's words, and short ones. */
export const GOALS = ['minimize', 'maximize', 'min', 'max'] as const;
export type GoalChoice = (typeof GOALS)[number];

/** On the wire; unspecified leaves it to the sweep and the metric. */
export function goalOf(choice: GoalChoice | undefined): Goal {
  if (choice === undefined) return Goal.UNSPECIFIED;
  return choice.startsWith('min') ? Goal.MINIMIZE : Goal.MAXIMIZE;
}
