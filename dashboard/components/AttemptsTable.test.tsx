import { stripVTControlCharacters } from 'node:util';
import { render } from 'ink-testing-library';
import { expect, test } from 'vitest';
import { Attempt } from '../../proto/gen/trawl/v1/types.ts';
import { AttemptsTable } from './AttemptsTable.tsx';

test('the time of an attempt counts from its start, and an attempt that waits for its slot is shown as queued', () => {
  const attempts = [
    { startedAtMs: 1_400, endedAtMs: 2_000, outcome: 'ATTEMPT_OUTCOME_FAILED' },
    { endedAtMs: 4_000, outcome: 'ATTEMPT_OUTCOME_RETURNED' },
    { startedAtMs: 7_000 },
    { queued: true },
  ] satisfies Partial<Attempt>[];
  const table = attempts.map((fields, at) =>
    Attempt.fromPartial({ number: at + 1, agentId: 'a', grantedAtMs: 1_000, ...fields }),
  );
  const frame = render(<AttemptsTable attempts={table} now={9_000} columns={60} />).lastFrame() ?? '';
  const rows = stripVTControlCharacters(frame).split('\n').slice(1);
  expect(rows.map((row) => row.trim().split(/ {2,}/))).toEqual([
    ['1', 'failed', '0.6s', 'a/0'],
    ['2', 'returned', '-', 'a/0'],
    ['3', 'running', '2.0s', 'a/0'],
    ['4', 'queued', '-', 'a/0'],
  ]);
});
