import { expect, test } from 'vitest';
import type { TrialJson } from '../output/json.ts';
import { curveColumns, trialColumns } from './table.ts';
import { csvText } from './text.ts';

const trial = (change: Partial<TrialJson>): TrialJson => ({
  trial: 't',
  config: 'c',
  sweep: '1',
  index: 0,
  state: 'succeeded',
  rank: null,
  parameters: {},
  seed: 0,
  epoch: 1,
  metrics: {},
  metric_steps: {},
  attempts: 1,
  agent: null,
  backend: null,
  failure: null,
  stop_reason: null,
  dropped_in: null,
  started_at: null,
  ended_at: null,
  seconds: null,
  ...change,
});

async function csvOf(trials: readonly TrialJson[]): Promise<string[][]> {
  const rows: string[][] = [];
  for await (const line of csvText({ columns: trialColumns(trials, 'x'), rows: trials }))
    rows.push(line.trimEnd().split(','));
  return rows;
}

test('the name of a parameter or metric is prefixed with `parameter.` or `metric.` until the name is unique', async () => {
  const parameters = { state: 'solid', 'parameter.state': 'odd', x: 1 };
  const [header = [], row = []] = await csvOf([trial({ parameters, metrics: { x: 2 } })]);
  const cells = Object.fromEntries(header.map((name, i) => [name, row[i]]));
  expect(cells).toMatchObject({ state: 'succeeded', 'parameter.state': 'odd', x: '1', 'metric.x': '2' });
  expect(cells['parameter.parameter.state']).toBe('solid');
  expect(new Set(header).size).toBe(header.length);
});

test('each row of an export has a cell for every column, and a cell without a value is empty', async () => {
  const rows = await csvOf([trial({ parameters: { a: 1 } }), trial({ parameters: { b: 2 }, metrics: { m: 3 } })]);
  expect(rows.map((cells) => cells.slice(7, 10))).toEqual([
    ['a', 'b', 'm'],
    ['1', '', ''],
    ['', '2', '3'],
  ]);
});

test('metrics and parameters with the names of inherited properties are empty in trials that lack them', async () => {
  const names = ['constructor', 'hasOwnProperty', 'toString'];
  const values = Object.fromEntries(names.map((name, i) => [name, i]));
  const rows = await csvOf([trial({}), trial({ metrics: values }), trial({ parameters: values })]);
  const cells = rows.map((row) => row.slice(7, 13));
  expect(cells).toEqual([
    [...names, ...names.map((name) => `metric.${name}`)],
    ['', '', '', '', '', ''],
    ['', '', '', '0', '1', '2'],
    ['0', '1', '2', '', '', ''],
  ]);
});

test('a parameter has the narrowest type that fits all its values', () => {
  const values = [
    { depth: 3, noise: 0, flag: true, name: 'a', mixed: 1, large: 1 },
    { depth: 5, noise: 0.5, flag: false, name: 'b', mixed: 'auto', large: 1e300 },
  ];
  const types = trialColumns(
    values.map((parameters) => trial({ parameters })),
    'x',
  ).map(({ name, type }) => [name, type]);
  expect(Object.fromEntries(types)).toMatchObject({
    depth: 'integer',
    noise: 'number',
    flag: 'flag',
    name: 'text',
    mixed: 'text',
    large: 'number',
  });
});

test('a table with a row per epoch has the columns of the trial first, then the metrics, and no duplicate names', () => {
  const columns = curveColumns([trial({ parameters: { epoch: 3, x: 1 } })], ['test_loss', 'at'], true);
  expect(columns.map(({ name }) => name)).toEqual(
    'trial,config,seed,parameter.epoch,x,epoch,attempt,at,metric.at,test_loss'.split(','),
  );
});

test('the step of the ranking metric is exported, and its column has type number if any step is fractional', () => {
  const trials = [
    trial({ epoch: 12, metrics: { val: 1 }, metric_steps: { val: 10, train: 12 } }),
    trial({ epoch: 11, metrics: { train: 1 }, metric_steps: { train: 11 } }),
  ];
  const read = (rows: readonly TrialJson[]) =>
    trialColumns(rows, 'val')
      .filter(({ name }) => name === 'step' || name === 'epoch')
      .map(({ name, type, read }) => [name, type, ...rows.map(read)]);
  expect(read(trials)).toEqual([
    ['step', 'integer', 10, null],
    ['epoch', 'integer', 12, 11],
  ]);
  expect(read([trial({ epoch: 1.5, metric_steps: { val: 0.5 } })])).toEqual([
    ['step', 'number', 0.5],
    ['epoch', 'number', 1.5],
  ]);
  expect(curveColumns(trials, ['val'], false).find(({ name }) => name === 'epoch')?.type).toBe('number');
});

test('a table of trials has a column for the Pareto front only if the ranking has several objectives', async () => {
  const [header = [], first = [], second = []] = await csvOf([trial({ rank: 1, front: 1 }), trial({ rank: null })]);
  const at = header.indexOf('front');
  expect([header[at - 1], first[at], second[at]]).toEqual(['rank', '1', '']);
  expect((await csvOf([trial({ rank: 1 })]))[0]).not.toContain('front');
});
