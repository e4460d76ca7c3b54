/** Writes to a SQLite database that a test has opened itself, so that the test can also read the tables. */
import type { Database } from 'libsql';
import type { Change } from '../../../coordinator/core/step.ts';
import type { PlannedTrial } from '../../../coordinator/search/trial-source.ts';
import { commitCounted } from '../../../coordinator/store/high-water.ts';
import { type NewSweep, sweepSteps } from '../../../coordinator/store/submit.ts';
import { changeSteps } from '../../../coordinator/store/write.ts';
import type { TransactionResult } from '../../../coordinator/store/write-events.ts';
import { SqliteSql, type Steps } from '../../../coordinator/store/write-sql.ts';

/**
 * Returns a function that writes one change. The function must be called inside a transaction.
 * @param by the user who made the change; default: none
 */
export function changeWriter(
  db: Database,
): (change: Change, at: number, written: TransactionResult, by?: string) => void {
  const sql = new SqliteSql(db);
  const { write, finish } = changeSteps(sql);
  function* steps(change: Change, at: number, written: TransactionResult, by: string): Steps {
    const rest = write(change, at, written, by);
    if (rest !== undefined) yield* rest;
    finish();
  }
  return (change, at, written, by = '') => sql.complete(steps(change, at, written, by));
}

/** Adds a sweep with its first trials, as `sweepSteps` does. */
export function insertSweep(
  db: Database,
  sweep: NewSweep,
  trials: readonly PlannedTrial[],
  at: number,
  by = '',
): string {
  return commitCounted(db, () => {
    const sql = new SqliteSql(db);
    return sql.complete(sweepSteps(sql, sweep, trials, at, by));
  });
}
