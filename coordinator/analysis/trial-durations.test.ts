import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Parameters } from '../../proto/trainers.ts';
import { TestRandom } from '../../test/support/random.ts';
import { estimateSweep, type PastTrial } from './trial-durations.ts';

/**
 * Each epoch takes one second per layer, and twice as long for the large data set. The learning rate has no effect on
 * the duration.
 */
function secondsOf({ epochs = 1, depth = 1, dataset }: Parameters): number {
  return Number(epochs) * Number(depth) * (dataset === 'large' ? 2 : 1);
}

function grid(axes: Readonly<Record<string, readonly (number | string)[]>>): Parameters[] {
  return Object.entries(axes).reduce<Parameters[]>(
    (points, [name, values]) => points.flatMap((point) => values.map((value) => ({ ...point, [name]: value }))),
    [{}],
  );
}

const AXES = { dataset: ['small', 'large'], depth: [1, 2, 4], lr: [0.1, 0.2], epochs: [5] };
const past = (points: readonly Parameters[], noise = (_: number) => 1): PastTrial[] =>
  points.map((parameters, index) => ({
    sweepId: `${index % 2}`,
    parameters,
    ms: secondsOf(parameters) * 1000 * noise(index),
  }));
const totalMs = (points: readonly Parameters[]) => points.reduce((total, point) => total + secondsOf(point) * 1000, 0);

test('a repeated grid is estimated to take as long as its first run', () => {
  const sample = grid(AXES);
  const estimate = estimateSweep(past(sample), { sample, trials: sample.length, slots: 1 });
  expect(estimate?.slotTime.expected).toBeGreaterThan(totalMs(sample) * 0.95);
  expect(estimate?.slotTime.expected).toBeLessThan(totalMs(sample) * 1.05);
  expect(estimate?.duration.expected).toBeCloseTo(estimate?.slotTime.expected ?? 0, 5);
});

test('durations are predicted for more epochs, for a slow data set and for a depth between known depths', () => {
  const sample = grid({ dataset: ['large'], depth: [3, 4], lr: [0.1, 0.2], epochs: [50] });
  const estimate = estimateSweep(past(grid(AXES)), { sample, trials: sample.length * 10, slots: 1 });
  const truth = totalMs(sample) * 10;
  expect(estimate?.slotTime.expected).toBeGreaterThan(truth * 0.85);
  expect(estimate?.slotTime.expected).toBeLessThan(truth * 1.15);
  expect(estimate?.slotTime.low).toBeLessThan(truth);
  expect(estimate?.slotTime.high).toBeGreaterThan(truth);
});

test('an untried value widens the interval of the estimate', () => {
  const width = (sample: readonly Parameters[]) => {
    const { low, high } = estimateSweep(past(grid(AXES)), { sample, trials: sample.length, slots: 2 })?.slotTime ?? {
      low: 1,
      high: 1,
    };
    return high / low;
  };
  const same = width(grid(AXES));
  expect(same).toBeLessThan(1.6);
  expect(width(grid({ ...AXES, depth: [3] }))).toBeGreaterThan(same);
  expect(width(grid({ ...AXES, dataset: ['other'] }))).toBeGreaterThan(2 * same);
  expect(width(grid({ ...AXES, optimizer: ['adam'] }))).toBeGreaterThan(2 * same);
});

test('more slots shorten the estimated duration, but not below the duration of the longest trial, and leave the slot time unchanged', () => {
  const sample = grid(AXES);
  const on = (slots: number) => estimateSweep(past(sample), { sample, trials: sample.length, slots });
  expect(on(4)?.slotTime).toEqual(on(1)?.slotTime);
  const packed = estimateSweep(past(sample), { sample, trials: sample.length, slots: 2, perSlot: 2 });
  expect(packed?.duration).toEqual(on(4)?.duration);
  expect(packed?.slotTime.expected).toBeCloseTo((on(4)?.slotTime.expected ?? 0) / 2, 5);
  expect(on(4)?.duration.expected).toBeLessThan((on(1)?.duration.expected ?? 0) / 3);
  expect(on(1000)?.duration.expected).toBeGreaterThan(secondsOf({ epochs: 5, depth: 4, dataset: 'large' }) * 900);
});

test('early stopping shortens the estimated slot time by the same factor as in earlier trials, but does not shorten the longest trial', () => {
  const sample = grid(AXES);
  const underRule = past(sample).map((trial) => ({ ...trial, ms: trial.ms / 4 }));
  const whole = estimateSweep(past(sample), { sample, trials: sample.length, slots: 1 });
  const early = estimateSweep(past(sample), { sample, trials: sample.length, slots: 1, underRule });
  expect(whole?.share).toBe(1);
  expect(early?.share).toBeCloseTo(0.25, 1);
  expect(early?.slotTime.expected).toBeCloseTo((whole?.slotTime.expected ?? 0) * (early?.share ?? 0), 5);
  const parallel = estimateSweep(past(sample), { sample, trials: sample.length, slots: 1000, underRule });
  expect(parallel?.duration.expected).toBeGreaterThan(secondsOf({ epochs: 5, depth: 4, dataset: 'large' }) * 900);
});

test('a continuous parameter without an effect on the duration makes the estimate neither large nor uncertain', () => {
  const random = new TestRandom(3);
  const drawn = (count: number) => Array.from({ length: count }, () => ({ epochs: 1, lr: 10 ** (-5 * random.next()) }));
  const history = drawn(20).map((parameters) => ({ sweepId: '1', parameters, ms: 1000 * (0.9 + 0.2 * random.next()) }));
  const estimate = estimateSweep(history, { sample: drawn(200), trials: 200, slots: 1 });
  expect(estimate?.slotTime.expected).toBeGreaterThan(150_000);
  expect(estimate?.slotTime.expected).toBeLessThan(300_000);
  expect((estimate?.slotTime.high ?? 0) / (estimate?.slotTime.low ?? 1)).toBeLessThan(2.5);
});

test('two trials are not enough for an estimate', () => {
  const sample = grid(AXES);
  expect(estimateSweep(past(sample).slice(0, 2), { sample, trials: 12, slots: 1 })).toBeUndefined();
  expect(estimateSweep(past(sample), { sample: [], trials: 0, slots: 1 })).toBeUndefined();
});

test('the interval of an estimate is finite and positive, and contains the true slot time for most noisy histories', () => {
  const sample = grid(AXES);
  let [covered, runs] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -0.3, max: 0.3, noNaN: true }), { minLength: 12, maxLength: 12 }),
      (noise) => {
        const estimate = estimateSweep(
          past(sample, (index) => Math.exp(noise[index] ?? 0)),
          { sample, trials: sample.length, slots: 3 },
        );
        const { low = 0, expected = 0, high = 0 } = estimate?.slotTime ?? {};
        expect([low, expected, high].every((ms) => ms > 0 && Number.isFinite(ms))).toBe(true);
        expect(low).toBeLessThanOrEqual(expected);
        expect(expected).toBeLessThanOrEqual(high);
        runs += 1;
        if (low <= totalMs(sample) && totalMs(sample) <= high) covered += 1;
      },
    ),
    { seed: 7 },
  );
  expect(covered / runs).toBeGreaterThan(0.8);
});
