/** Reads and writes all rows of a store in PostgreSQL. No value is changed. */
import type { Client } from 'pg';
import { fromStored, toStored } from '../postgres/values.ts';
import type { ColumnType, StoreTable } from '../store-tables.ts';
import { OWN_META, PAGE_BYTES, PAGE_ROWS, type RowTarget, type StoredRow, type StoredValue } from './rows.ts';

/**
 * The number of rows in the first page. The number of rows in each later page depends on the size of the previous page.
 */
const FIRST_ROWS = 50;

/** Makes pg return each value as the text that PostgreSQL sends. */
const AS_TEXT = { getTypeParser: () => (text: string) => text };

const TYPES: Readonly<Record<ColumnType, string>> = { integer: 'bigint', real: 'double precision', text: 'text' };

const PARSERS: Readonly<Record<ColumnType, (text: string) => StoredValue>> = {
  integer: BigInt,
  real: Number,
  text: fromStored,
};

export class PostgresRows implements RowTarget {
  readonly #client: Client;

  /** @param client a connection in a transaction */
  constructor(client: Client) {
    this.#client = client;
  }

  async *pages({ name, columns, key }: StoreTable): AsyncGenerator<readonly StoredRow[]> {
    const client = this.#client;
    const parsers = columns.map(({ type }) => PARSERS[type]);
    const which = name === 'meta' ? `where name not in ${OWN_META}` : '';
    await client.query(
      `declare trawl_rows no scroll cursor for
       select ${columns.map((column) => column.name).join(', ')} from ${name} ${which} order by ${key.join(', ')}`,
    );
    try {
      for (let count = FIRST_ROWS; ; ) {
        const fetch = { text: `fetch ${count} from trawl_rows`, rowMode: 'array', types: AS_TEXT } as const;
        const { rows } = await client.query<(string | null)[]>(fetch);
        if (rows.length === 0) return;
        let size = 0;
        yield rows.map((row): StoredRow => {
          return row.map((text, at) => {
            size += text?.length ?? 0;
            return text === null ? null : (parsers[at]?.(text) ?? null);
          });
        });
        count = Math.max(1, Math.min(PAGE_ROWS, Math.floor((rows.length * PAGE_BYTES) / Math.max(1, size))));
      }
    } finally {
      // After an error, PostgreSQL rejects every further statement of the transaction, including this one.
      await client.query('close trawl_rows').catch(() => {});
    }
  }

  async lastEvent(): Promise<bigint> {
    const { rows } = await this.#client.query("select value from meta where name = 'last event'");
    return BigInt(rows[0]?.value ?? 0);
  }

  async setLastEvent(seq: bigint): Promise<void> {
    await this.#client.query("update meta set value = $1 where name = 'last event'", [`${seq}`]);
  }

  async insert({ name, columns }: StoreTable, rows: readonly StoredRow[]): Promise<void> {
    const lists = columns.map(({ type }, at) => `$${at + 1}::${TYPES[type]}[]`);
    const values = columns.map((_, at) => {
      return rows.map((row) => {
        const value = row[at] ?? null;
        return typeof value === 'string' ? toStored(value) : value;
      });
    });
    await this.#client.query({
      name: `copy ${name}`,
      text: `insert into ${name} (${columns.map((column) => column.name).join(', ')}) select * from unnest(${lists.join(', ')})`,
      values,
    });
  }
}
