import { expect, test } from 'vitest';
import { AttemptOutcome, FailureClass, TrialState } from './gen/trawl/v1/types.ts';
import { attemptOutcome, failureClass, trialState } from './names.ts';

test('short names and wire values convert to each other', () => {
  const known = <T extends string>(values: Record<string, T>) =>
    Object.values(values).filter((value) => value !== 'UNRECOGNIZED');
  for (const state of known(TrialState)) expect(trialState.to(trialState.of(state))).toBe(state);
  for (const failure of known(FailureClass)) expect(failureClass.to(failureClass.of(failure))).toBe(failure);
  for (const outcome of known(AttemptOutcome)) expect(attemptOutcome.to(attemptOutcome.of(outcome))).toBe(outcome);
});

test('a short name is the end of the wire value in lower case', () => {
  expect(trialState.of('TRIAL_STATE_PENDING')).toBe('pending');
  expect(failureClass.to('oom')).toBe('FAILURE_CLASS_OOM');
});
