import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CsvRecords, MAX_RECORD_BYTES } from './csv-records.ts';

function recordsOf(...chunks: (string | Uint8Array)[]): string[] {
  const records = new CsvRecords();
  const pushed = chunks.flatMap((chunk) => [...records.push(Buffer.from(chunk))]);
  return [...pushed, ...records.end()];
}

test.each([
  ['a,b\n1,2\n', ['a,b', '1,2']],
  ['a,b\r\n1,2', ['a,b', '1,2']],
  ['1,"x\ny",2\n3', ['1,"x\ny",2', '3']],
  ['1,"x""\n""y"\n2', ['1,"x""\n""y"', '2']],
  ['5" disk,1\n2', ['5" disk,1', '2']],
  ['\n\n1\n', ['1']],
  ['1,""\n2,""""\n3', ['1,""', '2,""""', '3']],
  ['1,"open\n2,3\n4,x\n5', ['1,"open', '2,3', '4,x', '5']],
])('%j has the records %j', (text, records) => {
  expect(recordsOf(text)).toEqual(records);
});

const cell = fc.oneof(fc.string(), fc.constantFrom('a\nb', '"', 'x"y\n', ',', 'é'), fc.double().map(String));

const rowText = (cells: readonly string[]) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',');

test('all records of a file are found, regardless of how the file grows', () => {
  const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(rows, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (table, sizes) => {
      const bytes = Buffer.from(table.map((row) => `${rowText(row)}\n`).join(''));
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const size = sizes.next().value ?? 1;
        chunks.push(bytes.subarray(at, at + size));
        at += size;
      }
      expect(recordsOf(...chunks)).toEqual(table.map(rowText));
    }),
  );
});

test('a cell whose quote is never closed ends at its first line break, and a record that is too long is skipped', () => {
  expect(recordsOf('1,"open\n2,3\n', `${'4,5\n'.repeat(20_000)}`).slice(0, 3)).toEqual(['1,"open', '2,3', '4,5']);
  expect(recordsOf(`x${'y'.repeat(MAX_RECORD_BYTES)}`, 'z\n1,2\n')).toEqual(['1,2']);
});
