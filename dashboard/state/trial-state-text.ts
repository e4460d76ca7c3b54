/** Determines and formats the states of trials and configs for tables. */

import { failureClassOf } from '../../lib/domain/failure-groups.ts';
import { shownState } from '../../lib/domain/trial-state.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { TrialStateName } from '../../proto/names.ts';

/** Returns the state of a trial, such as `running`. For a failed trial, the failure class is added: `failed (oom)`. */
export function trialStateText(trial: Trial): string {
  const state = shownState(trial.state);
  return state === 'failed' ? failedText([trial]) : state;
}

/** Returns `failed` with the failure classes of the failed trials, such as `failed (oom, nan)`. */
export function failedText(trials: readonly Trial[]): string {
  const failed = trials.filter(({ state }) => state === 'TRIAL_STATE_FAILED');
  return `failed (${[...new Set(failed.map(failureClassOf))].join(', ')})`;
}

const PRECEDENCE: readonly TrialStateName[] = [
  'running',
  'interrupted',
  'failed',
  'pending',
  'held',
  'cancelled',
  'stopped',
  'succeeded',
];

/** Returns the most important state among a config's replicates, and the number of replicates in this state. */
export function configState(trials: readonly [Trial, ...Trial[]]): {
  readonly state: TrialStateName;
  readonly count: number;
} {
  if (trials.length === 1) return { state: shownState(trials[0].state), count: 1 };
  const states = trials.map((trial) => shownState(trial.state));
  const state = PRECEDENCE.find((name) => states.includes(name)) ?? 'pending';
  return { state, count: states.filter((name) => name === state).length };
}
