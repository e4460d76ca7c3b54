import type { TrialStateName } from '../../proto/names.ts';

/** Whether what a trial in this state reported last is its result. What failed or was cancelled midway has none. */
export function isResult(state: TrialStateName): boolean {
  return state === 'succeeded' || state === 'stopped';
}
