import { expect, test } from 'vitest';
import { chooseReconstructions } from './choose-reconstructions.ts';
import { type Outcome, reportData } from './report-data.fixture.ts';
import { variedParameters } from './trial-results.ts';

const GRID = 'trainer: noop\nparameters: { a: { values: [1, 2, 3] }, b: { values: [1, 2] } }\nseeds: [0, 1]\n';

function chosen(text: string, outcome: Parameters<typeof reportData>[1], goal: 'minimize' | 'maximize' = 'minimize') {
  const data = reportData(text, outcome);
  return chooseReconstructions(data.configs, data.trials, variedParameters(data), { metric: 'test_loss', goal });
}

const loss = (value: number): Outcome => ({ curves: { test_loss: [value] } });

test('each value of the most important parameter has one image, from the config that is closest to the best config', () => {
  const images = chosen(GRID, ({ parameters: { a, b }, seed }) =>
    loss(Math.abs(Number(a) - 2) * 10 + Number(b) + (seed === 0 ? 0.5 : 0)),
  );
  expect(images.map(({ label }) => label)).toEqual(['a=1', 'a=2, best', 'a=3']);
  expect(images.map(({ trial }) => [trial.seed, trial.metrics.test_loss])).toEqual([
    [1, 11],
    [1, 1],
    [1, 11],
  ]);
});

test('a value without results has no image, and failed trials are never chosen', () => {
  const failure = { class: 'crash', message: '' } as const;
  const images = chosen(GRID, ({ parameters: { a, b }, seed }) =>
    a === 3 || seed === 0 ? { ...loss(0), state: 'failed', failure } : loss(Number(a) * 10 + Number(b)),
  );
  expect(images.map(({ label, trial }) => [label, trial.seed])).toEqual([
    ['a=1, best', 1],
    ['a=2', 1],
  ]);
});

test('if no parameter varies, only the best config is chosen, and without results, no config is chosen', () => {
  const one = 'trainer: noop\nparameters: { a: { value: 1 } }\nseeds: [0, 1]\n';
  expect(chosen(one, ({ seed }) => loss(seed)).map(({ label, trial }) => [label, trial.seed])).toEqual([['best', 0]]);
  expect(chosen(one, ({ seed }) => loss(seed), 'maximize').map(({ trial }) => trial.seed)).toEqual([1]);
  expect(chosen(GRID, () => ({ state: 'pending' }))).toEqual([]);
});
