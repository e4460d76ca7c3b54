/**
 * Defines the parts of SQL in which the databases differ. All other SQL is written once, in the form that SQLite and
 * PostgreSQL accept:
 *
 * - Parameters are `?`, or `?1`, `?2` and so on.
 * - Names with capital letters are quoted, because PostgreSQL converts unquoted names to lower case.
 * - A condition is not used as a number. `case when ... then 1 else 0 end` converts a condition to a number.
 * - The type `real` of SQLite is `double precision` in PostgreSQL, so casts name `double precision`.
 * - Texts are compared by their bytes.
 * - A query that returns only some of the matching rows specifies the order of the rows.
 */
export interface Dialect {
  /**
   * Returns the clause that names the index to use. The clause follows the table and its alias in `from`. SQLite
   * assumes that a sweep has few rows, and prefers the primary key to a better index. PostgreSQL has statistics of the
   * tables, and chooses the index itself.
   */
  index(name: string): string;
  /**
   * Returns an item for a `from` clause. Its rows are the elements of a list, and each element is itself a list. The
   * column `value` is the element, and `value ->> 0` is its first item as text. The column `key` numbers the elements
   * in order.
   * @param parameter the placeholder of the parameter that contains the list, as JSON
   */
  rows(parameter: string, alias: string): string;
  /**
   * Returns an item for a `from` clause. Its rows are the entries of an object of numbers, with the columns `key` and
   * `value`. A value is a number, a number as text, or null.
   * @param column a column that contains the object, as JSON. The column belongs to a preceding table.
   */
  entries(column: string, alias: string): string;
}

export const DIALECTS = {
  sqlite: {
    index: (name) => `indexed by ${name}`,
    rows: (parameter, alias) => `json_each(${parameter}) as ${alias}`,
    entries: (column, alias) => `json_each(${column}) as ${alias}`,
  },
  postgresql: {
    index: () => '',
    rows: (parameter, alias) =>
      `json_array_elements(cast(${parameter} as json)) with ordinality as ${alias} (value, key)`,
    entries: (column, alias) => `json_each_text(cast(${column} as json)) as ${alias}`,
  },
} as const satisfies Record<string, Dialect>;

/**
 * Converts the id of a sweep to a number, for queries with an id that a caller sent. PostgreSQL would reject a text
 * that is not a number. For such a text, returns 0, because no sweep has the number 0.
 */
export function sweepNumber(id: string): number {
  return /^\d{1,15}$/.test(id) ? Number(id) : 0;
}

/** Returns the ids in the form that the parameter of `Dialect.rows` must have: a list with one row per id. */
export function rowsOfIds(ids: Iterable<string | number>): string {
  return JSON.stringify(Array.from(ids, (id) => [id]));
}
