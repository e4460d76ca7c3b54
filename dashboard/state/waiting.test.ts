import { expect, test } from 'vitest';
import type { Agent, Trial } from '../../proto/gen/trawl/v1/types.ts';
import {
  endedTrial,
  runningTrial,
  sampleAgent,
  sampleSweep,
  snapshot,
  trialAt,
} from '../../test/support/dashboard/sample.ts';
import { EMPTY_STATE, reduce } from './reducer.ts';
import { waitingText } from './waiting.ts';

const waiting = (agents: Agent[], trials: Trial[], sweep = sampleSweep()) =>
  waitingText(reduce(EMPTY_STATE, snapshot(sweep, trials, agents)));

test('the dashboard states why a sweep has no report yet', () => {
  const pending = [trialAt(0)];
  expect(waiting([], pending)).toBe('waiting for an agent to connect');
  expect(waiting([sampleAgent({ state: 'AGENT_STATE_LOST' })], pending)).toBe('waiting for an agent to connect');
  expect(waiting([sampleAgent()], pending)).toBe('waiting for the first trial to start');
  expect(waiting([sampleAgent()], [runningTrial(0, 0, {})])).toBe(
    'the first trials are fetching their data and starting',
  );
});

test('the dashboard states no reason for a sweep that has a report, is paused or has ended', () => {
  expect(waiting([sampleAgent()], [runningTrial(0, 1, { test_loss: 1 }), runningTrial(1, 0, {})])).toBe('');
  expect(waiting([], [endedTrial(0, { test_loss: 1 }), trialAt(1)])).toBe('');
  expect(waiting([], [trialAt(0)], sampleSweep({ state: 'SWEEP_STATE_PAUSED' }))).toBe('');
  expect(waiting([], [trialAt(0)], sampleSweep({ state: 'SWEEP_STATE_KILLED' }))).toBe('');
});
