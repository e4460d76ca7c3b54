/** Formats the state of a trial for tables. */

import { failureClassOf } from '../../lib/domain/failure-groups.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';

/** Returns the state of a trial, with the class of a failure, such as `running` or `failed (oom)`. */
export function trialStateText(trial: Trial): string {
  const state = trialState.of(trial.state);
  return state === 'failed' ? failedText([trial]) : state;
}

/** Returns `failed` with the failure classes of the failed trials, such as `failed (oom, nan)`. */
export function failedText(trials: readonly Trial[]): string {
  const failed = trials.filter(({ state }) => state === 'TRIAL_STATE_FAILED');
  return `failed (${[...new Set(failed.map(failureClassOf))].join(', ')})`;
}
