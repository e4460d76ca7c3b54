/**
 * Defines the statements of the write path. Changes are written through this interface, so that the same functions
 * write to every SQL database. In SQLite, a query returns its rows immediately. In PostgreSQL, a write that needs rows
 * waits for them (see Steps).
 */
import type { Database, Statement } from 'libsql';
import type { MetricValues } from '../../lib/domain/metric-values.ts';
import { METRIC_VALUE, setValues } from './derived-tables.ts';
import { parseValues, valueColumns } from './rows.ts';

export type SqlValue = string | number | null;

/** Runs a prepared statement in the current transaction. */
export type Run = (...values: readonly SqlValue[]) => void;

/** A query whose rows a write needs before it can continue. */
export interface PendingQuery {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** The steps of a write that reads rows. Each step yields a query, and continues with the rows of the query. */
export type Steps<T = void> = Generator<PendingQuery, T, readonly unknown[]>;

/** The columns of a trial that change with each report. */
export interface ProgressRow {
  readonly metrics: string;
  readonly metric_steps: string;
}

/** Reads and writes the metric values of trials, which change with each report. */
export interface TrialProgress {
  /** Returns undefined if the sweep has no such trial. */
  read(sweepId: string, trialId: string): Steps<MetricValues | undefined>;
  /** Writes the values of a trial, and increases its epoch to `epoch`. */
  write(sweepId: string, trialId: string, epoch: number, values: MetricValues): void;
  /**
   * Returns the values that `write` has gathered but not yet sent to the database. The caller must write them. Undefined
   * if there are none.
   */
  take(sweepId: string, trialId: string): { readonly epoch: number; readonly values: MetricValues } | undefined;
  /**
   * Must be called when another statement replaces the values and the epoch of a trial. Values that `write` has gathered
   * but not yet sent to the database are dropped.
   * @param values the values that replace the earlier values; undefined if they are unknown
   */
  forget(sweepId: string, trialId: string, values?: MetricValues): void;
  /**
   * Must be called when an attempt of a trial has ended. The values of the trial are kept in memory only until they are
   * written.
   */
  release(sweepId: string, trialId: string): void;
  /** Must be called after a transaction that failed. */
  forgetAll(): void;
}

/**
 * Prepares statements. Each statement must be valid in SQLite and in PostgreSQL, except that placeholders are `?`, or
 * `?1`, `?2` and so on. PostgreSQL derives the type of a placeholder from its use, so a number in an expression needs a
 * cast, such as `cast(?1 as bigint)`.
 */
export interface WriteSql {
  /** Prepares a statement that changes rows. */
  change(sql: string): Run;
  /** Prepares a statement that changes and returns rows. `onRows` is called before the transaction is complete. */
  changeReturning<Row>(sql: string): (onRows: (rows: readonly Row[]) => void, ...values: readonly SqlValue[]) => void;
  /** Prepares the insertion of a row. If the key exists, the insertion fails or, with `ignore`, does nothing. */
  insert(table: string, columns: readonly string[], onConflict?: 'ignore'): Run;
  /**
   * Prepares the change of one row. The returned function takes the values of the assignments, and after them the
   * values of the key.
   * @param assignments the new values of columns, such as `state = ?1`, with the placeholders `?1`, `?2` and so on; a
   * subquery in the assignments must not depend on other rows that the transaction changes
   * @param key the columns of the primary key
   */
  changeRow(table: string, assignments: string, key: readonly string[]): Run;
  /** Prepares the insertion of a row into `events`. The statement returns the sequence number of the event. */
  insertEvent(columns: readonly string[]): (...values: readonly SqlValue[]) => number;
  query<Row>(sql: string): (...values: readonly SqlValue[]) => Steps<readonly Row[]>;
  readonly progress: TrialProgress;
  /** Returns the SQL that sets the column `value` of the trials that have a result and match a condition. */
  setValues(condition: string): string;
  /**
   * The SQL expression for the value of the sweep's metric in a trial. The expression is valid in statements that
   * change `trials`. The value is null if the trial has no finite value.
   */
  readonly metricValue: string;
}

/** Returns a statement that inserts a row, or replaces the row with the same key. */
export function upsert(table: string, keys: readonly string[], columns: readonly string[]): string {
  const all = [...keys, ...columns];
  const replaced = columns.map((column) => `${column} = excluded.${column}`).join(', ');
  return `insert into ${table} (${all.join(', ')}) values (${all.map(() => '?').join(', ')})
    on conflict (${keys.join(', ')}) do update set ${replaced}`;
}

/**
 * Returns the SQL condition that selects one row by its key (see `changeRow`). The numbers of its placeholders continue
 * after the highest number in `assignments`.
 */
export function keyCondition(table: string, assignments: string, key: readonly string[]): string {
  const numbers = [...assignments.matchAll(PLACEHOLDER)].map(([, number]) => Number(number));
  const used = Math.max(0, ...numbers);
  return key.map((column, at) => `${table}.${column} = ?${used + at + 1}`).join(' and ');
}

const PLACEHOLDER = /\?(\d+)/g;

/** The maximum number of rows that one statement writes to SQLite. A power of two. */
const MAX_ROWS = 64;

/**
 * Gathered rows are written as soon as their text reaches this size, in characters. SQLite keeps a copy of the values
 * of each statement until the statement runs again, so this limit also limits the memory for the copies.
 */
const MAX_CHARACTERS = 2 ** 20;

/** Insertions into one table, or changes of its rows, that are gathered to be written together. */
interface Gathered {
  readonly table: string;
  /** Returns the statement that writes the given number of rows. Each statement is prepared at its first use. */
  readonly statement: (rows: number) => Statement;
  rows: (readonly SqlValue[])[];
  /** The size of the text in `rows`, in characters. */
  characters: number;
  /** The keys of the changed rows. Empty for insertions. */
  readonly keys: Set<string>;
}

/**
 * The statements of SQLite. Insertions, row changes and the metric values of trials are gathered and written together,
 * because a statement that writes several rows costs much less than one statement per row. The gathered rows of a table
 * are written before any other statement that mentions the table is run.
 */
export class SqliteSql implements WriteSql {
  readonly progress: SqliteProgress;
  readonly setValues = setValues;
  readonly metricValue = METRIC_VALUE;
  readonly #db: Database;
  readonly #gathered = new Set<Gathered>();
  #tableNames: RegExp | undefined;
  /**
   * The sequence number of the newest event. The number is read from the store when a transaction inserts its first
   * event, and is undefined until then.
   */
  #lastEvent: number | undefined;

