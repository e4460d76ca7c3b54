/** Reads and writes all rows of a store in SQLite. No value is changed. */
import { rmSync } from 'node:fs';
import Libsql, { type Database, type Statement } from 'libsql';
import { SCHEMA_VERSION, TABLES } from '../schema.ts';
import type { StoreColumn, StoreTable } from '../store-tables.ts';
import { OWN_META, PAGE_BYTES, PAGE_ROWS, type RowSource, type RowTarget, type StoredRow } from './rows.ts';

/** The maximum number of parameters of a statement in SQLite. */
const MAX_PARAMETERS = 32_766;
const ROWS_PER_STATEMENT = 100;

/** Selects the rows of `meta`. Adds the row `commits` with the value 0 if no transaction has been counted yet. */
const META = `select name, value from meta where name not in ${OWN_META}
  union all select 'commits', '0' where not exists (select 1 from meta where name = 'commits') order by name`;

/**
 * libsql returns a text only up to its first NUL character, so a text with such a character is returned as a blob. The
 * expression has no alias, so `order by` refers to the column.
 */
function selected({ name, type }: StoreColumn): string {
  return type === 'text' ? `iif(instr(${name}, char(0)) = 0, ${name}, cast(${name} as blob))` : name;
}

export class SqliteRows implements RowTarget, RowSource {
  readonly #db: Database;
  readonly #inserts = new Map<string, Statement>();

  /** @param db a connection in a transaction */
  constructor(db: Database) {
    this.#db = db;
  }

  async *pages({ name, columns, key }: StoreTable): AsyncGenerator<readonly StoredRow[]> {
    const sql =
      name === 'meta' ? META : `select ${columns.map(selected).join(', ')} from ${name} order by ${key.join(', ')}`;
    const rows = this.#db.prepare(sql).raw(true).safeIntegers(true).iterate() as Iterable<
      (StoredRow[number] | Buffer)[]
    >;
    let page: StoredRow[] = [];
    let size = 0;
    for (const row of rows) {
      const values = row.map((value) => (Buffer.isBuffer(value) ? value.toString('utf8') : value));
      for (const value of values) if (typeof value === 'string') size += value.length;
      page.push(values);
      if (page.length < PAGE_ROWS && size < PAGE_BYTES) continue;
      yield page;
      page = [];
      size = 0;
    }
    if (page.length > 0) yield page;
  }

  async lastEvent(): Promise<bigint> {
    const sql = "select coalesce((select seq from sqlite_sequence where name = 'events'), 0)";
    const [found] = this.#db.prepare(sql).raw(true).safeIntegers(true).all() as [bigint][];
    return found?.[0] ?? 0n;
  }

  async setLastEvent(seq: bigint): Promise<void> {
    this.#db.exec(`delete from sqlite_sequence; insert into sqlite_sequence (name, seq) values ('events', ${seq})`);
  }

  async insert(table: StoreTable, rows: readonly StoredRow[]): Promise<void> {
    const most = Math.min(ROWS_PER_STATEMENT, Math.floor(MAX_PARAMETERS / table.columns.length));
    for (let at = 0; at < rows.length; at += most) {
      const some = rows.slice(at, at + most);
      this.#insertion(table, some.length).run(some.flat());
    }
  }

  #insertion({ name, columns }: StoreTable, rows: number): Statement {
    const id = `${name} ${rows}`;
    const known = this.#inserts.get(id);
    if (known !== undefined) return known;
    const row = `(${columns.map(() => '?').join(', ')})`;
    const sql = `insert into ${name} (${columns.map((column) => column.name).join(', ')}) values ${Array(rows).fill(row).join(', ')}`;
    const statement = this.#db.prepare(sql);
    this.#inserts.set(id, statement);
    return statement;
  }
}

/**
 * Creates the file of a store. An existing file is replaced. The caller must sync the file.
 * @param fill inserts the rows
 */
export async function writeSqliteStore(path: string, fill: (rows: RowTarget) => Promise<void>): Promise<void> {
  for (const name of [path, `${path}-journal`]) rmSync(name, { force: true });
  const db = new Libsql(path);
  try {
    // No journal is needed: if the process is killed, the file is written again.
    db.exec('pragma journal_mode = off; pragma synchronous = off; begin');
    db.exec(TABLES);
    const triggers = db.prepare("select name, sql from sqlite_schema where type = 'trigger'").all();
    // The triggers must not run, because the counts that they maintain are copied too.
    for (const { name } of triggers as { name: string }[]) db.exec(`drop trigger ${name}`);
    await fill(new SqliteRows(db));
    for (const { sql } of triggers as { sql: string }[]) db.exec(sql);
    db.exec(`pragma user_version = ${SCHEMA_VERSION}; commit`);
  } finally {
    db.close();
  }
}
