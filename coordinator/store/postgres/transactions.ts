/**
 * Writes transactions to PostgreSQL. All statements of a transaction are sent without waiting for their results, except
 * for queries whose rows the write needs. Inserted rows are collected per table, and sent as one statement.
 */
import type { Client, QueryResult } from 'pg';
import type { MetricValues } from '../../../lib/domain/metric-values.ts';
import { parseValues, valueColumns } from '../rows.ts';
import {
  keyCondition,
  type PendingQuery,
  type ProgressRow,
  type Run,
  type SqlValue,
  type Steps,
  type TrialProgress,
  type WriteSql,
} from '../write-sql.ts';
import { numbered, statementName, toParameter } from './values.ts';

/** The columns of all tables, with their types. */
export type ColumnTypes = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** The counters of a store. Each transaction increases `commits` by one. */
export interface Counters {
  /** The number of the connection that may write (see leadership.ts). */
  readonly writer: number;
  readonly commits: number;
  /** The sequence number of the newest event. */
  readonly lastEvent: number;
}

/** The connection was lost after the commit was sent, so the transaction may be durable. */
export class UnknownOutcomeError extends Error {
  readonly result: unknown;

  constructor(result: unknown, cause: unknown) {
    super('the connection to PostgreSQL was lost during a commit', { cause });
    this.result = result;
  }
}

export interface TrialKey {
  readonly sweepId: string;
  readonly trialId: string;
}

/** Rows that are inserted by one statement. */
interface Insertion {
  readonly table: string;
  readonly sql: string;
  readonly columns: number;
}

const METRIC_VALUE = `(
          select case when stored in ('1e999', '-1e999') then null else cast(stored as double precision) end
          from (select cast(trials.metrics as json) ->> (select metric from sweeps where id = trials.sweep_id) as stored)
            as metric)`;

/** The maximum number of rows per statement. */
const MAX_ROWS = 5_000;

interface Progress {
  readonly sweepId: string;
  readonly trialId: string;
  readonly values: MetricValues;
  /** Undefined if the values have not changed. */
  readonly epoch: number | undefined;
}

/** The statements of one transaction. */
class Transaction {
  readonly #client: Client;
  readonly #answers: Promise<QueryResult>[] = [];
  readonly #insertions = new Map<Insertion, SqlValue[][]>();
  readonly progress = new Map<string, Progress>();
  lastEvent: number;
  /** Whether a statement may have changed the states of trials. */
  changesTrials = false;
  #failure: unknown;

  constructor(client: Client, lastEvent: number) {
    this.#client = client;
    this.lastEvent = lastEvent;
  }

  send(sql: string, values: readonly unknown[] = []): Promise<QueryResult> {
    const answer = this.#client.query({ name: statementName(sql), text: sql, values: [...values] });
    // Only the first error is kept, because PostgreSQL then rejects all later statements of the transaction.
    answer.catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#answers.push(answer);
    return answer;
  }

  insert(insertion: Insertion, row: SqlValue[]): void {
    const rows = this.#insertions.get(insertion) ?? [];
    rows.push(row);
    this.#insertions.set(insertion, rows);
    if (rows.length >= MAX_ROWS) this.#sendRows(insertion, rows);
  }

  /**
   * Sends a statement that changes rows. Before it, sends the collected rows of the tables that the statement mentions.
   */
  change(sql: string, values: readonly SqlValue[], tables: ReadonlySet<string>): Promise<QueryResult> {
    this.sendCollected(tables);
    this.changesTrials ||= tables.has('trials');
    return this.send(sql, values.map(toParameter));
  }

  /** Sends the collected rows of the tables. */
  sendCollected(tables: ReadonlySet<string>): void {
    for (const [insertion, rows] of this.#insertions) if (tables.has(insertion.table)) this.#sendRows(insertion, rows);
    if (tables.has('trials')) this.#sendProgress();
  }

  #sendRows(insertion: Insertion, rows: readonly SqlValue[][]): void {
    this.#insertions.delete(insertion);
    const columns = Array.from({ length: insertion.columns }, (_, at) =>
      rows.map((row) => toParameter(row[at] ?? null)),
    );
    void this.send(insertion.sql, columns);
  }

