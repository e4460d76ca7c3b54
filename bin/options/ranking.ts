/** Converts ranking and filter options such as `--goal max` and `--filter 'psnr>20 and depth=3'`. */
import { InvalidArgumentError } from 'commander';
import { FIELD_NAMES, hasField, matches } from '../../lib/filter/matches.ts';
import { type Filter, namesIn, parseFilter } from '../../lib/filter/parse.ts';
import { BadInputError } from '../../proto/errors.ts';
import { Goal, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { GoalChoice } from './common.ts';

/** Converts `--goal` to its protocol value. Without the option, the coordinator chooses the goal. */
export function goalFromOption(choice: GoalChoice | undefined): Goal {
  if (choice === undefined) return Goal.UNSPECIFIED;
  return choice.startsWith('min') ? Goal.MINIMIZE : Goal.MAXIMIZE;
}

/** Parses a filter expression. */
export function filterOption(text: string): Filter {
  try {
    return parseFilter(text);
  } catch (error) {
    if (error instanceof BadInputError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/**
 * Returns the trials that match the filter.
 * @throws {BadInputError} when the filter names a field, a metric or a parameter that no trial has
 */
export function filterTrials(trials: readonly Trial[], filter: Filter): Trial[] {
  const unknown = namesIn(filter).find((name) => !trials.some((trial) => hasField(trial, name)));
  if (unknown === undefined || trials.length === 0) return trials.filter((trial) => matches(filter, trial));
  const known = new Set(trials.flatMap((trial) => [...Object.keys(trial.metrics), ...Object.keys(trial.parameters)]));
  throw new BadInputError(
    `--filter: no trial has ${JSON.stringify(unknown)}; known names: ${[...known].sort().join(', ')}, ${FIELD_NAMES.join(', ')}`,
  );
}
