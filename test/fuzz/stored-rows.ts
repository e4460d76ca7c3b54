/** Reads all rows of a coordinator's store while the coordinator runs. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';

const TABLES = `
  select name from sqlite_schema where type = 'table' and name not like 'sqlite%'
    and name not in ('trial_counts', 'dropped_counts', 'config_results')
`;

/** The rows of each table, as sorted texts. */
export type StoredRows = ReadonlyMap<string, readonly string[]>;

/**
 * SQL that removes the changes that the coordinator makes without a request: offers, withdrawn offers, ended grace
 * periods, the times of heartbeats, and the count of commits.
 */
const IGNORE_OWN_CHANGES = `
  delete from events where kind = 'offered' or (kind = 'pending' and detail like 'no agent to which it was offered%');
  update trials set state = 'pending', failure_class = null, failure_message = null where state in ('pending', 'offered');
  update drains set grace_left_ms = 0;
  update agents set last_heard_at = 0;
  delete from meta where name = 'commits';
`;

/**
 * Reads the rows of all tables except `trial_counts`, `dropped_counts` and `config_results`, which are derived from
 * `trials`. Must not run during a write.
 */
export function storedRows(dir: string): StoredRows {
  const copy = mkdtempSync(join(tmpdir(), 'trawl-rows-'));
  for (const name of ['store.db', 'store.db-wal']) {
    if (existsSync(join(dir, name))) copyFileSync(join(dir, name), join(copy, name));
  }
  const db = new Database(join(copy, 'store.db'));
  try {
    db.exec(IGNORE_OWN_CHANGES);
    const tables = db.prepare(TABLES).all();
    return new Map((tables as { name: string }[]).map(({ name }) => [name, rowsOf(db, name)]));
  } finally {
    db.close();
    rmSync(copy, { recursive: true, force: true });
  }
}

function rowsOf(db: Database.Database, table: string): string[] {
  const rows = db.prepare(`select * from ${table}`).all() as Record<string, unknown>[];
  // `seq` is replaced with 0, because it varies: the events that `IGNORE_OWN_CHANGES` deletes were numbered in the same
  // sequence.
  return rows.map((row) => JSON.stringify(table === 'events' ? { ...row, seq: 0 } : row)).sort();
}

/** Returns the tables whose rows differ, each with examples of added and removed rows. */
export function changes(before: StoredRows, after: StoredRows): Record<string, { came: string[]; went: string[] }> {
  const out: Record<string, { came: string[]; went: string[] }> = {};
  for (const [table, rows] of after) {
    const old = new Set(before.get(table));
    const now = new Set(rows);
    const came = rows.filter((row) => !old.has(row));
    const went = [...old].filter((row) => !now.has(row));
    if (came.length + went.length > 0) out[table] = { came: some(came), went: some(went) };
  }
  return out;
}

const some = (rows: readonly string[]) => rows.slice(0, 5).map((row) => row.slice(0, 1_000));