  #sendProgress(): void {
    const changed = [...this.progress].filter(([, { epoch }]) => epoch !== undefined);
    if (changed.length === 0) return;
    const trials = changed.map(([, each]) => ({ ...each, columns: valueColumns(each.values) }));
    for (const [key, each] of changed) this.progress.set(key, { ...each, epoch: undefined });
    void this.send(
      `update trials as t set epoch = greatest(t.epoch, w.epoch), metrics = w.metrics, metric_steps = w.steps
       from unnest($1::bigint[], $2::text[], $3::double precision[], $4::text[], $5::text[])
         as w (sweep_id, id, epoch, metrics, steps)
       where t.sweep_id = w.sweep_id and t.id = w.id`,
      [
        trials.map(({ sweepId }) => sweepId),
        trials.map(({ trialId }) => toParameter(trialId)),
        trials.map(({ epoch }) => epoch),
        trials.map(({ columns }) => toParameter(columns.metrics)),
        trials.map(({ columns }) => toParameter(columns.metric_steps)),
      ],
    );
  }

  /** Resolves once every statement has been answered. @throws the first error */
  async answered(): Promise<void> {
    await Promise.allSettled(this.#answers);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Undoes the transaction. */
  async rollback(): Promise<void> {
    await this.#client.query('rollback').catch(() => {});
    await Promise.allSettled(this.#answers);
  }
}

export class Transactions {
  readonly sql: WriteSql;
  readonly #types: ColumnTypes;
  readonly #tableNames: RegExp;
  readonly #mentioned = new Map<string, ReadonlySet<string>>();
  readonly #allTables: ReadonlySet<string>;
  #current: Transaction | undefined;

  constructor(types: ColumnTypes) {
    this.#types = types;
    this.#allTables = new Set(types.keys());
    this.#tableNames = new RegExp(`\\b(${[...types.keys()].join('|')})\\b`, 'g');
    this.sql = this.#statements();
  }

  /**
   * Runs a write in one transaction, and resolves once the transaction is durable.
   * @param reported the trials whose values the write changes
   * @throws {UnknownOutcomeError} if the connection is lost while the transaction commits
   */
  async run<T>(
    client: Client,
    counters: Counters,
    work: () => Steps<T>,
    reported: readonly TrialKey[],
  ): Promise<{ readonly result: T; readonly counters: Counters }> {
    const transaction = new Transaction(client, counters.lastEvent);
    this.#current = transaction;
    let result: T;
    try {
      void transaction.send('begin');
      // This statement fails if another coordinator leads, or if the store does not have the expected number of
      // transactions.
      void transaction.send('select trawl_begin_write($1, $2)', [counters.commits, counters.writer]);
      if (reported.length > 0) await readProgress(transaction, reported);
      result = await this.#completed(transaction, work());
      transaction.sendCollected(this.#allTables);
      if (transaction.changesTrials) void transaction.send('select trawl_add_count_changes()');
      if (transaction.lastEvent > counters.lastEvent) {
        void transaction.send("update meta set value = $1 where name = 'last event'", [`${transaction.lastEvent}`]);
      }
    } catch (error) {
      await transaction.rollback();
      // If a statement failed, its error is thrown instead, because it is the cause.
      await transaction.answered();
      throw error;
    } finally {
      this.#current = undefined;
    }
    const committed = transaction.send('commit');
    try {
      await transaction.answered();
    } catch (error) {
      if (isDisconnect(error)) throw new UnknownOutcomeError(result, error);
      throw error;
    }
    const { command } = await committed;
    if (command !== 'COMMIT') throw new Error(`PostgreSQL answered the commit with ${command}`);
    const commits = counters.commits + 1;
    return { result, counters: { ...counters, commits, lastEvent: transaction.lastEvent } };
  }

  async #completed<T>(transaction: Transaction, steps: Steps<T>): Promise<T> {
    let step = steps.next();
    while (step.done !== true) {
      const { sql, values } = step.value;
      transaction.sendCollected(this.#tablesIn(sql));
      const { rows } = await transaction.send(sql, values.map(toParameter));
      step = steps.next(rows);
    }
    return step.value;
  }

  #transaction(): Transaction {
    if (this.#current === undefined) throw new Error('a statement was run outside a transaction');
    return this.#current;
  }

  #tablesIn(sql: string): ReadonlySet<string> {
    const tables = this.#mentioned.get(sql) ?? new Set(sql.match(this.#tableNames) ?? []);
    this.#mentioned.set(sql, tables);
    return tables;
  }

  #insertion(table: string, columns: readonly string[], onConflict?: 'ignore'): Insertion {
    const types = columns.map((column) => this.#types.get(table)?.get(column));
    const unknown = columns.find((_, at) => types[at] === undefined);
    if (unknown !== undefined) throw new Error(`the table ${table} has no column ${unknown}`);
    const lists = types.map((type, at) => `$${at + 1}::${type}[]`);
    const conflict = onConflict === 'ignore' ? 'on conflict do nothing' : '';
    const sql = `insert into ${table} (${columns.join(', ')}) select * from unnest(${lists.join(', ')}) ${conflict}`;
    return { table, sql, columns: columns.length };
  }

  #statements(): WriteSql {
    const change = (statement: string): Run => {
      const sql = numbered(statement);
      return (...values) => {
        void this.#transaction().change(sql, values, this.#tablesIn(sql));
      };
    };
    return {
      change,
      changeReturning: <Row>(statement: string) => {
        const sql = numbered(statement);
        return (onRows: (rows: readonly Row[]) => void, ...values: readonly SqlValue[]) => {
          const transaction = this.#transaction();
          transaction.sendCollected(this.#tablesIn(sql));
          // An error of the statement is reported at the end of the transaction.
          transaction.send(sql, values.map(toParameter)).then(
            ({ rows }) => onRows(rows),
            () => {},
          );
        };
      },
      insert: (table, columns, onConflict) => {
        const insertion = this.#insertion(table, columns, onConflict);
        return (...values) => this.#transaction().insert(insertion, [...values]);
      },
      changeRow: (table, assignments, key) =>
        change(`update ${table} set ${assignments} where ${keyCondition(table, assignments, key)}`),
      insertEvent: (columns) => {
        const insertion = this.#insertion('events', ['seq', ...columns]);
        return (...values) => {
          const transaction = this.#transaction();
          transaction.lastEvent += 1;
          transaction.insert(insertion, [transaction.lastEvent, ...values]);
          return transaction.lastEvent;
        };
      },
      query: <Row>(statement: string) => {
        const sql = numbered(statement);
        return function* (...values: readonly SqlValue[]): Steps<readonly Row[]> {
          const query: PendingQuery = { sql, values };
          return (yield query) as readonly Row[];
        };
      },
      progress: this.#progress(),
      metricValue: METRIC_VALUE,
      setValues: (condition) => `update trials set value = ${METRIC_VALUE}
        where state in ('succeeded', 'stopped') and ${condition}`,
    };
  }

  #progress(): TrialProgress {
    const select = numbered('select metrics, metric_steps from trials where sweep_id = ? and id = ?');
    const key = (sweepId: string, trialId: string) => `${sweepId}/${trialId}`;
    return {
      read: (sweepId, trialId) => this.#readProgress(select, key(sweepId, trialId), sweepId, trialId),
      write: (sweepId, trialId, epoch, values) => {
        const { progress } = this.#transaction();
        const before = progress.get(key(sweepId, trialId))?.epoch ?? epoch;
        progress.set(key(sweepId, trialId), { sweepId, trialId, values, epoch: Math.max(epoch, before) });
      },
      take: (sweepId, trialId) => {
        const { progress } = this.#transaction();
        const each = progress.get(key(sweepId, trialId));
        if (each?.epoch === undefined) return undefined;
        progress.set(key(sweepId, trialId), { ...each, epoch: undefined });
        return { epoch: each.epoch, values: each.values };
      },
      forget: (sweepId, trialId) => {
        this.#transaction().progress.delete(key(sweepId, trialId));
      },
      // Values are kept until the transaction ends, because they may not have been sent yet.
      release() {},
      forgetAll() {},
    };
  }

  *#readProgress(sql: string, key: string, sweepId: string, trialId: string): Steps<MetricValues | undefined> {
    const known = this.#transaction().progress.get(key);
    if (known !== undefined) return known.values;
    const [row] = (yield { sql, values: [sweepId, trialId] }) as readonly ProgressRow[];
    return row && parseValues(row);
  }
}

