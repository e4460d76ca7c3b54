import { expect, test } from 'vitest';
import { Attempt } from '../../proto/gen/trawl/v1/types.ts';
import { type AttemptStart, withStarts } from './attempt-starts.ts';

const attempt = (fields: Partial<Attempt>) => Attempt.fromPartial({ number: 1, grantedAtMs: 1_000, ...fields });

function startOf(fields: Partial<Attempt>, { leasedMs = 0, start }: { leasedMs?: number; start?: AttemptStart } = {}) {
  const [found] = withStarts([attempt(fields)], { sweepId: '1', id: 't', leasedMs }, () => start);
  return found && { startedAtMs: found.startedAtMs, queued: found.queued };
}

test('an attempt that waits for its slot is queued, and has no start', () => {
  expect(startOf({}, { start: 'queued' })).toEqual({ startedAtMs: 0, queued: true });
});

test('a running attempt starts when its slot begins to run it; if this time is unknown, the time of the grant is used', () => {
  expect(startOf({}, { start: 1_800 })).toEqual({ startedAtMs: 1_800, queued: false });
  expect(startOf({})).toEqual({ startedAtMs: 1_000, queued: false });
});

test('the start of an ended attempt excludes its wait for the slot', () => {
  const ended = { endedAtMs: 2_000, outcome: 'ATTEMPT_OUTCOME_SUCCEEDED' } as const;
  expect(startOf(ended, { leasedMs: 300 })).toEqual({ startedAtMs: 1_700, queued: false });
});

test('a returned attempt has no start', () => {
  const returned = { endedAtMs: 2_000, outcome: 'ATTEMPT_OUTCOME_RETURNED' } as const;
  expect(startOf(returned, { leasedMs: 300 })).toEqual({ startedAtMs: 0, queued: false });
});
