import fc from 'fast-check';
import { expect, test } from 'vitest';
import { replicates } from '../../test/support/coordinator/judged-trials.ts';
import { importanceOf } from './importance.ts';
import { estimateImportance } from './importance-estimate.ts';

const AXES = ['depth', 'latent'];
const COMPLETE = [
  ...replicates({ depth: 3, latent: 15 }, [2.1, 2.4]),
  ...replicates({ depth: 3, latent: 30 }, [3.0, 2.7]),
  ...replicates({ depth: 3, latent: 50 }, [4.1, 4.4]),
  ...replicates({ depth: 5, latent: 15 }, [1.1, 1.3]),
];
const MID_SWEEP = [...COMPLETE, ...replicates({ depth: 5, latent: 30 }, [2.9])];
const ALL_PAIRS = [...MID_SWEEP, ...replicates({ depth: 5, latent: 50 }, [5.2])];

test('the estimate of an incomplete grid agrees with statsmodels', () => {
  // The p-values are from anova_lm(ols('y ~ C(depth) + C(latent)', data).fit(), typ=2). The means and the intervals are
  // from t_test, with equal weights for the values of the other parameter.
  const { estimated, effects, interactions } = estimateImportance(MID_SWEEP, 'loss', AXES);
  expect([estimated, interactions]).toEqual([true, []]);
  expect(effects.map(({ parameter, significant }) => [parameter, significant])).toEqual([
    ['latent', true],
    ['depth', false],
  ]);
  const [latent, depth] = effects;
  expect(latent?.p).toBeCloseTo(0.0032829389702880092, 8);
  expect(depth?.p).toBeCloseTo(0.07880861933318249, 8);
  const means = [...(depth?.levels ?? []), ...(latent?.levels ?? [])].map(({ mean, interval }) => [
    mean,
    interval?.low,
    interval?.high,
  ]);
  const expected = [
    [3.1166666666666663, 2.741502598904465, 3.4918307344288677],
    [2.5066666666666677, 1.9017327842268656, 3.1116005491064698],
    [1.725, 1.2655197320778369, 2.184480267922163],
    [2.765, 2.2213356152425003, 3.308664384757501],
    [3.945, 3.204110329950851, 4.685889670049152],
  ];
  expect(means).toEqual(expected.map((row) => row.map((value) => expect.closeTo(value, 8))));
  // Computed by hand from the results above: the variance of the two means of depth, the variance of the three means of
  // latent, and the mean square of the residual.
  const [depths, latents, unexplained] = [
    (3.1166666666666663 - 2.5066666666666677) ** 2 / 4,
    2.4674666666666663 / 3,
    0.639 / 5,
  ];
  expect(depth?.share).toBeCloseTo(depths / (depths + latents + unexplained), 10);
  expect(latent?.share).toBeCloseTo(latents / (depths + latents + unexplained), 10);
});

test('interactions are tested as soon as every pair of values has a result', () => {
  // anova_lm(ols('y ~ C(depth) * C(latent)', data).fit(), typ=2)
  const { estimated, effects, interactions } = estimateImportance(ALL_PAIRS, 'loss', AXES);
  expect(estimated).toBe(true);
  expect(effects.map(({ parameter, p }) => [parameter, p])).toEqual([
    ['latent', expect.closeTo(0.00013196169592792346, 8)],
    ['depth', expect.closeTo(0.2713866963058551, 8)],
  ]);
  expect(interactions.map(({ parameters }) => parameters)).toEqual([AXES]);
  const [depths, latents] = [effects[1], effects[0]].map((effect) => {
    const means = effect?.levels.map(({ mean }) => mean) ?? [];
    const center = means.reduce((sum, mean) => sum + mean, 0) / means.length;
    return means.reduce((sum, mean) => sum + (mean - center) ** 2, 0) / means.length;
  });
  const crossed = 1.6428571428571348 / 10;
  expect(interactions[0]?.share).toBeCloseTo(crossed / ((depths ?? 0) + (latents ?? 0) + crossed + 0.155 / 4), 10);
});

test('the effect of a parameter that explains nearly everything is estimated as soon as its second value has a result', () => {
  const noise = (seed: number) => 0.01 * ((seed * 7) % 5);
  const first = [1, 2, 3].flatMap((width) =>
    replicates({ mode: 'a', width }, [1 + noise(width), 1 + noise(width + 1)]),
  );
  const trials = [...first, ...replicates({ mode: 'b', width: 1 }, [9])];
  expect(importanceOf(trials, 'loss', ['mode', 'width']).effects.map(({ parameter }) => parameter)).toEqual(['width']);
  const { estimated, effects } = estimateImportance(trials, 'loss', ['mode', 'width']);
  expect(estimated).toBe(true);
  expect(effects[0]).toMatchObject({ parameter: 'mode', significant: true });
  expect(effects[0]?.share).toBeGreaterThan(0.98);
});

