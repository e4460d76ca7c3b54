import { expect, test } from 'vitest';
import {
  AGENT_ID,
  allHeartbeats,
  allOffers,
  heartbeatSubject,
  namesAttempt,
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

test('an agent id is one token of a subject', () => {
  for (const id of ['gpu-box_1', 'A', 'x'.repeat(64)]) {
    expect(AGENT_ID.test(id)).toBe(true);
    expect(heartbeatSubject('c1', id).split('.')).toHaveLength(allHeartbeats('c1').split('.').length);
  }
  for (const id of ['', 'a.b', 'a b', '*', '>', 'x'.repeat(65), 'a\n']) expect(AGENT_ID.test(id)).toBe(false);
});

test('passwords are removed from addresses', () => {
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
])('sweep %j, trial %j, attempt %j is a valid attempt key: %j', (sweepId, trialId, attempt, can) => {
  expect(namesAttempt({ sweepId, trialId, attempt })).toBe(can);
});
