import { expect, test } from 'vitest';
import { SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { sampleSweep } from '../../test/support/dashboard/sample.ts';
import { sweepStateText } from './sweep-state.ts';

const NOW = 1_000_000;
const text = (overrides: Parameters<typeof sampleSweep>[0]) => sweepStateText(sampleSweep(overrides), NOW);

test('the text of a paused sweep shows who paused the sweep, and when', () => {
  const paused = { state: SweepState.PAUSED, stateSinceMs: NOW - 123_000 };
  expect(text({ ...paused, stateBy: 'ann@gpu-1' })).toBe('paused by ann@gpu-1, 2m03s ago');
  expect(text(paused)).toBe('paused, 2m03s ago');
});

test('a finished sweep shows how many of its trials failed', () => {
  expect(text({ state: SweepState.FINISHED, counts: { succeeded: 27, failed: 36 } })).toBe('finished, 36 of 63 failed');
  expect(text({ state: SweepState.FINISHED, counts: { succeeded: 63 } })).toBe('finished');
});

test('a killed sweep shows who killed it, when, and how many trials were cancelled', () => {
  const counts = { succeeded: 10, failed: 2, cancelled: 51 };
  expect(text({ state: SweepState.KILLED, stateBy: 'ann', counts })).toBe(
    'killed by ann, 16m40s ago, 2 of 63 failed, 51 of 63 cancelled',
  );
});

test('a running sweep shows the reason if none of its trials can run', () => {
  expect(text({ state: SweepState.RUNNING, blocked: 'no agent has 200 GiB of GPU memory' })).toBe(
    'running, but nothing can run: no agent has 200 GiB of GPU memory',
  );
});

test('the text of a running sweep is "running"', () => {
  expect(text({ state: SweepState.RUNNING, stateBy: 'ann' })).toBe('running');
});
