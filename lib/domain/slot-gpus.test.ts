import fc from 'fast-check';
import { expect, test } from 'vitest';
import { slotGpuIndexes } from './slot-gpus.ts';

test('slots get the GPUs in turn, or several GPUs each', () => {
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
