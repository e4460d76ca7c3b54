import fc from 'fast-check';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { formatSpan } from './duration.ts';
import { formatMetric, formatSpread } from './numbers.ts';
import { type Column, layoutTable } from './table.ts';
import { visibleLines, visibleText } from './visible-text.ts';
import { columnsOf, pad, truncate } from './width.ts';

const anyText = fc.string({ unit: 'binary' });

test('escape sequences, line breaks and bidirectional overrides are shown, not interpreted', () => {
  expect(visibleText('\u001b[31mred\u0007\n')).toBe('␛[31mred␇␊');
  expect(visibleText('a\u202eb\u009bc\u007f')).toBe('a\\u{202e}b\\u{9b}c␡');
  expect(visibleText('\u061c')).toBe('\\u{61c}');
  expect(visibleText('größe 数 🙂')).toBe('größe 数 🙂');
});

test('visible text contains no control characters for any input', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(visibleText(text)).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u);
      expect(visibleLines(text).replace(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\p{Cs}]/u);
    }),
  );
});

test('truncated text fits the width, and text that fits is unchanged', () => {
  fc.assert(
    fc.property(anyText.map(visibleText), fc.nat(20), (text, width) => {
      const cut = truncate(text, width);
      expect(stringWidth(cut)).toBeLessThanOrEqual(width);
      if (stringWidth(text) <= width) expect(cut).toBe(text);
    }),
  );
});

test('wide characters are two columns wide', () => {
  expect(truncate('数数数数', 5)).toBe('数数…');
  expect(pad('数', 4, 'right')).toBe('数  ');
  expect(pad('7', 3, 'left')).toBe('  7');
});

type Row = readonly string[];
const text = (header: string, c: number): Column<Row> => ({ header, cell: (row) => row[c] ?? '' });
const number = (header: string, c: number): Column<Row> => ({ ...text(header, c), numeric: true });
const plain = (line: readonly { text: string }[]) => line.map((segment) => segment.text).join('');

test('numbers in a table are right-aligned, and text is left-aligned', () => {
  const { header, rows } = layoutTable(
    [number('loss', 0), text('name', 1)],
    [
      ['0.5', 'a'],
      ['12.25', 'bc'],
    ],
    { width: undefined },
  );
  expect([header, ...rows].map(plain)).toEqual([' loss  name', '  0.5  a', '12.25  bc']);
});

test('a table without a width limit is not truncated', () => {
  const long = 'x'.repeat(500);
  const { rows, hidden } = layoutTable([text('a', 0), text('b', 1)], [[long, long]], { width: undefined });
  expect(plain(rows[0] ?? [])).toBe(`${long}  ${long}`);
  expect(hidden).toEqual([]);
});

test('on a narrow terminal, the widest text is truncated first, and numbers are never truncated', () => {
  const columns = [number('loss', 0), text('short', 1), text('long', 2)];
  const { rows } = layoutTable(columns, [['0.0123456789', 'short', 'a very long name indeed']], { width: 36 });
  expect(plain(rows[0] ?? [])).toBe('0.0123456789  short  a very long na…');
});

test('a table reports the columns that do not fit', () => {
  const columns = ['a', 'b', 'c'].map((header, c) => number(header, c));
  const { rows, hidden } = layoutTable(columns, [['1234567890', '1234567890', '1234567890']], { width: 25 });
  expect(plain(rows[0] ?? [])).toBe('1234567890  1234567890');
  expect(hidden).toEqual(['c']);
});

test('a required column is visible even if an earlier column is hidden', () => {
  const columns = ['a', 'b', 'c'].map((header, c) => ({ ...number(header, c), required: header === 'c' }));
  const { header, rows, hidden } = layoutTable(columns, [['1234567890', '1234567890', '12345']], { width: 20 });
  expect([header, ...rows].map(plain)).toEqual(['         a      c', '1234567890  12345']);
  expect(hidden).toEqual(['b']);
});

test('names are shortened in the middle, values at the start, and agent ids where all ids are equal', () => {
  const columns = [
    { ...text('name', 0), elide: 'middle' as const },
    { ...text('value', 1), elide: 'start' as const },
    { ...text('agent', 2), elide: 'common' as const },
  ];
  const row = (n: number) => ['autoencoder-wide', '/data/mnist/train.npz', `gpu-cluster-west-${n}`];
  const { rows } = layoutTable(columns, [row(17), row(18)], { width: 34 });
  expect(rows.map(plain)).toEqual(['autoe…wide  …train.npz  gpu-clu…17', 'autoe…wide  …train.npz  gpu-clu…18']);
});

test('a long header above numbers is shortened in the middle, unless another header would look the same', () => {
  const columns = [
    { ...number('validation_reconstruction_loss', 0), required: true },
    number('learning_rate_of_the_encoder', 1),
    { ...text('state', 2), neverCut: true, required: true },
  ];
  const rows = [['0.5', '1', 'succeeded', '2']];
  const short = layoutTable(columns, rows, { width: 44 });
  expect([short.header, ...short.rows].map(plain)).toEqual([
    'validat…on_loss  learning…encoder  state',
    '            0.5                 1  succeeded',
  ]);
  const alike = layoutTable([...columns, number('learning_rate_of_an_encoder', 3)], rows, { width: 58 });
  expect(plain(alike.header)).toBe('validat…n_loss  learning_…the…  state      learning_ra…an…');
});

