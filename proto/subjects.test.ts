import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  agentIdProblem,
  agentPermissions,
  allHeartbeats,
  allOffers,
  heartbeatSubject,
  inboxPrefix,
  isAttemptKey,
  offerStream,
  offerStreams,
  offerSubject,
  poolOffers,
  withoutSecrets,
} from './subjects.ts';

test('the subject of an offer contains its pool and attempt', () => {
  const subject = offerSubject('c1', 'p1', { sweepId: '7', trialId: 'abc', attempt: 2 });
  expect(subject).toBe('trawl.c1.offer.p1.7.abc.2');
  expect(subject.startsWith(poolOffers('c1', 'p1').replace('>', ''))).toBe(true);
  expect(subject.startsWith(allOffers('c1').replace('>', ''))).toBe(true);
  expect(offerStream('c1', 'p1').startsWith(offerStreams('c1'))).toBe(true);
});

test.each(['gpu-box_1', 'A', 'x'.repeat(64), 'gpu1.lab.example.org', '10.0.0.7', `${'n'.repeat(63)}.lab.example.org`])(
  '%j is a valid agent id, and is one token of a subject',
  (id) => {
    expect(agentIdProblem(id)).toBeUndefined();
    const subject = heartbeatSubject('c1', id);
    expect(subject.split('.')).toHaveLength(allHeartbeats('c1').split('.').length);
    expect(inboxPrefix('agent', id)).not.toContain('.');
    expect(agentPermissions(id).publish).toContain(heartbeatSubject('*', id));
  },
);

test.each([
  '',
  '.',
  '..',
  'a..b',
  '.a',
  'a.',
  'a b',
  '*',
  '>',
  'a:b',
  'a/b',
  'x'.repeat(65),
  'a\n',
  'ä.lab',
  `${'x.'.repeat(126)}xy`,
])('%j is not a valid agent id', (id) => {
  expect(agentIdProblem(id)).toContain(`invalid agent id ${JSON.stringify(id)}: expected letters`);
});

const agentId = fc.stringMatching(/^[A-Za-z0-9_-]{1,4}(\.[A-Za-z0-9_-]{1,4}){0,3}$/);

test('agents with different ids have different subjects', () => {
  fc.assert(
    fc.property(agentId, agentId, (one, other) => {
      expect(heartbeatSubject('c1', one) === heartbeatSubject('c1', other)).toBe(one === other);
      expect(inboxPrefix('agent', one) === inboxPrefix('agent', other)).toBe(one === other);
    }),
  );
});

test('passwords are removed from NATS addresses', () => {
  expect(withoutSecrets('nats://ann:secret@host:4222,nats://bob:hidden@other:4222')).toBe(
    'nats://host:4222,nats://other:4222',
  );
  expect(withoutSecrets('nats://host:4222')).toBe('nats://host:4222');
  expect(withoutSecrets('nats://ann:p@ss/word@host:4222')).toBe('nats://host:4222');
  expect(withoutSecrets('ann:secret@host:4222')).toBe('host:4222');
});

test.each([
  ['7', 'abc', 1, true],
  ['../../x', 'abc', 1, false],
  ['7', '../x', 1, false],
  ['7', 'a/b', 1, false],
  ['7', 'a.b', 1, false],
  ['7', '>', 1, false],
  ['', 'abc', 1, false],
  ['7', 'x'.repeat(65), 1, false],
  ['7', 'a\u001b[2J', 1, false],
  ['7', 'abc\n', 1, false],
  ['7', 'abc', 0, false],
  ['7', 'abc', 1.5, false],
])('whether sweep %j, trial %j and attempt %j form a valid attempt key: %j', (sweepId, trialId, attempt, valid) => {
  expect(isAttemptKey({ sweepId, trialId, attempt })).toBe(valid);
});
