import fc from 'fast-check';
import { expect, test } from 'vitest';
import { initialParameters, layersOf, parameterLayout, ROW } from './model.ts';
import { Random, STREAMS } from './random.ts';

const weights = (seed: number) => new Random(seed, STREAMS.weights);

test('a network of depth 3 has the layers 784-256-144-d-144-256-784, and depth 5 adds layers of 640 and 512 units', () => {
  const widths = (depth: 3 | 5, latent: number) => [784, ...layersOf(depth, latent).map(({ outputs }) => outputs)];
  expect(widths(3, 15)).toEqual([784, 256, 144, 15, 144, 256, 784]);
  expect(widths(5, 100)).toEqual([784, 640, 512, 256, 144, 100, 144, 256, 512, 640, 784]);
});

test('each layer has as many inputs as the previous layer has outputs', () => {
  for (const depth of [3, 5] as const) {
    const layers = layersOf(depth, 30);
    layers.slice(1).forEach(({ inputs }, i) => {
      expect(inputs).toBe(layers[i]?.outputs);
    });
  }
});

test('every layer uses ReLU, except the code layer (linear) and the last layer (tanh)', () => {
  expect(layersOf(3, 15).map(({ activation }) => activation)).toEqual([
    'relu',
    'relu',
    'linear',
    'relu',
    'relu',
    'tanh',
  ]);
  const five = layersOf(5, 15).map(({ activation }) => activation);
  expect(five.filter((activation) => activation === 'relu')).toHaveLength(8);
  expect([five[4], five[9]]).toEqual(['linear', 'tanh']);
});

test('a layout includes every weight and bias, with less than one row of padding', () => {
  expect(parameterLayout(layersOf(3, 15)).parameters).toBe(
    2 * (784 * 256 + 256 * 144 + 144 * 15) + 256 + 144 + 15 + 144 + 256 + 784,
  );
  fc.assert(
    fc.property(fc.constantFrom(3 as const, 5 as const), fc.integer({ min: 1, max: 784 }), (depth, latent) => {
      const { sizes, parameters, rows } = parameterLayout(layersOf(depth, latent));
      const padding = rows * ROW - parameters;
      return sizes.reduce((sum, size) => sum + size, 0) === parameters && padding >= 0 && padding < ROW;
    }),
  );
});

test("the initial weights and biases are uniform in ±1/sqrt(inputs), PyTorch's default", () => {
  const layers = layersOf(5, 50);
  const { sizes, parameters } = parameterLayout(layers);
  const flat = initialParameters(layers, weights(3));
  const biases: number[] = [];
  let at = 0;
  sizes.forEach((size, i) => {
    const values = flat.subarray(at, at + size);
    at += size;
    const bound = 1 / Math.sqrt(layers[i >> 1]?.inputs ?? Number.NaN);
    expect(values.every((value) => Math.abs(value) <= Math.fround(bound))).toBe(true);
    if (i % 2 === 1) biases.push(...values.map((value) => value / bound));
    if (size < 2000) return;
    const mean = values.reduce((sum, value) => sum + value, 0) / size;
    const variance = values.reduce((sum, value) => sum + value ** 2, 0) / size;
    // The initial values are uniform in ±bound, so their variance is bound² / 3. The mean of n such values has a
    // standard error of bound / sqrt(3n). Their variance has a relative standard error of 0.9 / sqrt(n).
    expect(Math.abs(mean)).toBeLessThan((5 * bound) / Math.sqrt(3 * size));
    expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, size > 50_000 ? 1.7 : 0.9);
  });
  expect(biases).toHaveLength(640 + 512 + 256 + 144 + 50 + 144 + 256 + 512 + 640 + 784);
  expect(biases.reduce((sum, share) => sum + share ** 2, 0) / biases.length).toBeCloseTo(1 / 3, 1.5);
  expect(flat.subarray(parameters).every((value) => value === 0)).toBe(true);
});

test('a seed determines the initial parameters, and another seed gives different parameters', () => {
  const layers = layersOf(3, 30);
  const [start, again, other] = [1, 1, 2].map((seed) => initialParameters(layers, weights(seed)).slice(0, 1000));
  expect(again).toEqual(start);
  expect(other).not.toEqual(start);
});
