import { render } from 'ink-testing-library';
import { beforeAll, expect, test } from 'vitest';
import { setColors } from '../colors.ts';
import { Legend, Plot } from './Plot.tsx';

beforeAll(() => setColors({ color: false, ascii: false, plain: true }));

function drawn(...points: [number, number][]): string {
  const app = render(<Plot title="loss" series={[{ name: 'a', points }]} columns={30} lines={6} />);
  const frame = app.lastFrame() ?? '';
  app.unmount();
  return frame;
}

test('a plot can draw a single value or several equal values, and shows a message if no value is finite', () => {
  expect(drawn([1, 5])).toMatch(/[\u2801-\u28ff]/);
  expect(drawn([1, 5], [2, 5])).toMatch(/[\u2801-\u28ff]/);
  expect(drawn([1, Number.NaN])).toContain('no values yet');
});

test('a plot shows its title, its range, and the first and last epoch', () => {
  const lines = drawn([1, 5], [20, 1]).split('\n');
  expect(lines).toHaveLength(6);
  expect(lines[0]).toBe('loss');
  expect(lines[1]).toMatch(/^ +5\.0000│/);
  expect(lines[4]).toMatch(/^ +1\.0000│/);
  expect(lines[5]).toMatch(/^ {11}1 +20$/);
});

test('a plot draws a vertical line at each mark within its range', () => {
  const draw = (marks: number[]) => {
    const points: [number, number][] = [
      [1, 1],
      [20, 1],
    ];
    const app = render(<Plot title="loss" series={[{ name: 'a', points }]} columns={30} lines={6} marks={marks} />);
    const rows = (app.lastFrame() ?? '').split('\n').slice(1, 5);
    app.unmount();
    return rows.map((row) => [...row].filter((character) => character >= '\u2801' && character <= '\u28ff').length);
  };
  const without = draw([]);
  expect(draw([30])).toEqual(without);
  const marked = draw([10]);
  expect(marked.filter((dots, row) => dots > (without[row] ?? 0)).length).toBeGreaterThanOrEqual(2);
});

test('a long legend continues on the next line, and no name is split', () => {
  const series = ['latent_dim=15', 'latent_dim=30', 'latent_dim=50'].map((name) => ({ name, points: [] }));
  const app = render(<Legend series={series} columns={36} />);
  expect(app.lastFrame()).toBe('a latent_dim=15  b latent_dim=30\nc latent_dim=50');
  app.unmount();
});
