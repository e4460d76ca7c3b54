/**
 * Defines the statements of the write path. Changes are written through this interface, so that the same functions
 * write to every SQL database. SQLite runs each statement immediately.
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

/** Reads and writes the values of trials, which change with each report. */
export interface TrialProgress {
  /** Returns undefined if the sweep has no such trial. */
  read(sweepId: string, trialId: string): Steps<MetricValues | undefined>;
  /** Writes the values of a trial, and increases its epoch to `epoch`. */
  write(sweepId: string, trialId: string, epoch: number, values: MetricValues): void;
  /**
   * Must be called when another statement replaces the values and the epoch of a trial. Values that `write` has gathered
   * but not yet sent to the database are dropped.
   * @param values the values that replace the earlier values; undefined if they are unknown
   */
  forget(sweepId: string, trialId: string, values?: MetricValues): void;
  /** Must be called when an attempt of a trial has ended. The values of the trial remain, but need no longer be in memory. */
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
  /** Prepares the insertion of a row into `events`. The statement returns the sequence number of the event. */
  insertEvent(columns: readonly string[]): (...values: readonly SqlValue[]) => number;
  query<Row>(sql: string): (...values: readonly SqlValue[]) => Steps<readonly Row[]>;
  readonly progress: TrialProgress;
  /** Returns the SQL that sets the column `value` of the trials that have a result and match a condition. */
  setValues(condition: string): string;
  /**
   * The SQL expression of the value of a trial's metric, in a statement that changes `trials`. The value is null if the
   * trial has no finite value.
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

export function sqliteSql(db: Database): WriteSql {
  const change = (sql: string): Run => {
    const statement = db.prepare(sql);
    return (...values) => {
      statement.run(...values);
    };
  };
  const insertion = (table: string, columns: readonly string[]) =>
    `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`;
  const query = <Row>(sql: string) => {
    const statement = db.prepare(sql);
    // biome-ignore lint/correctness/useYield: SQLite returns the rows at once
    return function* (...values: readonly SqlValue[]): Steps<readonly Row[]> {
      return statement.all(...values) as Row[];
    };
  };
  return {
    change,
    changeReturning<Row>(sql: string) {
      const statement = db.prepare(sql);
      return (onRows: (rows: readonly Row[]) => void, ...values: readonly SqlValue[]) =>
        onRows(statement.all(...values) as Row[]);
    },
    insert: (table, columns, onConflict) =>
      change(`${insertion(table, columns)} ${onConflict === 'ignore' ? 'on conflict do nothing' : ''}`),
    insertEvent(columns) {
      const statement = db.prepare(insertion('events', columns));
      return (...values) => Number(statement.run(...values).lastInsertRowid);
    },
    query,
    progress: sqliteProgress(db),
    setValues,
    metricValue: METRIC_VALUE,
  };
}

function sqliteProgress(db: Database): TrialProgress {
  /** The values of trials with a running attempt, by sweep and trial. */
  const known = new Map<string, MetricValues>();
  const keyOf = (sweepId: string, trialId: string) => `${sweepId}/${trialId}`;
  let select: Statement | undefined;
  let update: Statement | undefined;
  return {
    // biome-ignore lint/correctness/useYield: SQLite returns the row at once
    *read(sweepId, trialId) {
      const values = known.get(keyOf(sweepId, trialId));
      if (values !== undefined) return values;
      select ??= db.prepare('select metrics, metric_steps from trials where sweep_id = ? and id = ?');
      const row = select.get(sweepId, trialId) as ProgressRow | undefined;
      return row && parseValues(row);
    },
    write(sweepId, trialId, epoch, values) {
      update ??= db.prepare(
        'update trials set epoch = max(epoch, ?), metrics = ?, metric_steps = ? where sweep_id = ? and id = ?',
      );
      const { metrics, metric_steps: steps } = valueColumns(values);
      update.run(epoch, metrics, steps, sweepId, trialId);
      known.set(keyOf(sweepId, trialId), values);
    },
    forget(sweepId, trialId, values) {
      if (values === undefined) known.delete(keyOf(sweepId, trialId));
      else known.set(keyOf(sweepId, trialId), values);
    },
    release(sweepId, trialId) {
      known.delete(keyOf(sweepId, trialId));
    },
    forgetAll: () => known.clear(),
  };
}

/** Runs a write that SQLite executes. @returns the result of the write */
export function completed<T>(steps: Steps<T>): T {
  const { done, value } = steps.next();
  if (done !== true) throw new Error('SQLite returns the rows of each query at once');
  return value;
}
