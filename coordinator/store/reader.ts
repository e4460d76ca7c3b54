/** Reads rows of the store. */
import type { Database, Statement } from 'libsql';
import { DIALECTS, type Dialect } from './dialect.ts';

export type Value = string | number;

/**
 * Runs statements that read, and returns their rows. All returned rows are durable. Each statement sees one consistent
 * state, but two statements can see different states. If several statements must see the same state, the caller must
 * ensure that no write runs between them.
 */
export interface Reader {
  readonly dialect: Dialect;
  all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]>;
  /** Returns the first row, or undefined if there is none. */
  get<Row>(sql: string, ...values: readonly Value[]): Promise<Row | undefined>;
}

/** Reads from SQLite. Each statement is prepared once, at its first use. */
export class SqliteReader implements Reader {
  readonly dialect = DIALECTS.sqlite;
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

/** The size of a page, in rows, when all rows of a list are read in pages. */
export const ROWS_PER_PAGE = 10_000;

/**
 * Yields the rows of a list in pages.
 * @param page a function that returns the rows whose position `at` is greater than `last`: the first ROWS_PER_PAGE of
 * them, in order of position. Positions begin at 0.
 */
export async function* pagedRows<Row extends { readonly at: number }>(
  page: (last: number) => Promise<Row[]>,
): AsyncGenerator<Row, void, void> {
  for (let last = -1; ; ) {
    const rows = await page(last);
    yield* rows;
    last = rows.at(-1)?.at ?? last;
    if (rows.length < ROWS_PER_PAGE) return;
  }
}