  constructor(db: Database) {
    this.#db = db;
    this.progress = new SqliteProgress(db, () => this.#writeRows(TRIALS));
  }

  change(sql: string): Run {
    const statement = this.#db.prepare(sql);
    const tables = this.#tablesIn(sql);
    return (...values) => {
      this.#writeGathered(tables);
      statement.run(values);
    };
  }

  changeReturning<Row>(sql: string): (onRows: (rows: readonly Row[]) => void, ...values: readonly SqlValue[]) => void {
    const statement = this.#db.prepare(sql);
    const tables = this.#tablesIn(sql);
    return (onRows, ...values) => {
      this.#writeGathered(tables);
      onRows(statement.all(values) as Row[]);
    };
  }

  insert(table: string, columns: readonly string[], onConflict?: 'ignore'): Run {
    const insertion = this.#insertion(table, columns, onConflict === 'ignore' ? ' on conflict do nothing' : '');
    return (...values) => this.#gather(insertion, values);
  }

  changeRow(table: string, assignments: string, key: readonly string[]): Run {
    const change = this.#rowChange(table, assignments, key);
    return (...values) => {
      const keyText = values.slice(-key.length).join('/');
      const isChanged = change.keys.has(keyText);
      for (const other of this.#gathered) {
        if (other.table === table && (other !== change || isChanged)) this.#write(other);
      }
      if (table === 'trials') this.progress.writeOf(keyText);
      change.keys.add(keyText);
      this.#gather(change, values);
    };
  }

  insertEvent(columns: readonly string[]): (...values: readonly SqlValue[]) => number {
    const insertion = this.#insertion('events', ['seq', ...columns]);
    const newest = this.#db.prepare("select seq from sqlite_sequence where name = 'events'");
    return (...values) => {
      this.#lastEvent ??= (newest.get() as { seq: number } | undefined)?.seq ?? 0;
      this.#lastEvent += 1;
      this.#gather(insertion, [this.#lastEvent, ...values]);
      return this.#lastEvent;
    };
  }

  query<Row>(sql: string): (...values: readonly SqlValue[]) => Steps<readonly Row[]> {
    const statement = this.#db.prepare(sql);
    const tables = this.#tablesIn(sql);
    const read = (values: readonly SqlValue[]) => {
      this.#writeGathered(tables);
      return statement.all(values) as Row[];
    };
    // biome-ignore lint/correctness/useYield: SQLite returns the rows immediately
    return function* (...values: readonly SqlValue[]): Steps<readonly Row[]> {
      return read(values);
    };
  }

  /**
   * Runs a write, and then writes the rows that are still gathered. Must be called inside a transaction.
   * @returns the result of the write
   */
  complete<T>(steps: Steps<T>): T {
    try {
      const { done, value } = steps.next();
      if (done !== true) throw new Error('a write to SQLite must not wait for the rows of a query');
      this.#writeGathered();
      return value;
    } finally {
      for (const gathered of this.#gathered) {
        gathered.rows = [];
        gathered.characters = 0;
        gathered.keys.clear();
      }
      this.#gathered.clear();
      this.#lastEvent = undefined;
    }
  }

  #tablesIn(sql: string): ReadonlySet<string> {
    if (this.#tableNames === undefined) {
      const tables = this.#db.prepare("select name from sqlite_schema where type = 'table'").all() as {
        name: string;
      }[];
      this.#tableNames = new RegExp(`\\b(${tables.map(({ name }) => name).join('|')})\\b`, 'g');
    }
    return new Set(sql.match(this.#tableNames) ?? []);
  }

  #insertion(table: string, columns: readonly string[], onConflict = ''): Gathered {
    const into = `insert into ${table} (${columns.join(', ')})`;
    return this.#gatheredRows(table, (rows) => `${into} ${valueLists(rows, columns.length)}${onConflict}`);
  }

