import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Failure, Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { type FailureClassName, failureClass } from '../../proto/names.ts';
import { failureGroups } from './failure-groups.ts';

const failed = (id: string, name: FailureClassName, message: string, agentId: string): Trial =>
  Trial.fromPartial({
    id,
    state: TrialState.FAILED,
    agentId,
    failure: Failure.fromPartial({ class: failureClass.to(name), message }),
  });

test('failures with the same class and error form one group, even if the programs printed different output', () => {
  const trials = [
    failed('a', 'crash', 'ValueError: bad width\nTraceback, line 10', 'gpu2'),
    failed('b', 'oom', 'no memory left', 'gpu1'),
    failed('c', 'crash', 'ValueError: bad width\nTraceback, line 20', 'gpu1'),
    failed('d', 'crash', 'no memory left', 'gpu1'),
    failed('e', 'crash', 'ValueError: bad width', 'gpu1'),
    Trial.fromPartial({ id: 'f', state: TrialState.SUCCEEDED, agentId: 'gpu1' }),
    Trial.fromPartial({ id: 'g', state: TrialState.FAILED }),
  ];
  const groups = failureGroups(trials).map(({ pattern, ...group }) => ({
    ...group,
    trials: group.trials.map(({ id }) => id),
  }));
  expect(groups).toEqual([
    { class: 'crash', message: 'ValueError: bad width', trials: ['a', 'c', 'e'], agents: ['gpu1', 'gpu2'] },
    { class: 'crash', message: 'no memory left', trials: ['d'], agents: ['gpu1'] },
    { class: 'oom', message: 'no memory left', trials: ['b'], agents: ['gpu1'] },
    { class: 'unknown', message: '', trials: ['g'], agents: [] },
  ]);
});

test('errors that differ only in numbers, addresses or paths form one group, which has the error of the first trial', () => {
  const trials = [
    failed('a', 'crash', 'ValueError: step 17 of /tmp/run-1/a.py at 0x7f00', 'gpu1'),
    failed('b', 'crash', 'ValueError: step 3 of /tmp/run-22/b.py at 0xffee', 'gpu2'),
    failed('c', 'oom', 'ValueError: step 3 of /tmp/run-22/b.py at 0xffee', 'gpu2'),
    failed('d', 'crash', 'python3 exited with code 3', 'gpu1'),
    failed('e', 'crash', 'python3 exited with code 137', 'gpu1'),
  ];
  expect(failureGroups(trials).map(({ message, trials: members }) => [message, members.map(({ id }) => id)])).toEqual([
    ['ValueError: step 17 of /tmp/run-1/a.py at 0x7f00', ['a', 'b']],
    ['python3 exited with code 137', ['e']],
    ['python3 exited with code 3', ['d']],
    ['ValueError: step 3 of /tmp/run-22/b.py at 0xffee', ['c']],
  ]);
});

const anyTrial = fc
  .record({
    state: fc.constantFrom(TrialState.FAILED, TrialState.FAILED, TrialState.RUNNING, TrialState.SUCCEEDED),
    name: fc.constantFrom<FailureClassName>('crash', 'oom', 'timeout'),
    message: fc.constantFrom('', 'x', 'x\nlater', 'y\r\nlater', 'y 1', 'y 20', '__proto__'),
    agentId: fc.constantFrom('', 'one', 'two'),
  })
  .map(({ state, name, message, agentId }) => ({ ...failed('', name, message, agentId), state }));

test('each failed trial is in exactly one group, and no two groups have the same class and error', () => {
  fc.assert(
    fc.property(fc.array(anyTrial, { maxLength: 30 }), (drawn) => {
      const trials = drawn.map((trial, i) => ({ ...trial, id: `t${i}` }));
      const groups = failureGroups(trials);
      const grouped = groups.flatMap((group) => group.trials.map(({ id }) => id));
      const ids = trials.filter(({ state }) => state === TrialState.FAILED).map(({ id }) => id);
      expect(grouped.toSorted()).toEqual(ids.toSorted());
      const keys = groups.map((group) => JSON.stringify([group.class, group.pattern]));
      expect(new Set(keys).size).toBe(keys.length);
      const sizes = groups.map((group) => group.trials.length);
      expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
      for (const { agents, trials: members } of groups) {
        expect(new Set(agents)).toEqual(new Set(members.flatMap(({ agentId }) => agentId || [])));
      }
    }),
  );
});
