import fc from 'fast-check';
import { expect, test } from 'vitest';
import { explored, perturbed, populationRule, populationSize, quantileCount, selectMembers } from './population.ts';
import { addPoint, type CurvePoint } from './rule.ts';
import type { PopulationSettings } from './settings.ts';

const SETTINGS: PopulationSettings = {
  type: 'pbt',
  population: 8,
  interval: 5,
  quantile: 0.25,
  perturb: [0.8, 1.2],
  resample: 0.25,
  seed: 1,
  maxTrials: undefined,
  explore: [
    ['lr', { kind: 'log_uniform', min: 1e-4, max: 1e-1, q: undefined }],
    ['layers', { kind: 'int_uniform', min: 1, max: 5 }],
    ['drop', { kind: 'uniform', min: 0, max: 0.5, q: 0.1 }],
    ['batch', { kind: 'categorical', values: [16, 32, 64], probabilities: undefined }],
  ],
};

test('members are compared once at each multiple of the interval', () => {
  const rule = populationRule(SETTINGS, { metric: 'loss', goal: 'minimize', at: 'last' });
  const curve: CurvePoint[] = [];
  const entries = [1, 4, 5, 6, 9, 12, 15].map((step) => {
    addPoint(curve, step, step / 100);
    return rule.entryOf(curve);
  });
  const expected = [undefined, undefined, { rung: 5, score: 0.05 }, undefined, undefined];
  expect(entries).toEqual([...expected, { rung: 10, score: 0.12 }, { rung: 15, score: 0.15 }]);
});

test('with at: best, the best value so far is compared', () => {
  const rule = populationRule(SETTINGS, { metric: 'loss', goal: 'minimize', at: 'best' });
  const curve: CurvePoint[] = [];
  for (const [step, score] of [
    [2, 0.1],
    [5, 0.4],
  ] as const)
    addPoint(curve, step, score);
  expect(rule.entryOf(curve)).toEqual({ rung: 5, score: 0.1 });
});

test('truncation selection chooses the best quarter as parents, and replaces the worst quarter', () => {
  expect(selectMembers([1, 2, 3, 4, 5, 6, 7, 8], 0, 0.25)).toEqual({ parents: [1, 2], replaced: [8, 7] });
  expect(selectMembers([1, 2, 3, 4, 5, 6], 2, 0.25)).toEqual({ parents: [1, 2], replaced: [] });
  expect(selectMembers([1, 2, 3, 4, 5, 6, 7], 1, 0.25)).toEqual({ parents: [1, 2], replaced: [7] });
  expect(selectMembers([1], 3, 0.25)).toEqual({ parents: [1], replaced: [] });
  expect(selectMembers([1, 2, 3], 0, 0.25)).toEqual({ parents: [1], replaced: [] });
});

test('a quantile of a population is rounded down, without floating-point errors', () => {
  expect([quantileCount(8, 0.25), quantileCount(25, 0.28), quantileCount(10, 0.2), quantileCount(3, 0.25)]).toEqual([
    2, 7, 2, 0,
  ]);
});

test('no member is both a parent and replaced, and at most a quantile of the members is replaced', () => {
  const anyCase = fc.record({
    size: fc.integer({ min: 1, max: 60 }),
    failed: fc.integer({ min: 0, max: 60 }),
    quantile: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
  });
  fc.assert(
    fc.property(anyCase, ({ size, failed, quantile }) => {
      const members = Array.from({ length: size }, (_, at) => at);
      const { parents, replaced } = selectMembers(members, failed, quantile);
      expect(parents.length).toBeGreaterThan(0);
      expect(parents.filter((one) => replaced.includes(one))).toEqual([]);
      expect(Math.max(...parents)).toBeLessThan(Math.min(...replaced, size));
      expect(replaced.length).toBeLessThanOrEqual(Math.max(0, quantileCount(size + failed, quantile) - failed));
    }),
  );
});

