import { expect, test } from 'vitest';
import { parseSweep } from '../sweepfile/parse.ts';
import { enumerateTrials } from './enumerate.ts';

function trialsOf(text: string) {
  return [...enumerateTrials(parseSweep(text, 'x.yaml'))];
}

const GRID = 'trainer: noop\nparameters: {a: {values: [1, 2]}, b: {values: [7, 8]}}\nseeds: [0, 5]\n';

test('the last axis varies fastest, and the replicates of a config are next to each other', () => {
  const rows = trialsOf(GRID).map(({ parameters, seed }) => [parameters.a, parameters.b, seed]);
  expect(rows).toEqual([
    ...[
      [1, 7, 0],
      [1, 7, 5],
      [1, 8, 0],
      [1, 8, 5],
    ],
    ...[
      [2, 7, 0],
      [2, 7, 5],
      [2, 8, 0],
      [2, 8, 5],
    ],
  ]);
});

test('the replicates of a config have the same config id', () => {
  const ids = trialsOf(GRID).map(({ configId }) => configId);
  expect(ids[0]).toBe(ids[1]);
  expect(new Set(ids).size).toBe(4);
});

test('the parameters of a trial include the defaults of the trainer', () => {
  const [trial] = trialsOf('{trainer: autoencoder, parameters: {latent_dim: {value: 15}}}');
  expect(trial?.parameters).toMatchObject({
    latent_dim: 15,
    batch_size: 64,
    learning_rate: 1e-3,
    l1_in_gradient: true,
  });
});

test('the conditions of `when` rules are checked before any rule changes the point, and later rules take precedence', () => {
  const text = `
trainer: noop
parameters: {a: {values: [1, 2]}, b: {value: 0}}
when:
  - {if: {a: 1}, set: {a: 2, b: 5}}
  - {if: {a: 2}, set: {b: 6}}
  - {if: {a: 1}, set: {b: 7}}
`;
  expect(trialsOf(text).map(({ parameters }) => [parameters.a, parameters.b])).toEqual([
    [2, 7],
    [2, 6],
  ]);
});

test('a shuffled order depends only on its seed, contains every trial, and keeps replicates together', () => {
  const many = 'trainer: noop\nparameters: {a: {min: 1, max: 50, step: 1}}\nreplicates: 2\n';
  const trials = (seed: number) => trialsOf(`${many}order: shuffled\nseed: ${seed}\n`);
  const order = (seed: number) => trials(seed).map(({ trialId }) => trialId);
  const grid = trialsOf(many).map(({ trialId }) => trialId);
  expect(order(1)).toEqual(order(1));
  expect(order(1)).not.toEqual(order(2));
  expect(order(1)).not.toEqual(grid);
  expect(order(1).toSorted()).toEqual(grid.toSorted());
  expect(trials(1).every(({ seed, index }) => seed === index % 2)).toBe(true);
});

test('the first trials of a shuffled grid of a billion points come from the whole grid', () => {
  const text = `{trainer: noop, parameters: {a: {min: 1, max: 1000000000, step: 1}}, order: shuffled, seed: 1}`;
  const trials = enumerateTrials(parseSweep(text, 'x.yaml'));
  const values = Array.from({ length: 40 }, () => Number(trials.next().value?.parameters.a));
  expect(new Set(values).size).toBe(40);
  expect(values.some((value) => value < 250_000_000) && values.some((value) => value > 750_000_000)).toBe(true);
});

test('points that are equal after `when` become one trial, at the position of the first point', () => {
  const text =
    'trainer: noop\nparameters: {a: {values: [1, 2]}, b: {values: [1, 2]}}\nwhen: [{if: {a: 1}, set: {b: 7}}]';
  expect(trialsOf(text).map(({ parameters: { a, b } }) => [a, b])).toEqual([
    [1, 7],
    [2, 1],
    [2, 2],
  ]);
});

test('the first ten configs of a tpe search can be listed, because they are random points', () => {
  const space = 'parameters: {a: {min: 0.0, max: 1.0}, b: {min: 1, max: 50}}\nseeds: [0, 5]\n';
  const firstOf = (method: string, limit: number) => {
    const rows: unknown[] = [];
    const spec = parseSweep(`trainer: noop\nmethod: ${method}\nseed: 3\nrun_cap: 40\n${space}`, 'x.yaml');
    for (const { parameters, seed } of enumerateTrials(spec)) {
      rows.push([parameters.a, parameters.b, seed]);
      if (rows.length === limit) break;
    }
    return rows;
  };
  expect(firstOf('tpe', 20)).toHaveLength(20);
  expect(firstOf('tpe', 20)).toEqual(firstOf('random', 20));
  expect(() => firstOf('bayes', 21)).toThrow(
    'method tpe chooses its points from the results of earlier trials; only the first 10 configs can be listed',
  );
});
