import type { Database } from 'libsql';
import type { Runtime } from '../../../coordinator/app/runtime.ts';
import { SqliteStore } from '../../../coordinator/store/sqlite-store.ts';

/** Returns the SQLite database of a coordinator, from which a test reads rows. */
export function databaseOf({ store }: Pick<Runtime, 'store'>): Database {
  if (store instanceof SqliteStore) return store.db;
  throw new Error('the coordinator has no embedded store');
}
