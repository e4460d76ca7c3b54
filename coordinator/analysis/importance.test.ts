import fc from 'fast-check';
import { expect, test } from 'vitest';
import { replicates, trial } from '../../test/support/coordinator/judged-trials.ts';
import { importanceOf } from './importance.ts';

const VALUES = [
  { depth: 3, latent: 15, losses: [2.1, 2.4] },
  { depth: 3, latent: 30, losses: [3.0, 2.7] },
  { depth: 3, latent: 50, losses: [4.1, 4.4] },
  { depth: 5, latent: 15, losses: [1.1, 1.3] },
  { depth: 5, latent: 30, losses: [2.9, 3.3] },
  { depth: 5, latent: 50, losses: [5.2, 5.0] },
];
const grid = VALUES.flatMap(({ losses, ...parameters }) => replicates(parameters, losses));
const AXES = ['depth', 'latent'];

test('the analysis of variance agrees with statsmodels', () => {
  // statsmodels.stats.anova.anova_lm(ols('y ~ C(depth) * C(latent)', data).fit(), typ=1)
  const { balanced, why, effects, interactions, residual } = importanceOf(grid, 'loss', AXES);
  const total = 0.0008333333333333243 + 17.539999999999992 + 1.8866666666666683 + 0.2550000000000001;
  expect([balanced, why]).toEqual([true, '']);
  expect(effects.map(({ parameter }) => parameter)).toEqual(['latent', 'depth']);
  expect(effects[0]?.share).toBeCloseTo(17.539999999999992 / total, 12);
  expect(effects[0]?.f).toBeCloseTo(206.3529411764704, 8);
  expect(effects[0]?.p).toBeCloseTo(2.9425683828891037e-6, 14);
  expect(effects[1]?.f).toBeCloseTo(0.01960784313725468, 10);
  expect(effects[1]?.p).toBeCloseTo(0.8932202526098346, 10);
  expect(interactions).toEqual([
    {
      parameters: AXES,
      share: expect.closeTo(1.8866666666666683 / total, 12),
      p: expect.closeTo(0.0016879707218900603, 10),
    },
  ]);
  expect(residual).toBeCloseTo(0.255 / total, 12);
  expect(effects[0]?.levels.map(({ value, spread }) => [value, spread.n, Number(spread.mean.toFixed(6))])).toEqual([
    [15, 4, 1.725],
    [30, 4, 2.975],
    [50, 4, 4.675],
  ]);
});

test('configs with a trial that early stopping cut off are left out of the effects', () => {
  const reason = { state: 'stopped', stopReason: 'asha: 99 ranks 9 of 9 at rung 1' } as const;
  const stopped = trial({ depth: 7, latent: 15 }, 0, { metrics: { loss: 99 }, ...reason });
  const { why, effects } = importanceOf([...grid, stopped], 'loss', AXES);
  expect(why).toBe('1 result left out, because early stopping cut off trials of its config');
  expect(effects).toEqual(importanceOf(grid, 'loss', AXES).effects);
  expect(importanceOf([stopped], 'loss', AXES).why).toBe(`no config has complete results; ${why}`);
});

test('the shares of a balanced grid add up to 1', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 24, maxLength: 24 }),
      (values) => {
        let next = 0;
        const trials = [1, 2].flatMap((a) =>
          ['x', 'y', 'z'].flatMap((b) =>
            [true, false].flatMap((c) => replicates({ a, b, c }, [values[next++] ?? 0, values[next++] ?? 0])),
          ),
        );
        const { effects, interactions, residual, why } = importanceOf(trials, 'loss', ['a', 'b', 'c']);
        fc.pre(why === '');
        const sum = [...effects, ...interactions].reduce((total, { share }) => total + share, residual);
        expect(sum).toBeCloseTo(1, 9);
      },
    ),
  );
});

test('a value that was not combined with all values of the other parameters is skipped and named', () => {
  const extra = replicates({ depth: 3, latent: 100 }, [9, 9]);
  const { why, balanced, ...whole } = importanceOf([...grid, ...extra], 'loss', AXES);
  expect([balanced, why]).toEqual([
    false,
    'latent=100 left out, because some combinations with the other parameters have no result',
  ]);
  expect(whole).toMatchObject({ effects: importanceOf(grid, 'loss', AXES).effects });
});

test('the seed of a failed replicate is skipped in all configs, and the skipped trials are counted', () => {
  const failed = grid.map((one, index) => (index === 3 ? { ...one, state: 'failed' as const } : one));
  const result = importanceOf(failed, 'loss', AXES);
  expect(result).toMatchObject({
    balanced: false,
    why: '5 trials left out: their seeds have no result in some combinations',
  });
  expect(result.effects[0]).toMatchObject({ f: undefined, p: undefined });
  expect(result.effects[0]?.levels[0]?.spread.n).toBe(2);
});

test('parameters that change together are one factor with the name of the axis', () => {
  const tied = grid.map((one) => ({
    ...one,
    parameters: { epochs: one.parameters.depth === 5 ? 13 : 10, ...one.parameters },
  }));
  const result = importanceOf(tied, 'loss', AXES);
  expect(result.why).toBe('epochs always changes together with depth');
  expect(result.balanced).toBe(true);
  expect(result.effects.map(({ parameter }) => parameter)).toEqual(['latent', 'depth']);
});

test('a parameter that the axes determine, such as one set by `when`, is not a factor', () => {
  const set = grid.map((one) => ({
    ...one,
    parameters: { ...one.parameters, epochs: one.parameters.latent === 15 ? 13 : 10 },
  }));
  const { why, ...result } = importanceOf(set, 'loss', AXES);
  expect(why).toBe('epochs is determined by latent');
  expect(result).toEqual(
    expect.objectContaining({ balanced: true, effects: importanceOf(grid, 'loss', AXES).effects }),
  );
  const both = grid.map((one) => ({
    ...one,
    parameters: { ...one.parameters, epochs: one.parameters.latent === 15 && one.parameters.depth === 5 ? 13 : 10 },
  }));
  expect(importanceOf(both, 'loss', AXES).why).toBe('epochs is determined by depth, latent');
});

test('an importance analysis without effects states the reason', () => {
  const why = (trials: Parameters<typeof importanceOf>[0]) => importanceOf(trials, 'loss', AXES).why;
  expect(why([])).toBe('no trial has a result yet');
  expect(why(replicates({ depth: 3 }, [1, 2]))).toBe('no parameter has results for two or more values');
  expect(why([1, 2].flatMap((latent) => replicates({ latent }, [1, 1])))).toBe('loss is equal in all trials');
  expect(
    why([trial({ a: 1, b: 1 }, 0, { metrics: { loss: 1 } }), trial({ a: 2, b: 1 }, 1, { metrics: { loss: 2 } })]),
  ).toBe('no seed has a result in every combination');
});
