/** The two stores of a migration. Each is a folder (folder-ends.ts) or a database (postgres-ends.ts). */

import type { RowSource, RowTarget } from '../store/copy/rows.ts';
import type { MovedStore, UnfinishedMigration } from '../store/moved-store.ts';

/**
 * The store that is moved. Its rows must not be read after `markMoved`. Until `close`, no coordinator can use the
 * store.
 */
export interface OriginStore {
  /** The folder, or the URL without its password. */
  readonly name: string;
  /** The coordinator's cluster name on NATS, which is unique to the store. */
  readonly cluster: string;
  /** The number of committed transactions. */
  readonly commits: number;
  readonly rows: RowSource;
  /** The recorded location of the artifacts in S3; undefined for the coordinator's folder. */
  readonly artifacts: string | undefined;
  /** The place to which an earlier migration, which may be incomplete, moved the store. */
  readonly moved: MovedStore | undefined;
  /** Instructions for a user who wants to use the store again after it was moved. */
  readonly unmove: string;
  /** Durably records that no coordinator may use this store any longer. */
  markMoved(moved: MovedStore): Promise<void>;
  close(): Promise<void>;
}

/** The new store. It is marked as incomplete until `finish`, so that no coordinator starts on it. */
export interface NewStore {
  readonly name: string;
  /** Whether an earlier run was interrupted after it had copied all rows. */
  readonly isCopied: boolean;
  /** Reads the rows that an earlier run has copied. */
  readCopy<T>(read: (rows: RowSource) => Promise<T>): Promise<T>;
  /**
   * Writes all rows durably. If this fails, the store has none of the rows.
   * @param fill inserts the rows
   * @param verify reads the rows
   */
  write<T>(fill: (rows: RowTarget) => Promise<void>, verify: (rows: RowSource) => Promise<T>): Promise<T>;
  /** Durably removes the mark of an incomplete store. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** Returns the content of the mark that a store is incomplete. */
export function unfinishedOf({ cluster, name }: Pick<OriginStore, 'cluster' | 'name'>): UnfinishedMigration {
  return { cluster, from: name, copied: false };
}
