import { expect, test } from 'vitest';
import { MAX_LINES, MAX_PANELS } from './limits.ts';
import { layOut } from './panels.ts';
import { reportData } from './report-data.fixture.ts';
import { variedParameters } from './trial-results.ts';

function laidOut(parameters: string, weights: Readonly<Record<string, number>>, seeds = '[0, 1]') {
  const data = reportData(
    `trainer: noop\nparameters: ${parameters}\nseeds: ${seeds}\n`,
    ({ parameters: of, seed }) => ({
      curves: {
        test_loss: [Object.entries(weights).reduce((sum, [name, w]) => sum + w * Number(of[name]), 0.01 * seed)],
      },
    }),
  );
  return layOut(data.configs, variedParameters(data));
}

test('a chart of a few configs has one line per config, named by the parameters that vary', () => {
  const { legend, panels, isPerConfig } = laidOut('{ a: { values: [1, 2] }, b: { values: [3, 4] } }', { a: 1, b: 3 });
  expect(legend).toEqual(['a=1 b=3', 'a=2 b=3', 'a=1 b=4', 'a=2 b=4']);
  expect(panels).toHaveLength(1);
  expect(isPerConfig).toBe(true);
});

test('with many configs, the color shows the parameter for which the chart needs the fewest panels', () => {
  const { legend, panels, isPerConfig, averaged } = laidOut(
    '{ a: { values: [1, 2] }, b: { values: [1, 2, 3] }, c: { values: [1, 2] } }',
    { a: 0.1, b: 10, c: 1 },
  );
  expect(legend).toEqual(['b=1', 'b=2', 'b=3']);
  expect(panels.map(({ title }) => title)).toEqual(['c=1, a=1', 'c=1, a=2', 'c=2, a=1', 'c=2, a=2']);
  expect([isPerConfig, averaged]).toEqual([true, []]);
});

test('if several parameters qualify for the color of the lines, the most important parameter is chosen', () => {
  const parameters = '{ a: { values: [1, 2, 3] }, b: { values: [1, 2, 3] } }';
  expect(laidOut(parameters, { a: 1, b: 10 }).legend).toEqual(['b=1', 'b=2', 'b=3']);
  expect(laidOut(parameters, { a: 10, b: 1 }).legend).toEqual(['a=1', 'a=2', 'a=3']);
});

test('panels that are empty because of `exclude` do not count toward the limit, so that every config still has its own line', () => {
  const axes = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}: { values: [1, 2] }`).join(', ');
  const rest = '\nexclude: [{ a: 1, b: 1 }, { c: 2, d: 1 }, { c: 1, d: 2 }]\n';
  const { panels, isPerConfig } = laidOut(`{ ${axes} }${rest}`, { a: 5, b: 4, c: 3, d: 2, e: 1 });
  expect([isPerConfig, panels.length]).toEqual([true, 6]);
});

test('many values of a numeric parameter are grouped in ranges, and the parameter is listed among those that the chart averages over', () => {
  const { legend, panels, isPerConfig, averaged } = laidOut(
    '{ a: { min: 1, max: 20, step: 1 }, b: { min: 1, max: 20, step: 1 } }',
    { a: 10, b: 1 },
    '[0]',
  );
  expect(legend).toHaveLength(MAX_LINES);
  expect(legend[0]).toBe('a=1 to 3');
  expect(panels.map(({ title }) => title)).toEqual(['b=1 to 5', 'b=6 to 10', 'b=11 to 15', 'b=16 to 20']);
  expect([isPerConfig, averaged]).toEqual([false, ['a', 'b']]);
});

test('every config is drawn, and a chart has no more panels and lines than a reader can distinguish', () => {
  const axes = ['a', 'b', 'c', 'd'].map((name) => `${name}: { values: [1, 2, 3, 4] }`).join(', ');
  const { legend, panels } = laidOut(`{ ${axes}, e: { values: [x, y] } }`, { a: 4, b: 3, c: 2, d: 1 }, '[0]');
  expect(panels.length).toBeLessThanOrEqual(MAX_PANELS);
  expect(legend.length).toBeLessThanOrEqual(MAX_LINES);
  const shown = panels.flatMap(({ groups }) => groups.flatMap(({ configs }) => configs.map(({ id }) => id)));
  expect(new Set(shown).size).toBe(4 ** 4 * 2);
  expect(shown).toHaveLength(4 ** 4 * 2);
});

test('a chart averages over text parameters with too many values', () => {
  const values = Array.from({ length: 9 }, (_, i) => `t${i}`).join(', ');
  const { legend, averaged } = laidOut(`{ a: { values: [${values}] } }`, {});
  expect([legend, averaged]).toEqual([['all configs'], ['a']]);
});
