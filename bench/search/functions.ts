/**
 * Defines test functions with known minima. If the minimum of a function is at the center of its usual domain, the
 * domain is shifted, so that a preference for the center is no advantage.
 *
 * S. Surjanovic and D. Bingham, Virtual Library of Simulation Experiments, https://www.sfu.ca/~ssurjano.
 */
import type { Distribution } from '../../coordinator/search/distribution.ts';
import { randomCoordinate } from '../../coordinator/search/random.ts';
import type { ParameterValue } from '../../proto/trainers.ts';

export type Point = Readonly<Record<string, ParameterValue>>;

/** The condition under which a parameter has an effect. */
interface Condition {
  readonly parameter: string;
  readonly value: ParameterValue;
}

export interface TestFunction {
  readonly name: string;
  readonly space: ReadonlyMap<string, Distribution>;
  /** Parameters without an entry always have an effect. */
  readonly conditions: ReadonlyMap<string, Condition>;
  /**
   * Returns the value that a search observes and minimizes; undefined if the trial fails.
   * @param trial identifies the trial and determines the noise
   */
  readonly observe: (point: Point, trial: string) => number | undefined;
  /** Returns the noise-free value of the function; undefined if a trial at this point fails. */
  readonly value: (point: Point) => number | undefined;
  readonly minimum: number;
}

type Formula = (x: readonly number[]) => number;

function continuous(
  name: string,
  ranges: readonly (readonly [number, number])[],
  formula: Formula,
  minimum: number,
): TestFunction {
  const space = new Map(
    ranges.map(([min, max], i): [string, Distribution] => [`x${i + 1}`, { kind: 'uniform', min, max, q: undefined }]),
  );
  const value = (point: Point) => formula([...space.keys()].map((key) => Number(point[key])));
  return { name, space, conditions: new Map(), observe: value, value, minimum };
}

/** Returns one range per dimension, each from `min` to `max`. */
function cube(dimensions: number, min: number, max: number): [number, number][] {
  return Array.from({ length: dimensions }, () => [min, max]);
}

function sum(x: readonly number[], term: (value: number, index: number) => number): number {
  return x.reduce((total, value, index) => total + term(value, index), 0);
}

function at(x: readonly number[], index: number): number {
  return x[index] ?? 0;
}

const branin: Formula = (x) => {
  const [x1, x2] = [at(x, 0), at(x, 1)];
  const slope = x2 - (5.1 / (4 * Math.PI ** 2)) * x1 ** 2 + (5 / Math.PI) * x1 - 6;
  return slope ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x1) + 10;
};

