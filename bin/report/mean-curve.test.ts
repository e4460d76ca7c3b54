import { expect, test } from 'vitest';
import { curvePoints } from './mean-curve.ts';

const curve = (...losses: (number | undefined)[]) =>
  losses.map((loss, i) => {
    const metrics: Record<string, number> = loss === undefined ? {} : { loss };
    return { attempt: 1, epoch: i + 1, atMs: 0, metrics };
  });

test('a point of a mean curve is the mean of the trials, and the band contains all trials', () => {
  expect(curvePoints([curve(4, 2), curve(2, 1)], 'loss', 'all')).toEqual([
    { epoch: 1, mean: 3, low: 2, high: 4 },
    { epoch: 2, mean: 1.5, low: 1, high: 2 },
  ]);
});

test('the band of many trials contains their middle half, with the same quartiles as in numpy', () => {
  // numpy.percentile([1, 2, 4, 10], [25, 75])
  expect(curvePoints([curve(10), curve(1), curve(4), curve(2)], 'loss', 'middle half')).toEqual([
    { epoch: 1, mean: 4.25, low: 1.75, high: 5.5 },
  ]);
});

test('a mean curve ignores missing and non-finite values, and shorter trials count up to their last epoch', () => {
  const curves = [curve(4, undefined, 1), curve(Number.NaN, Number.POSITIVE_INFINITY), []];
  expect(curvePoints(curves, 'loss', 'all').map(({ epoch, mean }) => [epoch, mean])).toEqual([
    [1, 4],
    [3, 1],
  ]);
  expect(curvePoints(curves, 'psnr', 'all')).toEqual([]);
});
