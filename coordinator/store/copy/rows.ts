/** Copies the rows of a store to another store, and compares the rows of both stores. */
import { createHash } from 'node:crypto';
import { DamagedError } from '../../../proto/errors.ts';
import { type StoreTable, storeTables } from '../store-tables.ts';

/** A value of a row: `bigint` in columns of integers, `number` in columns of reals. */
export type StoredValue = bigint | number | string | null;
export type StoredRow = readonly StoredValue[];

/** The limits of a page. A page of a single row can exceed PAGE_BYTES. */
export const PAGE_ROWS = 1_000;
export const PAGE_BYTES = 4 * 2 ** 20;

/**
 * The rows of `meta` that are not copied. SQLite keeps their content elsewhere: the version of the tables in the header
 * of the file, the number of the last event in `sqlite_sequence`, and the marks of migrations in files.
 */
export const OWN_META = "('schema', 'last event', 'migration', 'moved')";

export interface RowSource {
  /** Yields the rows of a table in the order of the key. Omits the rows of `meta` that OWN_META names. */
  pages(table: StoreTable): AsyncIterable<readonly StoredRow[]>;
  /** Returns the sequence number of the newest event, even if the event was pruned; 0 if there has been no event. */
  lastEvent(): Promise<bigint>;
}

export interface RowTarget extends RowSource {
  insert(table: StoreTable, rows: readonly StoredRow[]): Promise<void>;
  setLastEvent(seq: bigint): Promise<void>;
}

interface TableContent {
  readonly rows: number;
  /** The size of the values as text, in bytes. */
  readonly bytes: number;
  /** The checksum of all values, in the order of the key. */
  readonly sha256: string;
}

/**
 * Returns the text whose checksum represents a row. Different rows have different texts, except that the real numbers 0
 * and -0 have the same text, because SQLite stores both numbers as 0.
 */
export function rowText(row: StoredRow): string {
  let text = '';
  for (const value of row) {
    if (value === null) text += 'n;';
    else if (typeof value === 'string') text += `t${value.length}:${value};`;
    else text += `${typeof value === 'bigint' ? 'i' : 'r'}${value};`;
  }
  return text;
}

/** Reads a table. */
async function contentOf(source: RowSource, table: StoreTable): Promise<TableContent> {
  const hash = createHash('sha256');
  let rows = 0;
  let bytes = 0;
  for await (const page of source.pages(table)) {
    const text = page.map(rowText).join('\n');
    hash.update(text).update('\n');
    rows += page.length;
    bytes += Buffer.byteLength(text);
  }
  return { rows, bytes, sha256: hash.digest('hex') };
}

/** A table and what it contains. */
export interface NamedContent extends TableContent {
  readonly table: string;
}

/** Copies all rows of a store. @param onTable called before each table */
export async function copyStoreRows(
  source: RowSource,
  target: RowTarget,
  onTable: (table: string) => void = () => {},
): Promise<void> {
  for (const table of storeTables()) {
    onTable(table.name);
    for await (const page of source.pages(table)) await target.insert(table, page);
  }
  await target.setLastEvent(await source.lastEvent());
}

/**
 * Compares all rows of two stores.
 * @param onTable called before each table
 * @returns the size and the checksum of each table
 * @throws {DamagedError} if the stores differ
 */
export async function compareStoreRows(
  source: RowSource,
  target: RowSource,
  onTable: (table: string) => void = () => {},
): Promise<readonly NamedContent[]> {
  const contents: NamedContent[] = [];
  for (const table of storeTables()) {
    onTable(table.name);
    const expected = await contentOf(source, table);
    const found = await contentOf(target, table);
    if (expected.rows !== found.rows) throw differs(table.name, `it has ${found.rows} of ${expected.rows} rows`);
    if (expected.sha256 !== found.sha256) throw differs(table.name, 'the values differ');
    contents.push({ table: table.name, ...found });
  }
  if ((await source.lastEvent()) !== (await target.lastEvent())) throw differs('events', 'the newest event differs');
  return contents;
}

function differs(table: string, difference: string): DamagedError {
  return new DamagedError(`the copy of the table ${table} is not equal to the original: ${difference}`);
}
