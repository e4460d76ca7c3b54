import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TrialState } from '../../proto/gen/trawl/v1/types.ts';
import {
  delta,
  endedTrial,
  event,
  runningTrial,
  sampleAgent,
  sampleSweep,
  sampleTrials,
  snapshot,
  trialAt,
} from '../../test/support/dashboard/sample.ts';
import { EMPTY_STATE, MAX_EVENTS, reduce, reduceAll } from './reducer.ts';

const started = reduce(EMPTY_STATE, snapshot());

test('a snapshot sets the sweep, its trials, the agents and the varying parameters', () => {
  expect(started.sweep?.name).toBe('autoencoders');
  expect(started.trials.size).toBe(8);
  expect(started.agents.map((agent) => agent.id)).toEqual(['agent-1']);
  expect(started.varying).toEqual(['latent_dim', 'noise_std']);
});

test('a trial in a delta replaces only the trial with the same id', () => {
  const after = reduce(started, delta({ trials: [runningTrial(2, 1, { test_loss: 0.1 })] }));
  expect(after.trials.get(trialAt(2).id)?.state).toBe(TrialState.RUNNING);
  expect([...after.trials.values()].filter((trial) => trial.state === TrialState.PENDING)).toHaveLength(7);
  expect(started.trials.get(trialAt(2).id)?.state).toBe(TrialState.PENDING);
});

test('a delta without a sweep or agents keeps the previous sweep or agents', () => {
  const after = reduce(started, delta({ trials: [trialAt(0)] }));
  expect(after.sweep).toBe(started.sweep);
  expect(after.agents).toBe(started.agents);
});

test('if a delta contains agents, they replace all previous agents', () => {
  const after = reduce(started, delta({ agents: [sampleAgent({ id: 'agent-2' })] }));
  expect(after.agents.map((agent) => agent.id)).toEqual(['agent-2']);
});

test('a second snapshot removes the trials that it does not contain', () => {
  const after = reduce(started, snapshot(sampleSweep(), sampleTrials().slice(0, 3)));
  expect(after.trials.size).toBe(3);
});

test('a snapshot that arrives in parts gives the same varying parameters as a snapshot in one message', () => {
  const [first, ...rest] = sampleTrials();
  const parts = [snapshot(sampleSweep(), first ? [first] : []), ...rest.map((trial) => delta({ trials: [trial] }))];
  const after = reduceAll(EMPTY_STATE, parts).state;
  expect(after.varying).toEqual(started.varying);
  expect(after.trials).toEqual(started.trials);
});

test('the changed rows are the rows of all deltas, in order; if an update is a snapshot, all rows count as changed', () => {
  const rows = [runningTrial(0, 1, { train_loss: 0.5 }), runningTrial(0, 2, { train_loss: 0.2 })];
  const updates = rows.map((trial) => delta({ trials: [trial] }));
  expect(reduceAll(started, updates).changed).toEqual(rows);
  expect(reduceAll(started, [...updates, snapshot(), ...updates]).changed).toBeUndefined();
});

test('a limited number of events is kept, and scheduling events are dropped', () => {
  const events = Array.from({ length: MAX_EVENTS * 2 }, (_, i) => event(i % 2 ? 'granted' : 'offered', trialAt(0), i));
  const after = reduce(started, delta({ events: [...events, ...events] }));
  expect(after.events).toHaveLength(MAX_EVENTS);
  expect(after.events.every((one) => one.kind === 'granted')).toBe(true);
});

test('updates give the same state, whether they are applied one by one or in groups', () => {
  const pool = [
    snapshot(),
    delta({ trials: [runningTrial(0, 1, { train_loss: 1 })], events: [event('granted', runningTrial(0, 0, {}), 1)] }),
    delta({ trials: [endedTrial(0, { train_loss: 0.5 })], events: [event('ended', endedTrial(0, {}), 2)] }),
    delta({ sweep: sampleSweep({ reason: 'why' }), agents: [sampleAgent({ busy: 0 })] }),
    snapshot(sampleSweep(), sampleTrials().slice(0, 2)),
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pool), { maxLength: 12 }), fc.nat(12), (updates, cut) => {
      const oneByOne = updates.reduce(reduce, EMPTY_STATE);
      const folded = reduceAll(reduceAll(EMPTY_STATE, updates.slice(0, cut)).state, updates.slice(cut)).state;
      expect(folded).toEqual(oneByOne);
    }),
    { numRuns: 200 },
  );
});
