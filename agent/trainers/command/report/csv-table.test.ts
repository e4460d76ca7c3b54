import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CsvTable } from './csv-table.ts';

function rowsOf(text: string, { previous, isWhole = true }: { previous?: CsvTable; isWhole?: boolean } = {}) {
  const table = new CsvTable(previous);
  const rows = [...table.push(Buffer.from(text)), ...table.end(isWhole)];
  return rows.map((row) => (row.kind === 'row' ? [row.number, Object.fromEntries(row.values)] : row.problem));
}

test.each([
  [
    'epoch,loss\n1,2\n,3\n',
    [
      [1, { epoch: '1', loss: '2' }],
      [2, { loss: '3' }],
    ],
  ],
  ['a;b\n1;2,5\n', [[1, { a: '1', b: '2,5' }]]],
  ['a\tb\n1\t"x\ty"', [[1, { a: '1', b: 'x\ty' }]]],
  [
    'a,b\n1\n1,2,3\n',
    [
      [1, { a: '1' }],
      [2, { a: '1', b: '2' }],
    ],
  ],
  [
    'a,a\n1,2\n1,\n',
    [
      [1, { a: '2' }],
      [2, { a: '1' }],
    ],
  ],
  [
    'a,b\n1,2\na,b\n3,4\n',
    [
      [1, { a: '1', b: '2' }],
      [2, { a: '3', b: '4' }],
    ],
  ],
  ['a,b\nx,a\n3,4\n', [[1, { x: '3', a: '4' }]]],
  ['a,b\nbest,model\n', [[1, { a: 'best', b: 'model' }]]],
  [',0,1\n0,2,3\n', [[1, { '': '0', '0': '2', '1': '3' }]]],
  ['1,2\n3,4\n', ['a row before the header', 'a row before the header']],
])('%j has the rows %j', (text, rows) => {
  expect(rowsOf(text)).toEqual(rows);
});

test('a file without a header uses the header of the file that it replaces, and continues its row numbers', () => {
  const previous = new CsvTable();
  expect([...previous.push(Buffer.from('epoch,0\n1,2\n'))]).toHaveLength(1);
  expect(rowsOf('2,\n', { previous })).toEqual([[2, { epoch: '2' }]]);
  expect(rowsOf('epoch,0\n2,3\n', { previous })).toEqual([[1, { epoch: '2', '0': '3' }]]);
  expect(rowsOf('other\n3\n', { previous })).toEqual([[1, { other: '3' }]]);
});

test('a last row without a line end is reported only if the program ended normally', () => {
  expect(rowsOf('a\n1\n2', { isWhole: false })).toEqual([[1, { a: '1' }]]);
  expect(rowsOf('a\n1\n2')).toHaveLength(2);
});

test('a copy of a table reads the rest of a file as the original would, wherever the file is split', () => {
  const text = 'a,b\n1,"x\ny"\n2,3\na,c\n4,5';
  fc.assert(
    fc.property(fc.nat({ max: text.length }), (cut) => {
      const table = new CsvTable();
      const before = [...table.push(Buffer.from(text.slice(0, cut)))];
      const copy = table.copy();
      const after = [...copy.push(Buffer.from(text.slice(cut))), ...copy.end(true)];
      const whole = new CsvTable();
      expect([...before, ...after]).toEqual([...whole.push(Buffer.from(text)), ...whole.end(true)]);
    }),
  );
});
