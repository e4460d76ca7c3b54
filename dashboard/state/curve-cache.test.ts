import { expect, test } from 'vitest';
import { runningTrial } from '../../test/support/dashboard/sample.ts';
import { CurveCache } from './curve-cache.ts';

const points = (...epochs: number[]) => epochs.map((epoch) => ({ epoch, metrics: { loss: 1 / epoch } }));
const at = (epoch: number) => runningTrial(0, epoch, { loss: 1 / epoch });
const { id } = at(1);

test('if earlier points of a curve are missing, the curve is empty until these points have been fetched', () => {
  const cache = new CurveCache();
  expect(cache.touch([at(7)])).toEqual([id]);
  cache.append(at(8));
  expect(cache.get(id)).toEqual([]);
  cache.store(id, points(1, 2, 3, 4, 5, 6, 7));
  expect(cache.get(id).map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a curve whose reports were received from the first epoch on is shown at once, and stays visible while it is fetched again', () => {
  const cache = new CurveCache();
  cache.touch([at(1)]);
  cache.append(at(2));
  expect(cache.get(id)).toHaveLength(2);
  cache.invalidate();
  expect(cache.touch([at(2)])).toEqual([id]);
  expect(cache.get(id)).toHaveLength(2);
});

test('a curve with gaps between its steps stays visible while the missing steps are fetched', () => {
  const cache = new CurveCache();
  cache.touch([at(0)]);
  cache.append(at(100));
  expect(cache.touch([at(100)])).toEqual([id]);
  expect(cache.get(id)).toHaveLength(1);
  cache.store(id, points(100));
  cache.append(at(200));
  expect(cache.get(id)).toHaveLength(2);
});