/** Reads, with one query, the values of the trials that the transaction changes. */
async function readProgress(transaction: Transaction, trials: readonly TrialKey[]): Promise<void> {
  const { rows } = await transaction.send(
    `select t.sweep_id, t.id, t.metrics, t.metric_steps
     from unnest($1::bigint[], $2::text[]) as w (sweep_id, id) join trials as t on t.sweep_id = w.sweep_id and t.id = w.id`,
    [trials.map(({ sweepId }) => sweepId), trials.map(({ trialId }) => toParameter(trialId))],
  );
  for (const { sweep_id, id: trialId, metrics, metric_steps } of rows) {
    const values = parseValues({ metrics, metric_steps });
    transaction.progress.set(`${sweep_id}/${trialId}`, { sweepId: `${sweep_id}`, trialId, values, epoch: undefined });
  }
}

/** The codes of the PostgreSQL and network errors after which a connection is closed or cannot be opened. */
const DISCONNECTS = /^(08...|57P0[1-5]|25P03|ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;

/** Returns whether the error means that the connection was lost, or that PostgreSQL does not accept connections now. */
export function isDisconnect(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && DISCONNECTS.test(error.code)) return true;
  return /Connection terminated|not queryable|connection timeout|timeout expired|timeout exceeded when trying to connect|Query read timeout|Client was closed/i.test(
    error.message,
  );
}
