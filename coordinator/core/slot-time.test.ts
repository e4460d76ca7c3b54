import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginSlotTime, endSlotTime, newSlotTimeMeter, slotTimeOf } from './slot-time.ts';

test('at every moment, the slot time is the sum of all usages so far', () => {
  const usage = fc.record({
    startedAt: fc.integer({ min: 0, max: 1_000 }),
    durationMs: fc.integer({ min: 0, max: 1_000 }),
    gpus: fc.constantFrom(0, 0.5, 1, 4),
  });
  fc.assert(
    fc.property(fc.array(usage, { maxLength: 20 }), fc.integer({ min: 0, max: 2_500 }), (usages, now) => {
      const meter = newSlotTimeMeter();
      const begun = usages.filter(({ startedAt }) => startedAt <= now);
      for (const one of begun) beginSlotTime(meter, one);
      const ended = begun.filter(({ startedAt, durationMs }) => startedAt + durationMs <= now);
      for (const one of ended) endSlotTime(meter, one, one.startedAt + one.durationMs);
      const until = ({ startedAt, durationMs }: (typeof usages)[number]) => Math.min(now, startedAt + durationMs);
      const { slotMs, gpuMs, slots } = slotTimeOf(meter, now);
      expect(slotMs).toBeCloseTo(
        begun.reduce((sum, one) => sum + until(one) - one.startedAt, 0),
        6,
      );
      expect(gpuMs).toBeCloseTo(
        begun.reduce((sum, one) => sum + (until(one) - one.startedAt) * one.gpus, 0),
        6,
      );
      expect(slots).toBe(begun.length - ended.length);
    }),
  );
});
