import { expect, test } from 'vitest';
import { sampleSweep } from '../../test/support/dashboard/sample.ts';
import { hasPreview, listColumns, listLines } from './layout.ts';
import { EMPTY_STATE } from './reducer.ts';
import { initialUi } from './ui.ts';

/** Returns how many lines a list of sweeps gets on a terminal. The header and the footer take 8 of the rows. */
function linesOf(sweeps: number, rows: number): number {
  return listLines({
    size: { columns: 80, rows },
    ui: initialUi({ kind: 'sweeps' }),
    rows: { length: 0, slice: () => [], indexOf: () => -1 },
    state: EMPTY_STATE,
    earlierEvents: [],
    sweeps: Array.from({ length: sweeps }, (_, at) => sampleSweep({ id: `${at}` })),
  });
}

test.each([
  { sweeps: 0, rows: 24, lines: 16, preview: 'an empty list has no preview' },
  { sweeps: 3, rows: 24, lines: 4, preview: 'a short list leaves all unused lines to the preview' },
  { sweeps: 8, rows: 24, lines: 9, preview: 'a preview of seven lines is shown' },
  { sweeps: 9, rows: 24, lines: 16, preview: 'a list that leaves six lines has no preview' },
  { sweeps: 100, rows: 43, lines: 35, preview: 'a long list of fewer than 36 lines has no preview' },
  { sweeps: 100, rows: 44, lines: 20, preview: 'a long list keeps 20 lines above a preview of 16 lines' },
  { sweeps: 100, rows: 60, lines: 36, preview: 'a long list leaves 16 lines to the preview on a tall terminal' },
])('$preview: $sweeps sweeps on $rows rows', ({ sweeps, rows, lines }) => {
  expect(linesOf(sweeps, rows)).toBe(lines);
});

test.each([
  { columns: 159, rows: 24, list: 159, preview: 'a terminal of fewer than 160 columns has no preview beside the list' },
  { columns: 200, rows: 24, list: 110, preview: 'a wide and short terminal has a preview beside a long list' },
  { columns: 200, rows: 60, list: 200, preview: 'a tall terminal has its preview below the list' },
])('$preview: $columns columns and $rows rows', ({ columns, rows, list }) => {
  const sweeps = Array.from({ length: 100 }, (_, at) => sampleSweep({ id: `${at}` }));
  const none = { length: 0, slice: () => [], indexOf: () => -1 };
  const model = {
    size: { columns, rows },
    ui: initialUi({ kind: 'sweeps' }),
    rows: none,
    state: EMPTY_STATE,
    sweeps,
    earlierEvents: [],
  };
  expect(listColumns(model)).toBe(list);
  expect(hasPreview(model)).toBe(columns !== 159);
});
