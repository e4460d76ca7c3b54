import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commonScale, intervalAxis, intervalTrack } from './interval-track.ts';

const SCALE = { low: 0, high: 10 };

test('a mean is drawn as a dot, and its interval is drawn as a line with ends', () => {
  expect(intervalTrack({ mean: 5, interval: { low: 2, high: 8 } }, SCALE, 11)).toBe('  ├──●──┤  ');
  expect(intervalTrack({ mean: 0, interval: undefined }, SCALE, 11)).toBe('●          ');
});

test('an arrow marks each end of an interval that is beyond the scale', () => {
  expect(intervalTrack({ mean: 2, interval: { low: -5, high: 4 } }, SCALE, 11)).toBe('←─●─┤      ');
  expect(intervalTrack({ mean: 9, interval: { low: 8, high: 99 } }, SCALE, 11)).toBe('        ├●→');
});

test('all tracks on one scale draw equal values in the same column', () => {
  const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  const width = fc.integer({ min: 4, max: 80 });
  fc.assert(
    fc.property(value, value, value, value, width, (a, b, low, high, cells) => {
      const scale = { low: Math.min(a, b, low, high), high: Math.max(a, b, low, high) };
      const track = intervalTrack(
        { mean: a, interval: { low: Math.min(low, a), high: Math.max(high, a) } },
        scale,
        cells,
      );
      expect(track).toHaveLength(cells);
      expect(track.indexOf('●')).toBe(intervalTrack({ mean: a, interval: undefined }, scale, cells).indexOf('●'));
    }),
  );
});

test('the scale contains every mean, and the part of each interval that is within the range of the results', () => {
  const means = [
    { mean: 2, interval: { low: -100, high: 3 } },
    { mean: 6, interval: { low: 5, high: 7 } },
  ];
  expect(commonScale(means, { low: 1, high: 9 })).toEqual({ low: 1, high: 7 });
});

test('an axis shows the values of its two ends, and the value of its middle if there is room', () => {
  expect(intervalAxis(SCALE, 24, String)).toBe('0 ──────── 5 ──────── 10');
  expect(intervalAxis(SCALE, 8, String)).toBe('0 ─── 10');
  expect(intervalAxis({ low: 3, high: 3 }, 9, String)).toBe('─── 3 ───');
});
