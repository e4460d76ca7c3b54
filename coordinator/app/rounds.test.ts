import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newCore } from '../core/model.ts';
import { startTicking } from './rounds.ts';

const LEASE_MS = 5_000;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([
  { what: 'a slow start', startMs: 10_000, begins: 'at the first tick' },
  { what: 'a fast start', startMs: 100, begins: 'when the store is loaded' },
])('after $what, the leases of running attempts begin $begins', async ({ startMs }) => {
  const core = newCore(LEASE_MS, 0);
  core.listeningSince = Date.now();
  vi.advanceTimersByTime(startMs);
  const runtime = { core, now: () => Date.now(), settle: async () => {}, reschedule: () => {} };
  const ticking = startTicking(runtime);
  await vi.advanceTimersByTimeAsync(2_000);
  clearInterval(ticking);
  if (startMs < LEASE_MS / 4) expect(core.listeningSince).toBe(0);
  else expect(core.listeningSince).toBeGreaterThan(startMs);
});