const HARTMANN_ALPHA = [1, 1.2, 3, 3.2];
const HARTMANN_A = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const HARTMANN_P = [
  [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
  [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
  [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665],
  [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
];
const hartmann6: Formula = (x) =>
  -sum(HARTMANN_ALPHA, (alpha, row) => {
    const weights = HARTMANN_A[row] ?? [];
    const center = HARTMANN_P[row] ?? [];
    return alpha * Math.exp(-sum(x, (value, i) => at(weights, i) * (value - at(center, i)) ** 2));
  });

const rosenbrock: Formula = (x) =>
  sum(x.slice(0, -1), (value, i) => 100 * (at(x, i + 1) - value ** 2) ** 2 + (value - 1) ** 2);

const ackley: Formula = (x) =>
  -20 * Math.exp(-0.2 * Math.sqrt(sum(x, (value) => value ** 2) / x.length)) -
  Math.exp(sum(x, (value) => Math.cos(2 * Math.PI * value)) / x.length) +
  20 +
  Math.E;

const levy: Formula = (x) => {
  const w = x.map((value) => 1 + (value - 1) / 4);
  const last = at(w, w.length - 1);
  return (
    Math.sin(Math.PI * at(w, 0)) ** 2 +
    sum(w.slice(0, -1), (value) => (value - 1) ** 2 * (1 + 10 * Math.sin(Math.PI * value + 1) ** 2)) +
    (last - 1) ** 2 * (1 + Math.sin(2 * Math.PI * last) ** 2)
  );
};

const griewank: Formula = (x) =>
  1 +
  sum(x, (value) => value ** 2) / 4000 -
  x.reduce((product, value, i) => product * Math.cos(value / Math.sqrt(i + 1)), 1);

const michalewicz: Formula = (x) =>
  -sum(x, (value, i) => Math.sin(value) * Math.sin(((i + 1) * value ** 2) / Math.PI) ** 20);

const styblinskiTang: Formula = (x) => sum(x, (value) => value ** 4 - 16 * value ** 2 + 5 * value) / 2;

const rastrigin: Formula = (x) => 10 * x.length + sum(x, (value) => value ** 2 - 10 * Math.cos(2 * Math.PI * value));

/** Returns the function with noise. The regret of a search is computed from the noise-free values of its points. */
function noisy(f: TestFunction, deviation: number): TestFunction {
  return {
    ...f,
    name: `${f.name}, noisy`,
    observe: (point, trial) => {
      const value = f.value(point);
      if (value === undefined) return undefined;
      const [u, v] = [randomCoordinate(1, 0, `${trial} u`), randomCoordinate(1, 0, `${trial} v`)];
      return value + deviation * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
    },
  };
}

const log = (min: number, max: number): Distribution => ({ kind: 'log_uniform', min, max, q: undefined });
const linear = (min: number, max: number): Distribution => ({ kind: 'uniform', min, max, q: undefined });
const whole = (min: number, max: number): Distribution => ({ kind: 'int_uniform', min, max });
const choice = (...values: ParameterValue[]): Distribution => ({
  kind: 'categorical',
  values,
  probabilities: undefined,
});

/**
 * Returns a function whose first parameter is the choice of one of three models. Every point also has the parameter
 * `scaling`. Each of the other parameters belongs to one model. The model `network` has the lowest minimum. This
 * minimum lies in a narrow range of learning rates, which depends on the batch size. Trials of this model with high
 * learning rates fail.
 */
function conditional(): TestFunction {
  const space = new Map<string, Distribution>([
    ['model', choice('svm', 'forest', 'network')],
    ['scaling', choice('none', 'standard', 'robust')],
    ['svm.c', log(1e-3, 1e3)],
    ['svm.gamma', log(1e-4, 10)],
    ['forest.trees', whole(10, 500)],
    ['forest.depth', whole(1, 30)],
    ['forest.features', linear(0.1, 1)],
    ['network.learning_rate', log(1e-5, 1)],
    ['network.layers', whole(1, 5)],
    ['network.dropout', linear(0, 0.8)],
    ['network.activation', choice('relu', 'tanh', 'gelu')],
    ['network.batch', log(8, 512)],
  ]);
  const conditions = new Map(
    [...space.keys()].flatMap((name): [string, Condition][] => {
      const [model, own] = name.split('.');
      return own === undefined || model === undefined ? [] : [[name, { parameter: 'model', value: model }]];
    }),
  );
  const value = (point: Point): number | undefined => {
    const number = (name: string) => Number(point[name]);
    const scaling = { none: 0.05, standard: 0, robust: 0.01 }[String(point.scaling)] ?? 0;
    switch (point.model) {
      case 'svm':
        return (
          0.2 +
          2 * scaling +
          0.02 * (Math.log10(number('svm.c')) - 1) ** 2 +
          0.03 * (Math.log10(number('svm.gamma')) + 2) ** 2
        );
      case 'forest':
        return (
          0.16 +
          0.1 * Math.exp(-number('forest.trees') / 80) +
          0.15 * Math.exp(-number('forest.depth') / 6) +
          0.1 * (number('forest.features') - 0.4) ** 2
        );
      default: {
        const rate = Math.log10(number('network.learning_rate'));
        if (rate > -0.5) return undefined;
        const best = -3 + 0.5 * Math.log2(number('network.batch') / 64) * Math.log10(2);
        const activation = { relu: 0.005, tanh: 0.02, gelu: 0 }[String(point['network.activation'])] ?? 0;
        return (
          0.1 +
          scaling +
          activation +
          0.3 * (1 - Math.exp(-((rate - best) ** 2) / 0.5)) +
          0.015 * (number('network.layers') - 3) ** 2 +
          0.2 * (number('network.dropout') - 0.2) ** 2 +
          0.004 * Math.abs(Math.log2(number('network.batch') / 32))
        );
      }
    }
  };
  return { name: 'mixed conditional', space, conditions, observe: value, value, minimum: 0.1 };
}

/** The functions of the comparison, except the table of autoencoder trials. */
export const REQUIRED: readonly TestFunction[] = [
  continuous(
    'Branin',
    [
      [-5, 10],
      [0, 15],
    ],
    branin,
    0.39788735772973816,
  ),
  continuous('Hartmann 6', cube(6, 0, 1), hartmann6, -3.32236801141551),
  continuous('Rosenbrock 5', cube(5, -5, 10), rosenbrock, 0),
  conditional(),
];

/** The functions that `--further` selects. They show whether the search also performs well on other functions. */
export const FURTHER: readonly TestFunction[] = [
  continuous('Ackley 2', cube(2, -15, 30), ackley, 0),
  continuous('Ackley 8', cube(8, -15, 30), ackley, 0),
  continuous('Levy 4', cube(4, -10, 10), levy, 0),
  continuous('Griewank 5', cube(5, -300, 600), griewank, 0),
  continuous('Michalewicz 5', cube(5, 0, Math.PI), michalewicz, -4.687658179),
  continuous('Styblinski-Tang 3', cube(3, -5, 5), styblinskiTang, -39.16616570377142 * 3),
  continuous('Styblinski-Tang 10', cube(10, -5, 5), styblinskiTang, -39.16616570377142 * 10),
  continuous('Rastrigin 4', cube(4, -4, 6), rastrigin, 0),
  noisy(continuous('Hartmann 6', cube(6, 0, 1), hartmann6, -3.32236801141551), 0.3),
  noisy(continuous('Levy 4', cube(4, -10, 10), levy, 0), 2),
];
