import { describe, expect, test } from 'vitest';
import { Random, STREAMS } from './random.ts';
import { type Batch, type Protocol, ReferenceNetwork } from './reference-network.fixture.ts';

const PLAIN: Omit<Protocol, 'depth'> = {
  latentDim: 15,
  lambdaL1: 0,
  weightDecay: 0,
  learningRate: 0.001,
  l1InGradient: true,
};
const PARAMETERS = {
  3: 2 * (784 * 256 + 256 * 144 + 144 * 15) + 256 + 144 + 15 + 144 + 256 + 784,
  5:
    2 * (784 * 640 + 640 * 512 + 512 * 256 + 256 * 144 + 144 * 15) +
    (640 + 512 + 256 + 144 + 15 + 144 + 256 + 512 + 640 + 784),
} as const;

const random = new Random(3, STREAMS.weights);
const uniform = (count: number, bound: number) =>
  Float64Array.from({ length: count }, () => (2 * random.uniform() - 1) * bound);

function networkOf(protocol: Protocol): ReferenceNetwork {
  return new ReferenceNetwork(protocol, uniform(PARAMETERS[protocol.depth], 0.08));
}

const batch: Batch = { input: uniform(2 * 784, 1), target: uniform(2 * 784, 1), images: 2 };

describe.each([3, 5] as const)('depth %i', (depth) => {
  test('the reference network has as many parameters as the protocol specifies, and rejects fewer parameters', () => {
    expect(networkOf({ ...PLAIN, depth }).bounds.at(-1)).toBe(PARAMETERS[depth]);
    expect(() => new ReferenceNetwork({ ...PLAIN, depth }, uniform(PARAMETERS[depth] - 1, 1))).toThrow(
      /^expected \d+ parameters, got/,
    );
  });

  test('the gradient equals the slope of the loss, for the weight and bias of every layer', () => {
    const network = networkOf({ ...PLAIN, depth });
    const gradient = network.gradient(batch);
    const { bounds, parameters } = network;
    const slope = (at: number) => {
      const [value, h] = [parameters[at] ?? Number.NaN, 1e-5];
      const loss = (shift: number) => {
        parameters[at] = value + shift;
        return network.losses(batch).mse;
      };
      const central = (loss(h) - loss(-h)) / (2 * h);
      parameters[at] = value;
      return central;
    };
    bounds.slice(0, -1).forEach((from, part) => {
      const own = gradient.subarray(from, bounds[part + 1]);
      const largest = own.reduce((max, g) => Math.max(max, Math.abs(g)), 0);
      const steepest = own.findIndex((g) => Math.abs(g) === largest);
      const places = [steepest, Math.floor(random.uniform() * own.length)];
      expect(largest).toBeGreaterThan(1e-6);
      for (const place of places)
        expect(Math.abs(slope(from + place) - (own[place] ?? Number.NaN)), `part ${part}`).toBeLessThan(1e-5 * largest);
    });
  });
});

test('mse is the mean over all pixels, and l1 is lambda times the sum of |parameter| over weights and biases', () => {
  const silent = new ReferenceNetwork({ ...PLAIN, depth: 3, lambdaL1: 0.5 }, new Float64Array(PARAMETERS[3]));
  const squares = Array.from(batch.target).reduce((sum, pixel) => sum + pixel ** 2, 0);
  expect(silent.losses(batch).mse).toBeCloseTo(squares / (2 * 784), 12);
  silent.parameters.fill(-0.25);
  expect(silent.losses(batch).l1).toBeCloseTo(0.5 * 0.25 * PARAMETERS[3], 6);
});

test("Adam's first step is lr * g / (|g| + 1e-8), where g includes the terms of the elastic net that are in the gradient", () => {
  const net = { depth: 3, lambdaL1: 1e-3, weightDecay: 0.01, learningRate: 0.002 } as const;
  for (const l1InGradient of [true, false]) {
    const network = networkOf({ ...PLAIN, ...net, l1InGradient });
    const before = network.parameters.slice();
    const gradient = network.gradient(batch);
    network.step(batch);
    before.forEach((value, i) => {
      const g = (gradient[i] ?? Number.NaN) + 0.01 * value + (l1InGradient ? 1e-3 * Math.sign(value) : 0);
      const expected = value - (0.002 * g) / (Math.abs(g) + 1e-8);
      if (!(Math.abs((network.parameters[i] ?? Number.NaN) - expected) < 1e-12)) expect.fail(`parameter ${i}`);
    });
  }
});
