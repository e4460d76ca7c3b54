import type { SchemaElement } from 'hyparquet';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { PARQUET_MARK } from '../../lib/code/own-output.ts';
import { trawlVersion } from '../package.ts';
import type { CellType, ExportCell, ExportColumn, ExportTable } from './table.ts';

/**
 * The number of rows per row group. The writer keeps one row group in memory, and so do many programs that read Parquet
 * files.
 */
export const ROWS_PER_GROUP = 10_000;

const SCHEMA: Readonly<Record<CellType, Omit<SchemaElement, 'name'>>> = {
  integer: { type: 'INT64' },
  number: { type: 'DOUBLE' },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  flag: { type: 'BOOLEAN' },
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
};

function stored(type: CellType, cell: ExportCell): bigint | number | string | boolean | Date | null {
  if (cell === null) return null;
  if (type === 'integer') return BigInt(cell);
  if (type === 'time') return new Date(String(cell));
  return type === 'text' ? String(cell) : cell;
}

/** Writes the table as Apache Parquet, with optional columns and Snappy compression. Replaces the file at `path`. */
export async function writeParquet<Row>(path: string, { columns, rows }: ExportTable<Row>): Promise<void> {
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: [
      { name: 'root', num_children: columns.length },
      ...columns.map(({ name, type }): SchemaElement => ({ name, repetition_type: 'OPTIONAL', ...SCHEMA[type] })),
    ],
    createdBy: `${PARQUET_MARK}${trawlVersion()}`,
  });
  let group: Row[] = [];
  const flush = async () => {
    const data = ({ read, type }: ExportColumn<Row>) => group.map((row) => stored(type, read(row)));
    await writer.write({
      columnData: columns.map((column) => ({ name: column.name, data: data(column) })),
      rowGroupSize: ROWS_PER_GROUP,
    });
    group = [];
  };
  for await (const row of rows) {
    group.push(row);
    if (group.length === ROWS_PER_GROUP) await flush();
  }
  if (group.length > 0) await flush();
  await writer.finish();
}
