/** Tests the trials of random and Sobol searches, and the plans of these searches. */
import { expect, test } from 'vitest';
import { parseSweep } from '../sweepfile/parse.ts';
import { enumerateTrials } from './enumerate.ts';
import { plan } from './plan.ts';

const SPACE = `parameters:
  lr: {distribution: log_uniform_values, min: 1.0e-4, max: 1}
  layers: {min: 1, max: 4}
  opt: {values: [adam, sgd]}
`;
const fileOf = (more: string, space = SPACE) => `command: [train, "\${args}"]\nmetric: {name: loss}\n${more}\n${space}`;
const parse = (text: string) => parseSweep(text, 'x.yaml');
const trialsOf = (text: string) => [...enumerateTrials(parse(text))];
const points = (text: string) => trialsOf(text).map(({ parameters }) => ({ ...parameters }));

test.each(['random', 'sobol'])('method %s draws run_cap distinct trials within the space', (method) => {
  const text = fileOf(`method: ${method}\nrun_cap: 200`);
  const trials = trialsOf(text);
  expect(new Set(trials.map(({ trialId }) => trialId)).size).toBe(200);
  expect(plan(parse(text))).toMatchObject({ trials: 200, configs: 200, points: 200, duplicates: 0 });
  for (const { parameters } of trials) {
    expect(Number(parameters.lr) >= 1e-4 && Number(parameters.lr) <= 1).toBe(true);
    expect([1, 2, 3, 4]).toContain(parameters.layers);
    expect(['adam', 'sgd']).toContain(parameters.opt);
  }
});

test.each(['random', 'sobol'])('method %s with a larger run_cap begins with the same trials', (method) => {
  const [few, many] = [20, 50].map((cap) => points(fileOf(`method: ${method}\nrun_cap: ${cap}`)));
  expect(many?.slice(0, 20)).toEqual(few);
});

test('the first point of a Sobol search is the center of the space', () => {
  expect(points(fileOf('method: sobol\nrun_cap: 1'))).toEqual([{ lr: 0.01, layers: 3, opt: 'sgd' }]);
});

test('an additional parameter of a random search does not change the values of the other parameters', () => {
  const text = 'method: random\nrun_cap: 5';
  const more = points(fileOf(text, `${SPACE}  dropout: {min: 0.0, max: 0.5}\n`));
  expect(more.map(({ lr, layers, opt }) => ({ lr, layers, opt }))).toEqual(points(fileOf(text)));
});

test('the seed of a random search determines its points, and is 0 by default', () => {
  const [one, two] = [1, 2].map((seed) => points(fileOf(`method: random\nrun_cap: 5\nseed: ${seed}`)));
  expect(one).not.toEqual(two);
  expect(points(fileOf('method: random\nrun_cap: 5\nseed: 0'))).toEqual(points(fileOf('method: random\nrun_cap: 5')));
});

test('run_cap limits the number of trials, and each config has all its replicates', () => {
  const text = fileOf('method: random\nrun_cap: 5\nreplicates: 2');
  expect(trialsOf(text).map(({ seed }) => seed)).toEqual([0, 1, 0, 1]);
  expect(plan(parse(text))).toMatchObject({ trials: 4, configs: 2, replicates: 2 });
});

test('a search replaces each point that `exclude` drops, and the plan counts the dropped points', () => {
  const text = fileOf('method: random\nrun_cap: 40\nexclude: [{opt: sgd}]');
  expect(points(text).every(({ opt }) => opt === 'adam')).toBe(true);
  const { trials, points: drawn, excluded } = plan(parse(text));
  expect(trials).toBe(40);
  expect(excluded).toEqual([{ rule: 'opt=sgd', count: drawn - 40 }]);
});

test('a search of a small space ends when all configs have been drawn', () => {
  const text = fileOf('method: random\nrun_cap: 1000', 'parameters: {a: {values: [1, 2, 3]}, b: {min: 1, max: 4}}\n');
  expect(plan(parse(text))).toMatchObject({ trials: 12, configs: 12 });
  expect(trialsOf(text)).toHaveLength(12);
});

test('a search is rejected if its first 10,000 points are excluded, and the error makes no claim about further points', () => {
  const parameters = 'parameters: {a: {values: [1, 2], probabilities: [0.99999999, 0.00000001]}}\n';
  const text = fileOf('method: random\nrun_cap: 3\nexclude: [{a: 1}]', parameters);
  expect(() => trialsOf(text)).toThrow(
    'sweep x has no trials: exclude drops each of the first 10,000 points of the search',
  );
});

test('without run_cap, a search has at most 10,000 trials, and the plan reports this limit', () => {
  const spec = parse(fileOf('method: random'));
  expect(plan(spec).trials).toBe(10_000);
  expect(spec.notes).toContain('the file has no run_cap: the sweep has at most 10,000 trials');
});

test('the plan of a search with many configs gives upper bounds, and no points are drawn', () => {
  expect(plan(parse(fileOf('method: random\nrun_cap: 1000000000\nreplicates: 2')))).toMatchObject({
    trials: 1_000_000_000,
    configs: 500_000_000,
    isBound: true,
    points: 0,
  });
  expect(plan(parse(fileOf('method: random\nrun_cap: 100'))).isBound).toBe(false);
});

test('a Sobol search has at most 128 parameters that vary', () => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `p${index}: {min: 0.0, max: 1}`);
  const file = (count: number) => {
    const nested = `parameters: {c: {value: 1}, n: {parameters: {${names(count).join(', ')}}}}\n`;
    return fileOf('method: sobol\nrun_cap: 1', nested);
  };
  expect(trialsOf(file(128))).toHaveLength(1);
  expect(() => parse(file(129))).toThrow('129 parameters vary (max 128 for sobol)');
});