test.each([
  [0.01, 1.2, 0.012],
  [0.01, 0.8, 0.008],
  [0.09, 1.2, 0.1],
  [1.1e-4, 0.8, 1e-4],
])('the real number %d, multiplied by %d and clamped to the limits, becomes %d', (value, factor, expected) => {
  expect(perturbed(value, { kind: 'log_uniform', min: 1e-4, max: 1e-1, q: undefined }, factor)).toBe(expected);
});

test('a perturbed whole number or multiple of q changes by at least one step, but stays within the limits', () => {
  const whole = { kind: 'int_uniform', min: 1, max: 5 } as const;
  expect([2, 5, 1].map((value) => perturbed(value, whole, 1.2))).toEqual([3, 5, 2]);
  expect([2, 5, 1].map((value) => perturbed(value, whole, 0.8))).toEqual([1, 4, 1]);
  const tenths = { kind: 'uniform', min: 0.05, max: 0.55, q: 0.1 } as const;
  expect([0.1, 0.2, 0.5].map((value) => perturbed(value, tenths, 1.2))).toEqual([0.2, 0.3, 0.5]);
  expect([0.1, 0.2, 0.5].map((value) => perturbed(value, tenths, 0.8))).toEqual([0.1, 0.1, 0.4]);
});

test('a perturbed value of a list becomes the next or the previous value of the list, if there is one', () => {
  const list = { kind: 'categorical', values: ['a', 'b', 'c'], probabilities: undefined } as const;
  expect(['a', 'b', 'c'].map((value) => perturbed(value, list, 1.2))).toEqual(['b', 'c', 'c']);
  expect(['a', 'b', 'c'].map((value) => perturbed(value, list, 0.8))).toEqual(['a', 'a', 'b']);
});

test('a child keeps all other parameters, stays within the limits, and depends only on the seed and its index', () => {
  const parent = { lr: 0.01, layers: 3, drop: 0.2, batch: 32, depth: 5, name: 'x' };
  const children = Array.from({ length: 400 }, (_, index) => explored(parent, SETTINGS, index));
  for (const [index, child] of children.entries()) {
    expect(child).toMatchObject({ depth: 5, name: 'x' });
    expect(child.lr).toSatisfy((lr: number) => lr >= 1e-4 && lr <= 1e-1);
    expect([16, 32, 64]).toContain(child.batch);
    expect(explored(parent, SETTINGS, index)).toEqual(child);
  }
  // About three quarters of the children have a perturbed learning rate. Half of these have a smaller rate, and half
  // have a larger rate.
  const share = (value: number) => children.filter(({ lr }) => lr === value).length / children.length;
  expect(share(0.008)).toBeCloseTo(0.375, 1);
  expect(share(0.012)).toBeCloseTo(0.375, 1);
  const other = Array.from({ length: 20 }, (_, index) => explored(parent, { ...SETTINGS, seed: 2 }, index));
  expect(other).not.toEqual(children.slice(0, 20));
});

test('with resample: 0, all values are perturbed, and with resample: 1, all values are new random values', () => {
  const parent = { lr: 0.01, layers: 3, drop: 0.2, batch: 32 };
  const rates = (resample: number) =>
    Array.from({ length: 50 }, (_, index) => explored(parent, { ...SETTINGS, resample }, index).lr);
  expect(rates(0).every((rate) => rate === 0.008 || rate === 0.012)).toBe(true);
  expect(rates(1).some((rate) => rate === 0.008 || rate === 0.012)).toBe(false);
});

test.each([
  [20, undefined, { comparisons: 3, maxTrials: 14 }],
  [21, undefined, { comparisons: 4, maxTrials: 16 }],
  [6, undefined, { comparisons: 1, maxTrials: 10 }],
  [20, 11, { comparisons: 3, maxTrials: 11 }],
  [undefined, undefined, { comparisons: undefined, maxTrials: undefined }],
  [undefined, 40, { comparisons: undefined, maxTrials: 40 }],
])('with a last epoch %s and a run_cap %s, a population has %j', (last, maxTrials, size) => {
  expect(populationSize({ ...SETTINGS, maxTrials }, last)).toEqual({ members: 8, childrenPerComparison: 2, ...size });
});