  #rowChange(table: string, assignments: string, key: readonly string[]): Gathered {
    const condition = keyCondition(table, assignments, key);
    const columns = Math.max(...[...condition.matchAll(PLACEHOLDER)].map(([, number]) => Number(number)));
    const ofRow = (sql: string) => sql.replace(PLACEHOLDER, 'changed.column$1');
    return this.#gatheredRows(table, (rows) =>
      rows === 1
        ? `update ${table} set ${assignments} where ${condition}`
        : `update ${table} set ${ofRow(assignments)} from (${valueLists(rows, columns)}) as changed where ${ofRow(condition)}`,
    );
  }

  #gatheredRows(table: string, sqlOf: (rows: number) => string): Gathered {
    const statements = new Map<number, Statement>();
    const statement = (rows: number) => {
      const known = statements.get(rows);
      if (known !== undefined) return known;
      const prepared = this.#db.prepare(sqlOf(rows));
      statements.set(rows, prepared);
      return prepared;
    };
    return { table, statement, rows: [], characters: 0, keys: new Set() };
  }

  #gather(gathered: Gathered, values: readonly SqlValue[]): void {
    gathered.rows.push(values);
    gathered.characters += charactersIn(values);
    this.#gathered.add(gathered);
    if (gathered.rows.length >= MAX_ROWS || gathered.characters >= MAX_CHARACTERS) this.#write(gathered);
  }

  /** Writes the rows and values that were gathered for the tables. Default: all tables */
  #writeGathered(tables?: ReadonlySet<string>): void {
    this.#writeRows(tables);
    // The gathered values of a trial are newer than its gathered changes (see `changeRow`), so they are written last.
    if (tables?.has('trials') !== false) this.progress.writeGathered();
  }

  #writeRows(tables?: ReadonlySet<string>): void {
    for (const gathered of this.#gathered) if (tables?.has(gathered.table) !== false) this.#write(gathered);
  }

  #write(gathered: Gathered): void {
    const { rows, statement } = gathered;
    gathered.rows = [];
    gathered.characters = 0;
    gathered.keys.clear();
    this.#gathered.delete(gathered);
    // Each statement writes a number of rows that is a power of two, so that few statements are prepared.
    for (let at = 0, size = MAX_ROWS; at < rows.length; at += size) {
      while (size > rows.length - at) size /= 2;
      statement(size).run(rows.slice(at, at + size).flat());
    }
  }
}

const TRIALS: ReadonlySet<string> = new Set(['trials']);

/** Returns `values (?, ?), (?, ?)` with the given numbers of rows and columns. */
function valueLists(rows: number, columns: number): string {
  const row = `(${Array.from({ length: columns }, () => '?').join(', ')})`;
  return `values ${Array.from({ length: rows }, () => row).join(', ')}`;
}

