import { expect, test } from 'vitest';
import type { CsvRow } from './csv-table.ts';
import { EarlierRows } from './earlier-rows.ts';

const row = (number: number, values: Readonly<Record<string, string>> = { loss: `${number}` }): CsvRow => ({
  kind: 'row',
  number,
  values: new Map(Object.entries(values)),
});

function earlierRows(count: number): EarlierRows {
  const earlier = new EarlierRows();
  for (let number = 1; number <= count; number += 1) earlier.add(row(number));
  earlier.complete([]);
  return earlier;
}

test('all rows of a rewritten file count as new, unless the file repeats all earlier rows and adds others', () => {
  const earlier = earlierRows(2);
  expect(earlier.next(row(3))).toEqual([row(3)]);
  earlier.restart();
  expect([row(1), row(2)].flatMap((each) => earlier.next(each))).toEqual([]);
  expect(earlier.next(row(3))).toEqual([row(3)]);
  earlier.restart();
  expect([row(1), row(2), row(3)].flatMap((each) => earlier.next(each))).toEqual([row(3)]);
});

test('if a rewritten file lacks earlier rows, changes them or adds none, all of its rows count as new', () => {
  const fewer = earlierRows(3);
  fewer.restart();
  expect(fewer.next(row(1))).toEqual([]);
  expect(fewer.endOfPass()).toEqual([]);
  expect(fewer.endOfPass()).toEqual([row(1)]);
  const other = earlierRows(3);
  other.restart();
  expect(other.next(row(1))).toEqual([]);
  expect(other.next(row(9))).toEqual([row(1), row(9)]);
  const same = earlierRows(1);
  same.restart();
  expect([same.next(row(1)), same.endOfPass(), same.endOfPass(), same.end()]).toEqual([[], [], [], [row(1)]]);
  // After a rewrite whose rows count as new, all rows of later rewrites count as new too.
  for (const earlier of [fewer, other, same]) {
    earlier.restart();
    expect(earlier.next(row(1))).toEqual([row(1)]);
  }
});

test('an unfinished row of an earlier attempt is skipped, unless the program completes the row with other values', () => {
  const open = row(2, { loss: '0.5' });
  const earlier = new EarlierRows();
  earlier.complete([open]);
  expect(earlier.next(open)).toEqual([]);
  const changed = new EarlierRows();
  changed.complete([open]);
  expect(changed.next(row(2, { loss: '0.55' }))).toEqual([row(2, { loss: '0.55' })]);
});

test('earlier rows are recognized in any order of the columns', () => {
  const earlier = new EarlierRows();
  earlier.add(row(1, { a: '1', b: '2' }));
  earlier.complete([]);
  earlier.restart();
  expect(earlier.next(row(1, { b: '2', a: '1' }))).toEqual([]);
});