const measured = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 24, maxLength: 24 });

test('the estimate of a complete grid has the shares of the exact analysis, and the mean of the results at each value', () => {
  fc.assert(
    fc.property(measured, (values) => {
      let next = 0;
      const trials = [1, 2].flatMap((a) =>
        ['x', 'y', 'z'].flatMap((b) =>
          [true, false].flatMap((c) => replicates({ a, b, c }, [values[next++] ?? 0, values[next++] ?? 0])),
        ),
      );
      const exact = importanceOf(trials, 'loss', ['a', 'b', 'c']);
      fc.pre(exact.why === '');
      const estimate = estimateImportance(trials, 'loss', ['a', 'b', 'c']);
      expect(estimate.estimated).toBe(false);
      for (const { parameter, share, p, levels } of exact.effects) {
        const found = estimate.effects.find((effect) => effect.parameter === parameter);
        expect(found?.share).toBeCloseTo(share, 8);
        expect(found?.p).toBe(p);
        expect(found?.levels.map(({ mean, n }) => [mean, n])).toEqual(
          levels.map(({ spread }) => [expect.closeTo(spread.mean, 6), spread.n]),
        );
      }
    }),
  );
});

test('running and failed trials do not change the estimate', () => {
  const others = [
    { ...replicates({ depth: 5, latent: 50 }, [99])[0], state: 'running' as const },
    { ...replicates({ depth: 7, latent: 15 }, [99])[0], state: 'failed' as const },
  ].flatMap((one) => (one.id === undefined ? [] : [one])) as typeof MID_SWEEP;
  expect(others).toHaveLength(2);
  expect(estimateImportance([...MID_SWEEP, ...others], 'loss', AXES)).toEqual(
    estimateImportance(MID_SWEEP, 'loss', AXES),
  );
});

test('without replicates, effects are tested against the interactions', () => {
  const single = [15, 30, 50].flatMap((latent, i) =>
    [3, 5].flatMap((depth, j) => replicates({ depth, latent }, [i * 2 + j * 0.1 + (i === j ? 0.05 : 0)])),
  );
  expect(importanceOf(single, 'loss', AXES).effects[0]?.p).toBeUndefined();
  const { estimated, effects } = estimateImportance(single, 'loss', AXES);
  expect(estimated).toBe(false);
  expect(effects.map(({ parameter, significant }) => [parameter, significant])).toEqual([
    ['latent', true],
    ['depth', false],
  ]);
});

test('a mean that the results do not determine has no confidence interval', () => {
  // depth=5 was run only with act=b, and depth=3 only with act=a, so no result separates the effects of depth and act.
  const trials = [
    ...replicates({ depth: 3, act: 'a', width: 1 }, [1, 1.1]),
    ...replicates({ depth: 3, act: 'a', width: 2 }, [2, 2.1]),
    ...replicates({ depth: 5, act: 'b', width: 1 }, [3, 3.1]),
    ...replicates({ depth: 7, act: 'b', width: 2 }, [4, 4.1]),
  ];
  const { effects } = estimateImportance(trials, 'loss', ['depth', 'act', 'width']);
  const depth = effects.find(({ parameter }) => parameter === 'depth');
  expect(depth?.levels[0]).toMatchObject({ value: 3, mean: expect.closeTo(1.55, 12), interval: undefined, n: 4 });
});

test('an analysis of variance without effects states the reason', () => {
  const why = (trials: typeof MID_SWEEP) => estimateImportance(trials, 'loss', AXES).why;
  expect(why([])).toBe('no trial has a result yet');
  expect(why(replicates({ depth: 3 }, [1, 2]))).toBe('no parameter has results for two or more values');
  expect(why([1, 2].flatMap((latent) => replicates({ latent }, [1, 1])))).toBe('loss is equal in all trials');
  expect(why([1e300, -1e300].flatMap((loss, latent) => replicates({ latent }, [loss, loss])))).toBe(
    'the values of loss are too large for an analysis of variance',
  );
});

test('a parameter is not analyzed if only some trials have it', () => {
  const trials = [
    ...replicates({ depth: 3, act: 'a' }, [1, 1.2]),
    ...replicates({ depth: 5, act: 'a', extra: 1 }, [2, 2.2]),
    ...replicates({ depth: 5, act: 'b', extra: 2 }, [2.5, 2.6]),
    ...replicates({ depth: 3, act: 'b' }, [1.5, 1.6]),
    ...replicates({ depth: 5, act: 'b', extra: 1 }, [2.7, 2.8]),
  ];
  const { why, effects } = estimateImportance(trials, 'loss', ['depth', 'act', 'extra']);
  expect(why).toBe('extra is not set in every trial');
  expect(effects.map(({ parameter }) => parameter).sort()).toEqual(['act', 'depth']);
});
