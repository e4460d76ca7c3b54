import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gpusPerSlot, slotGpuIndexes } from './slot-gpus.ts';

test('with more slots than GPUs, slots share a GPU; with fewer slots, each slot has several GPUs', () => {
  const indexes = (slots: number, gpus: number, hasMig = false) =>
    Array.from({ length: slots }, (_, slot) => slotGpuIndexes(slot, slots, gpus, hasMig));
  expect(indexes(4, 2)).toEqual([[0], [1], [0], [1]]);
  expect(indexes(2, 5)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(indexes(2, 4, true)).toEqual([[0], [1]]);
  expect(indexes(2, 0)).toEqual([[], []]);
});

test('every slot of a machine with GPUs has a GPU that exists', () => {
  const count = fc.integer({ min: 1, max: 64 });
  fc.assert(
    fc.property(count, count, fc.boolean(), (slots, gpus, hasMig) => {
      for (let slot = 0; slot < slots; slot++) {
        const indexes = slotGpuIndexes(slot, slots, gpus, hasMig);
        expect(indexes.length).toBeGreaterThan(0);
        for (const index of indexes) expect(index).toBeLessThan(gpus);
      }
    }),
  );
});

test('gpusPerSlot returns the number of GPUs of a slot, or a fraction if slots share a GPU', () => {
  expect(gpusPerSlot(4, 2)).toBe(0.5);
  expect(gpusPerSlot(2, 5)).toBe(2);
  expect(gpusPerSlot(1, 1)).toBe(1);
  expect(gpusPerSlot(3, 0)).toBe(0);
  for (const [slots, gpus] of [
    [1, 4],
    [2, 4],
    [2, 5],
    [3, 3],
  ] as const) {
    expect(gpusPerSlot(slots, gpus)).toBe(slotGpuIndexes(0, slots, gpus, false).length);
  }
});
