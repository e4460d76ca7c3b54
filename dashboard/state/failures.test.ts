import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FailureGroup } from '../../lib/domain/failure-groups.ts';
import { type Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { delta, sampleSweep, sampleTrials, snapshot, trialAt } from '../../test/support/dashboard/sample.ts';
import { failureGroupId, failureRows, groupNeighbor, newestFailure, sharedByGroup } from './failures.ts';
import { EMPTY_STATE, reduce } from './reducer.ts';

const failed = (index: number, message: string, endedAtMs = 0): Trial =>
  trialAt(index, { state: TrialState.FAILED, failure: { class: 'FAILURE_CLASS_OOM', message }, endedAtMs });

const groupOf = (...trials: Trial[]): FailureGroup => ({
  class: 'oom',
  pattern: 'm',
  message: 'm',
  trials,
  agents: [],
});

test('the groups of failures are updated when the trials change, and are cached until the next change', () => {
  const state = reduce(EMPTY_STATE, snapshot(sampleSweep(), sampleTrials()));
  expect(failureRows(state)).toEqual([]);
  const one = reduce(state, delta({ trials: [failed(0, 'no memory\nstep 1')] }));
  expect(failureRows(one)).toMatchObject([{ class: 'oom', message: 'no memory', trials: [{ index: 0 }] }]);
  expect(failureRows(one)).toBe(failureRows(one));
  const two = reduce(one, delta({ trials: [failed(3, 'no memory\nstep 7')] }));
  expect(failureRows(two).map(({ trials }) => trials.map(({ index }) => index))).toEqual([[0, 3]]);
});

test('a group of failures keeps its id when another trial fails with the same error', () => {
  expect(failureGroupId(groupOf(failed(0, 'm')))).toBe(failureGroupId(groupOf(failed(0, 'm'), failed(1, 'm'))));
  expect(failureGroupId({ ...groupOf(), class: 'crash' })).not.toBe(failureGroupId(groupOf()));
});

test('the newest failure is the trial that ended last', () => {
  expect(newestFailure(groupOf())).toBeUndefined();
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 8 }), (ends) => {
      const group = groupOf(...ends.map((endedAtMs, index) => failed(index, 'm', endedAtMs)));
      expect(newestFailure(group)?.endedAtMs).toBe(Math.max(...ends));
    }),
  );
});

test('a group lists the parameters that vary across the sweep but are equal in all trials of the group', () => {
  // Trials 2 and 3 have latent_dim 30, but different noise.
  const varying = ['latent_dim', 'noise_std', 'seed'];
  expect(sharedByGroup(groupOf(failed(2, 'm'), failed(3, 'm')), varying)).toEqual(['latent_dim=30']);
  expect(sharedByGroup(groupOf(failed(1, 'm'), failed(3, 'm')), varying)).toEqual(['noise_std=0.5']);
  expect(sharedByGroup(groupOf(failed(1, 'm'), failed(2, 'm')), varying)).toEqual([]);
  expect(sharedByGroup(groupOf(failed(1, 'm')), varying)).toEqual([]);
});

test('groupNeighbor returns the next or the previous trial of the same group, and undefined at the ends of the group', () => {
  const [a, b, c] = [failed(0, 'm'), failed(1, 'm'), failed(2, 'other')];
  const groups = [groupOf(a, b), groupOf(c)];
  expect(groupNeighbor(groups, a.id, 1)).toBe(b.id);
  expect(groupNeighbor(groups, b.id, -1)).toBe(a.id);
  expect(groupNeighbor(groups, b.id, 1)).toBeUndefined();
  expect(groupNeighbor(groups, a.id, -1)).toBeUndefined();
  expect(groupNeighbor(groups, c.id, 1)).toBeUndefined();
  expect(groupNeighbor(groups, 'absent', 1)).toBeUndefined();
});
