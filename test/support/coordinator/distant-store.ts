import type { Database } from 'libsql';
import type { Value } from '../../../coordinator/store/reader.ts';
import { SqliteStore } from '../../../coordinator/store/sqlite-store.ts';

/**
 * Returns a store whose reads take time, as on another machine.
 * @param afterRead called after each read, before the rows are returned; an error that it throws makes the read fail
 */
export function distantStore(db: Database, afterRead: (sql: string, rows: number) => Promise<void>): SqliteStore {
  const store = new SqliteStore(db, '');
  const { reader } = store;
  const distant = {
    dialect: reader.dialect,
    async all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]> {
      const rows = await reader.all<Row>(sql, ...values);
      await afterRead(sql, rows.length);
      return rows;
    },
    async get<Row>(sql: string, ...values: readonly Value[]): Promise<Row | undefined> {
      return (await distant.all<Row>(sql, ...values))[0];
    },
  };
  return Object.assign(store, { reader: distant });
}
