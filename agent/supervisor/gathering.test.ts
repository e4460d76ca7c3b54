import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { GATHER_MS, Gathering, PATIENT_GATHER_MS } from './gathering.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('the first events are handled together at the end of their turn of the event loop', () => {
  const run = vi.fn();
  const gathering = new Gathering(run);
  gathering.schedule();
  gathering.schedule();
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(0);
  expect(run).toHaveBeenCalledOnce();
});

test('events that follow a run too soon are handled together in the next run, after the minimum interval', () => {
  const times: number[] = [];
  const gathering = new Gathering(() => times.push(performance.now()));
  for (let at = 0; at < 20; at++) {
    gathering.schedule();
    gathering.schedule();
    vi.advanceTimersByTime(1);
  }
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  expect(times.length).toBeGreaterThan(3);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(GATHER_MS);
});

test('an event after a pause is handled at once', () => {
  const run = vi.fn();
  const gathering = new Gathering(run);
  gathering.schedule();
  vi.advanceTimersByTime(GATHER_MS);
  gathering.schedule();
  vi.advanceTimersByTime(0);
  expect(run).toHaveBeenCalledTimes(2);
});

test('an event that can wait is handled at once after a pause, and otherwise waits for the next urgent event, but no longer than its own interval', () => {
  const times: number[] = [];
  const gathering = new Gathering(() => times.push(performance.now()));
  gathering.schedule(PATIENT_GATHER_MS);
  vi.advanceTimersByTime(0);
  expect(times).toHaveLength(1);
  gathering.schedule(PATIENT_GATHER_MS);
  vi.advanceTimersByTime(PATIENT_GATHER_MS - 5);
  expect(times).toHaveLength(1);
  gathering.schedule();
  gathering.schedule(PATIENT_GATHER_MS);
  vi.advanceTimersByTime(1);
  expect(times).toHaveLength(2);
  gathering.schedule(PATIENT_GATHER_MS);
  vi.advanceTimersByTime(PATIENT_GATHER_MS - 2);
  expect(times).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(times).toHaveLength(3);
  vi.advanceTimersByTime(10 * PATIENT_GATHER_MS);
  expect(times).toHaveLength(3);
});
