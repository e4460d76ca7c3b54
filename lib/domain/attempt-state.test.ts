import { expect, test } from 'vitest';
import { Attempt } from '../../proto/gen/trawl/v1/types.ts';
import { attemptStartMs, attemptState } from './attempt-state.ts';

test.each<[string, Partial<Attempt>, string, number]>([
  ['waits for its slot', { queued: true }, 'queued', 0],
  ['runs', { startedAtMs: 1_800 }, 'running', 1_800],
  ['runs under a coordinator that does not send the start', {}, 'running', 1_000],
  ['has ended', { startedAtMs: 1_800, outcome: 'ATTEMPT_OUTCOME_SUCCEEDED' }, 'succeeded', 1_800],
  ['was returned', { outcome: 'ATTEMPT_OUTCOME_RETURNED' }, 'returned', 0],
])('the displayed state and start of an attempt that %s', (_, fields, state, start) => {
  const attempt = Attempt.fromPartial({ number: 1, grantedAtMs: 1_000, ...fields });
  expect([attemptState(attempt), attemptStartMs(attempt)]).toEqual([state, start]);
});
