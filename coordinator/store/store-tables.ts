/** Describes the tables of the store. The description is read from the statements that create the tables. */
import Database from 'libsql';
import { TABLES } from './schema.ts';

export type ColumnType = 'integer' | 'real' | 'text';

export interface StoreColumn {
  readonly name: string;
  readonly type: ColumnType;
}

export interface StoreTable {
  readonly name: string;
  readonly columns: readonly StoreColumn[];
  /** The columns of the primary key, in the order of the key. */
  readonly key: readonly string[];
}

const TYPES: Readonly<Record<string, ColumnType>> = { INTEGER: 'integer', REAL: 'real', TEXT: 'text' };

let known: readonly StoreTable[] | undefined;

/** Returns all tables of the store, in the order of their creation. SQLite and PostgreSQL have the same tables. */
export function storeTables(): readonly StoreTable[] {
  known ??= describedTables();
  return known;
}

function describedTables(): readonly StoreTable[] {
  const db = new Database(':memory:');
  try {
    db.exec(TABLES);
    const names = db
      .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite%' order by rowid")
      .all() as { name: string }[];
    return names.map(({ name }) => describedTable(db, name));
  } finally {
    db.close();
  }
}

function describedTable(db: Database.Database, name: string): StoreTable {
  const found = db.prepare(`pragma table_info(${name})`).all() as { name: string; type: string; pk: number }[];
  const columns = found.map((column) => {
    const type = TYPES[column.type];
    if (type === undefined) throw new Error(`the column ${name}.${column.name} has the unknown type ${column.type}`);
    return { name: column.name, type };
  });
  const key = found.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  if (key.length === 0) throw new Error(`the table ${name} has no primary key`);
  return { name, columns, key: key.map((column) => column.name) };
}
