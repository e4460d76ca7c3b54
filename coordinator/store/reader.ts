/** Reads rows of the store. */
import type { Database, Statement } from 'libsql';

export type Value = string | number;

/** Runs statements that read, and returns their rows. All returned rows are durable. */
export interface Reader {
  all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]>;
  /** Returns the first row, or undefined if there is none. */
  get<Row>(sql: string, ...values: readonly Value[]): Promise<Row | undefined>;
}

/** Reads from SQLite. Each statement is prepared once, at its first use. */
export class SqliteReader implements Reader {
  readonly #db: Database;
  readonly #statements = new Map<string, Statement>();

  constructor(db: Database) {
    this.#db = db;
  }

  async all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return this.#prepared(sql).all(...values) as Row[];
  }

  async get<Row>(sql: string, ...values: readonly Value[]): Promise<Row | undefined> {
    return this.#prepared(sql).get(...values) as Row | undefined;
  }

  #prepared(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
