import fc from 'fast-check';
import { expect, test } from 'vitest';
import { meanCurve } from './replicate-curve.ts';

const curve = (...values: number[]) => values.map((loss, i) => ({ epoch: i + 1, metrics: { loss } }));

test('each epoch of a replicate curve has the mean and deviation over the replicates that reported the epoch', () => {
  expect(meanCurve([curve(1, 3), curve(3)], 'loss')).toEqual([
    { epoch: 1, mean: 2, std: Math.SQRT2 },
    { epoch: 2, mean: 3, std: 0 },
  ]);
});

test('a replicate curve omits values that are missing or not finite', () => {
  expect(meanCurve([curve(1, Number.NaN), [{ epoch: 1, metrics: {} }]], 'loss')).toEqual([
    { epoch: 1, mean: 1, std: 0 },
  ]);
});

test('the mean of an epoch is within the range of its values, and epochs are in ascending order', () => {
  const point = fc.record({
    epoch: fc.integer({ min: 1, max: 9 }),
    metrics: fc.record({ loss: fc.double({ min: -10, max: 10, noNaN: true }) }),
  });
  fc.assert(
    fc.property(fc.array(fc.array(point), { maxLength: 4 }), (curves) => {
      const found = meanCurve(curves, 'loss');
      expect(found.map(({ epoch }) => epoch)).toEqual([...new Set(curves.flat().map(({ epoch }) => epoch))].sort());
      for (const { epoch, mean } of found) {
        const own = curves.flat().flatMap((one) => (one.epoch === epoch ? one.metrics.loss : []));
        expect(mean).toBeGreaterThanOrEqual(Math.min(...own) - 1e-9);
        expect(mean).toBeLessThanOrEqual(Math.max(...own) + 1e-9);
      }
    }),
  );
});
