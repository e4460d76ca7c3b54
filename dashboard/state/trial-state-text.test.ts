import { expect, test } from 'vitest';
import { FailureClass, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { trialAt } from '../../test/support/dashboard/sample.ts';
import { configState, failedText, trialStateText } from './trial-state-text.ts';

const failed = (index: number, kind: FailureClass) =>
  trialAt(index, { state: TrialState.FAILED, failure: { class: kind, message: '' } });

test('the state of a failed trial includes its failure class, but the state of a retried trial does not', () => {
  expect(trialStateText(failed(0, FailureClass.OOM))).toBe('failed (oom)');
  expect(trialStateText({ ...failed(0, FailureClass.OOM), state: TrialState.PENDING })).toBe('pending');
  expect(trialStateText(trialAt(0, { state: TrialState.FAILED }))).toBe('failed (unknown)');
});

test('the state of failed replicates includes each failure class once', () => {
  const trials = [failed(0, FailureClass.NAN), trialAt(1), failed(2, FailureClass.OOM), failed(3, FailureClass.NAN)];
  expect(failedText(trials)).toBe('failed (nan, oom)');
});

test('an offered trial is shown as pending, and counts as a pending replicate of its config', () => {
  const offered = trialAt(0, { state: TrialState.OFFERED });
  expect(trialStateText(offered)).toBe('pending');
  expect(configState([offered, trialAt(1)])).toEqual({ state: 'pending', count: 2 });
});