test('values that all have the same end are cut at both ends, so that different values stay different', () => {
  const columns = [{ ...text('path', 0), elide: 'start' as const }];
  const { rows } = layoutTable(columns, [['/data/a/v1/train.npz'], ['/data/a/v2/train.npz']], { width: 8 });
  expect(rows.map(plain)).toEqual(['/dat…v1…', '/dat…v2…']);
});

test('a column with the same text in every row is hidden first; if the rows scroll, the last column is hidden first', () => {
  const columns = ['a', 'b', 'c'].map((header, c) => number(header, c));
  const rows = [
    ['12345', '11111', '12345'],
    ['12345', '11111', '67890'],
  ];
  expect(layoutTable(columns, rows, { width: 12 }).hidden).toEqual(['b']);
  expect(layoutTable(columns, rows, { width: 12, isWindow: true }).hidden).toEqual(['c']);
  expect(layoutTable(columns, rows, { width: 19 }).header.map(({ text: one }) => one)).toEqual(['    a      b      c']);
});

test('a table that hides columns leaves room for a note', () => {
  const columns = ['a', 'b', 'c'].map((header, c) => number(header, c));
  const row = ['12345', '12345', '12345'];
  expect(layoutTable(columns, [row], { width: 19, noteWidth: 8 }).hidden).toEqual([]);
  expect(layoutTable(columns, [row], { width: 18, noteWidth: 8 }).hidden).toEqual(['b', 'c']);
});

test('a table converts text to ASCII before it measures the text', () => {
  const { rows } = layoutTable([number('loss', 0), text('name', 1)], [['0.1684 ±0.0015', 'café']], {
    width: 24,
    ascii: true,
  });
  expect(rows.map(plain)).toEqual(['0.1684 +/-0.0015  cafe']);
});

test('no line of a table exceeds the terminal width', () => {
  const cells = fc.array(fc.tuple(anyText, anyText, fc.double().map(formatMetric)), { maxLength: 6 });
  fc.assert(
    fc.property(cells, fc.integer({ min: 1, max: 120 }), (rows, width) => {
      const layout = layoutTable([text('name', 0), text('other', 1), number('value', 2)], rows, { width });
      for (const line of [layout.header, ...layout.rows]) {
        expect(stringWidth(plain(line))).toBeLessThanOrEqual(width);
      }
    }),
  );
});

test('a standard deviation has two digits and no more decimals than its mean', () => {
  expect(formatSpread({ mean: 0.168401, std: 0.00151, n: 3 })).toBe('0.16840 ±0.0015');
  expect(formatSpread({ mean: 0.170051, std: 0.0000831, n: 3 })).toBe('0.17005 ±0.00008');
  expect(formatSpread({ mean: 0.170051, std: 8.31e-9, n: 3 })).toBe('0.17005 ±8e-9');
  expect(formatSpread({ mean: 14.0251, std: 0, n: 3 })).toBe('14.025 ±0');
  expect(formatSpread({ mean: 3.1e-7, std: 2.2e-8, n: 3 })).toBe('3.100e-7 ±2.2e-8');
});

test('metrics have five significant digits, or four with an exponent; nan is shown as `nan`, and a missing value as `-`', () => {
  expect([0.0123456, 21.3712345, 0, 1e-7, 12345678, Number.NaN, undefined].map(formatMetric)).toEqual([
    '0.012346',
    '21.371',
    '0.0000',
    '1.000e-7',
    '1.235e+7',
    'nan',
    '-',
  ]);
});

test('durations are shown in seconds with one decimal, or in their two largest units', () => {
  expect([400, 12_340, 59_990, 123_000, 3_720_000, 273_600_000].map(formatSpan)).toEqual([
    '0.4s',
    '12.3s',
    '1m00s',
    '2m03s',
    '1h02m',
    '3d04h',
  ]);
});

test('the fast width function agrees with string-width', () => {
  const unit = fc.constantFrom(...'aZ ~·±×…─│┤█▓▒░▀▁▲▼▸▾★●→⠀⣿漢é', '👩‍👩‍👧');
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      expect(columnsOf(text)).toBe(stringWidth(text));
    }),
  );
});

test('other columns are hidden before the text of a column is cut below its minimum width', () => {
  const table = (minWidth: number): Column<Row>[] => [
    { ...text('name', 0), elide: 'middle', minWidth },
    { ...text('state', 1), neverCut: true },
  ];
  const shown = (minWidth: number) =>
    layoutTable(table(minWidth), [['a-sweep-with-a-long-name', 'running']], { width: 20 }).rows.map((row) =>
      row.map((segment) => segment.text).join(''),
    );
  expect(shown(8)).toEqual(['a-swe…-name  running']);
  expect(shown(16)).toEqual(['a-sweep-wi…long-name']);
});