function charactersIn(values: readonly SqlValue[]): number {
  let characters = 0;
  for (const value of values) if (typeof value === 'string') characters += value.length;
  return characters;
}

interface KnownProgress {
  readonly sweepId: string;
  readonly trialId: string;
  readonly values: MetricValues;
  /** Undefined if the values need not be written. */
  epoch: number | undefined;
  /** Whether the values are removed from memory once they are written. */
  isReleased: boolean;
}

class SqliteProgress implements TrialProgress {
  readonly #db: Database;
  readonly #beforeRead: () => void;
  /** The values of trials with a running attempt, by sweep and trial. */
  readonly #known = new Map<string, KnownProgress>();
  readonly #gathered = new Set<KnownProgress>();
  #select: Statement | undefined;
  #update: Statement | undefined;

  /** @param beforeRead a function that writes the gathered changes of `trials` */
  constructor(db: Database, beforeRead: () => void) {
    this.#db = db;
    this.#beforeRead = beforeRead;
  }

  // biome-ignore lint/correctness/useYield: SQLite returns the row immediately
  *read(sweepId: string, trialId: string): Steps<MetricValues | undefined> {
    const known = this.#known.get(keyOf(sweepId, trialId));
    if (known !== undefined) return known.values;
    this.#beforeRead();
    this.#select ??= this.#db.prepare('select metrics, metric_steps from trials where sweep_id = ? and id = ?');
    const row = this.#select.get([sweepId, trialId]) as ProgressRow | undefined;
    return row && parseValues(row);
  }

  write(sweepId: string, trialId: string, epoch: number, values: MetricValues): void {
    const before = this.#drop(sweepId, trialId)?.epoch ?? epoch;
    const progress = { sweepId, trialId, values, epoch: Math.max(epoch, before), isReleased: false };
    this.#known.set(keyOf(sweepId, trialId), progress);
    this.#gathered.add(progress);
  }

  take(sweepId: string, trialId: string): { readonly epoch: number; readonly values: MetricValues } | undefined {
    const known = this.#known.get(keyOf(sweepId, trialId));
    if (known?.epoch === undefined) return undefined;
    const { epoch, values } = known;
    known.epoch = undefined;
    this.#gathered.delete(known);
    if (known.isReleased) this.#known.delete(keyOf(sweepId, trialId));
    return { epoch, values };
  }

  forget(sweepId: string, trialId: string, values?: MetricValues): void {
    this.#drop(sweepId, trialId);
    if (values === undefined) return;
    this.#known.set(keyOf(sweepId, trialId), { sweepId, trialId, values, epoch: undefined, isReleased: false });
  }

  release(sweepId: string, trialId: string): void {
    const known = this.#known.get(keyOf(sweepId, trialId));
    if (known === undefined) return;
    known.isReleased = true;
    if (!this.#gathered.has(known)) this.#known.delete(keyOf(sweepId, trialId));
  }

  forgetAll(): void {
    this.#known.clear();
    this.#gathered.clear();
  }

  /** Writes the gathered values of all trials if they include the values of the trial with this key. */
  writeOf(key: string): void {
    const known = this.#known.get(key);
    if (known !== undefined && this.#gathered.has(known)) this.writeGathered();
  }

  writeGathered(): void {
    if (this.#gathered.size === 0) return;
    this.#update ??= this.#db.prepare(
      'update trials set epoch = max(epoch, ?), metrics = ?, metric_steps = ? where sweep_id = ? and id = ?',
    );
    for (const progress of this.#gathered) {
      const { sweepId, trialId, values, epoch } = progress;
      const { metrics, metric_steps: steps } = valueColumns(values);
      this.#update.run([epoch ?? 0, metrics, steps, sweepId, trialId]);
      progress.epoch = undefined;
      if (progress.isReleased) this.#known.delete(keyOf(sweepId, trialId));
    }
    this.#gathered.clear();
  }

  /** Removes the values of a trial from memory, and returns them. */
  #drop(sweepId: string, trialId: string): KnownProgress | undefined {
    const known = this.#known.get(keyOf(sweepId, trialId));
    if (known === undefined) return undefined;
    this.#known.delete(keyOf(sweepId, trialId));
    this.#gathered.delete(known);
    return known;
  }
}

function keyOf(sweepId: string, trialId: string): string {
  return `${sweepId}/${trialId}`;
}
