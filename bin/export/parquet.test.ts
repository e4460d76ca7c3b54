import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROWS_PER_GROUP, writeParquet } from './parquet.ts';
import type { CellType, ExportCell, ExportColumn, ExportTable } from './table.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-parquet-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type Row = Readonly<Record<string, ExportCell>>;
const column = (name: string, type: CellType): ExportColumn<Row> => ({ name, type, read: (row) => row[name] ?? null });

async function written(table: ExportTable<Row>) {
  const path = join(dir, 'table.parquet');
  await writeParquet(path, table);
  const file = await asyncBufferFromFile(path);
  return { metadata: await parquetMetadataAsync(file), rows: await parquetReadObjects({ file }) };
}

test('values of every type are read back unchanged from a Parquet file, and missing values are null', async () => {
  const columns = [
    column('i', 'integer'),
    column('n', 'number'),
    column('t', 'text'),
    column('f', 'flag'),
    column('at', 'time'),
  ];
  const at = '2026-01-02T03:04:10.123Z';
  const full = { i: Number.MAX_SAFE_INTEGER, n: 1e-7, t: 'ünïcode "数"', f: false, at };
  const { metadata, rows } = await written({ columns, rows: [full, {}] });
  expect(rows).toEqual([
    { ...full, i: BigInt(Number.MAX_SAFE_INTEGER), at: new Date(at) },
    { i: null, n: null, t: null, f: null, at: null },
  ]);
  expect(metadata.schema.slice(1).map(({ name, type, converted_type }) => [name, type, converted_type])).toEqual([
    ['i', 'INT64', undefined],
    ['n', 'DOUBLE', undefined],
    ['t', 'BYTE_ARRAY', 'UTF8'],
    ['f', 'BOOLEAN', undefined],
    ['at', 'INT64', 'TIMESTAMP_MILLIS'],
  ]);
});

test('values of several types in a text column are written as text', async () => {
  const { rows } = await written({ columns: [column('x', 'text')], rows: [{ x: 1 }, { x: true }, { x: 'auto' }] });
  expect(rows).toEqual([{ x: '1' }, { x: 'true' }, { x: 'auto' }]);
});

test('rows are streamed into row groups, and no row is lost between groups', async () => {
  const count = 2 * ROWS_PER_GROUP + 1;
  async function* rising(): AsyncGenerator<Row> {
    for (let i = 0; i < count; i++) yield { i };
  }
  const { metadata, rows } = await written({ columns: [column('i', 'integer')], rows: rising() });
  expect(metadata.row_groups.map((group) => Number(group.num_rows))).toEqual([ROWS_PER_GROUP, ROWS_PER_GROUP, 1]);
  expect(rows.map(({ i }) => Number(i))).toEqual(Array.from({ length: count }, (_, i) => i));
});

test('a table without rows still has its columns', async () => {
  const { metadata, rows } = await written({ columns: [column('i', 'integer')], rows: [] });
  expect(rows).toEqual([]);
  expect(metadata.schema.map(({ name }) => name)).toEqual(['root', 'i']);
});
