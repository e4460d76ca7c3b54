import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdleTime, lifetimeEnd } from './lifetime.ts';

const limits = (idleTimeoutMs?: number, maxTimeMs?: number) => ({ idleTimeoutMs, maxTimeMs });

test('an agent stops only after it has been idle for the whole idle timeout', () => {
  expect(lifetimeEnd(limits(1_000), { upMs: 50_000, idleMs: 999 })).toBeUndefined();
  expect(lifetimeEnd(limits(1_000), { upMs: 50_000, idleMs: 1_000 })).toBe('idle-timeout');
});

test('an agent stops at its time limit even while it is busy', () => {
  expect(lifetimeEnd(limits(undefined, 5_000), { upMs: 4_999, idleMs: 0 })).toBeUndefined();
  expect(lifetimeEnd(limits(undefined, 5_000), { upMs: 5_000, idleMs: 0 })).toBe('max-time');
  expect(lifetimeEnd(limits(1_000, 5_000), { upMs: 5_000, idleMs: 5_000 })).toBe('max-time');
});

test('an agent without limits does not shut down by itself', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (upMs, idleMs) => {
      expect(lifetimeEnd(limits(), { upMs, idleMs })).toBeUndefined();
    }),
  );
});

test('idle time is measured from the end of the last attempt or, if an agent has run no attempt, from its start', () => {
  const idle = new IdleTime(100);
  expect(idle.elapsed(150)).toBe(50);
  idle.set(false, 160);
  expect(idle.elapsed(170)).toBe(70);
  idle.set(true, 200);
  expect(idle.elapsed(9_000)).toBe(0);
  idle.set(false, 9_000);
  expect(idle.elapsed(9_300)).toBe(300);
});
