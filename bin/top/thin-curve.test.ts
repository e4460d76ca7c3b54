import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ThinCurve } from './thin-curve.ts';

const report = (epoch: number) => ({ attempt: 1, epoch, atMs: 0, metrics: { loss: 1 / epoch } });
/** The size of one report in these tests, in characters. */
const CHARACTERS = 124;

test('a curve within the limit is kept whole; a longer curve keeps its first, its newest and evenly spaced points', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 2, max: 20 }), (length, room) => {
      const curve = new ThinCurve(room * CHARACTERS);
      for (let epoch = 1; epoch <= length; epoch++) curve.add(report(epoch));
      const epochs = curve.points.map(({ epoch }) => epoch);
      expect(epochs.length).toBeLessThanOrEqual(room + 1);
      expect([epochs[0], epochs.at(-1)]).toEqual([1, length]);
      if (length <= room) expect(epochs).toHaveLength(length);
      const steps = new Set(epochs.slice(1, -1).map((epoch, at) => epoch - (epochs[at] ?? 0)));
      expect(steps.size).toBeLessThanOrEqual(1);
    }),
  );
});

test('the first and the newest report are kept even if one report alone exceeds the limit', () => {
  const curve = new ThinCurve(1);
  curve.add(report(1));
  curve.add(report(2));
  expect(curve.points.map(({ epoch }) => epoch)).toEqual([1, 2]);
});
