import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Attempt, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState, trialState } from '../../proto/names.ts';
import { interruptedAttempt, interruptedSweep, interruptedTrial } from './interrupted.ts';
import { endedTotal, noCounts, sweepEnded, trialEnded, trialTotal } from './trial-state.ts';

const TRIAL_STATES = ['pending', 'offered', 'running', 'succeeded', 'stopped', 'failed', 'cancelled'] as const;
const SWEEP_STATES = ['running', 'paused', 'stopping', 'finished', 'stopped', 'killed'] as const;

test('without a coordinator, running trials are shown as interrupted, offered trials as pending, and other trials keep their state', () => {
  const shown = TRIAL_STATES.map((name) => {
    const trial = interruptedTrial(Trial.fromPartial({ id: 'a', state: trialState.to(name) }));
    return [name, trialState.of(trial.state)];
  });
  expect(Object.fromEntries(shown)).toEqual({
    pending: 'pending',
    offered: 'pending',
    running: 'interrupted',
    succeeded: 'succeeded',
    stopped: 'stopped',
    failed: 'failed',
    cancelled: 'cancelled',
  });
  expect(trialEnded(Trial.fromPartial({ state: 'TRIAL_STATE_INTERRUPTED' }))).toBe(false);
});

test('without a coordinator, a running or stopping sweep is shown as interrupted, and other sweeps keep their state', () => {
  const shown = SWEEP_STATES.map((name) => {
    const sweep = interruptedSweep(Sweep.fromPartial({ state: sweepState.to(name) }));
    expect(sweepEnded(sweep)).toBe(['finished', 'stopped', 'killed'].includes(name));
    return [name, sweepState.of(sweep.state)];
  });
  expect(Object.fromEntries(shown)).toEqual({
    running: 'interrupted',
    paused: 'paused',
    stopping: 'interrupted',
    finished: 'finished',
    stopped: 'stopped',
    killed: 'killed',
  });
});

test('showing a sweep as interrupted does not change its number of trials or its number of ended trials', () => {
  const names = Object.keys(noCounts()).filter((name) => name !== 'interrupted');
  const counts = fc.record(Object.fromEntries(names.map((name) => [name, fc.nat(1_000)])));
  fc.assert(
    fc.property(counts, (some) => {
      const sweep = Sweep.fromPartial({ state: 'SWEEP_STATE_RUNNING', counts: some });
      const shown = interruptedSweep(sweep);
      expect(trialTotal(shown)).toBe(trialTotal(sweep));
      expect(endedTotal(shown)).toBe(endedTotal(sweep));
      expect(shown.counts).toMatchObject({ running: 0, offered: 0, interrupted: some.running });
      expect(interruptedSweep(shown)).toEqual(shown);
    }),
  );
});

test('only an attempt that has not ended is shown as interrupted', () => {
  const outcome = (name: Attempt['outcome']) => interruptedAttempt(Attempt.fromPartial({ outcome: name })).outcome;
  expect(outcome('ATTEMPT_OUTCOME_UNSPECIFIED')).toBe('ATTEMPT_OUTCOME_INTERRUPTED');
  for (const name of ['SUCCEEDED', 'STOPPED', 'FAILED', 'CANCELLED'] as const) {
    expect(outcome(`ATTEMPT_OUTCOME_${name}`)).toBe(`ATTEMPT_OUTCOME_${name}`);
  }
});
