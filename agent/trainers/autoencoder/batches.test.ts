import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { batchesOf } from './batches.ts';
import { settingsOf } from './settings.ts';

const upTo = (count: number) => Int32Array.from({ length: count }, (_, i) => i);

test("the study's epoch is 938 steps: 937 of 64 images and one of 32", () => {
  const { batchSize, trainSize } = settingsOf(withDefaults(TRAINERS.autoencoder, {}));
  const sizes = [...batchesOf([upTo(trainSize)], batchSize)].map(({ length }) => length);
  expect(sizes).toEqual([...Array(937).fill(64), 32]);
});

test('every image is in one batch, in order, and only the last batch may be short', () => {
  fc.assert(
    fc.property(fc.nat({ max: 500 }), fc.integer({ min: 1, max: 600 }), (images, size) => {
      const batches = [...batchesOf([upTo(images)], size)];
      expect(batches.flatMap((batch) => [...batch])).toEqual([...upTo(images)]);
      expect(batches.slice(0, -1).every(({ length }) => length === size)).toBe(true);
    }),
  );
});

test('the members of a pack have a batch each in every step, one after the other', () => {
  const orders = [Int32Array.of(0, 1, 2), Int32Array.of(2, 0, 1)];
  expect([...batchesOf(orders, 2)].map((batch) => [...batch])).toEqual([
    [0, 1, 2, 0],
    [2, 1],
  ]);
});
