import { expect, test } from 'vitest';
import { labelProblem, MAX_LABELS } from './limits.ts';

test('the name of a label may have a prefix, as in Kubernetes, and its value may have spaces', () => {
  expect(labelProblem({})).toBeUndefined();
  expect(labelProblem({ zone: 'a', 'topology.kubernetes.io/zone': 'eu-1', team: 'vision 2' })).toBeUndefined();
});

test.each([
  [{ '-zone': 'a' }, '"-zone" cannot name a label: expected a letter or digit'],
  [{ ['x'.repeat(101)]: 'a' }, 'cannot name a label'],
  [{ zone: '' }, 'label zone cannot be "": expected 1 to 100 characters on one line'],
  [{ zone: 'a\u001b[2J' }, 'label zone cannot be "a\\u001b[2J"'],
  [{ zone: 'x'.repeat(101) }, 'label zone cannot be'],
  [
    Object.fromEntries(Array.from({ length: MAX_LABELS + 1 }, (_, at) => [`l${at}`, 'a'])),
    '33 labels: expected at most 32',
  ],
])('the labels %j are rejected with the message %j', (labels, problem) => {
  expect(labelProblem(labels as Record<string, string>)).toContain(problem);
});
