/** Writes to a SQLite database that a test has opened itself, so that the test can also read the tables. */
import type { Database } from 'libsql';
import type { Change } from '../../../coordinator/core/step.ts';
import type { PlannedTrial } from '../../../coordinator/search/trial-source.ts';
import { commitCounted } from '../../../coordinator/store/high-water.ts';
import { type NewSweep, sweepSteps } from '../../../coordinator/store/submit.ts';
import { changeSteps } from '../../../coordinator/store/write.ts';
import type { TransactionResult } from '../../../coordinator/store/write-events.ts';
import { completed, sqliteSql } from '../../../coordinator/store/write-sql.ts';

/**
 * Returns a function that writes one change. The function must be called inside a transaction.
 * @param by the user who made the change; default: none
 */
export function changeWriter(
  db: Database,
): (change: Change, at: number, written: TransactionResult, by?: string) => void {
  const { write, finish } = changeSteps(sqliteSql(db));
  return (change, at, written, by = '') => {
    const steps = write(change, at, written, by);
    if (steps !== undefined) completed(steps);
    finish();
  };
}

/** Adds a sweep with its first trials, as `sweepSteps` does. */
export function insertSweep(
  db: Database,
  sweep: NewSweep,
  trials: readonly PlannedTrial[],
  at: number,
  by = '',
): string {
  return commitCounted(db, () => completed(sweepSteps(sqliteSql(db), sweep, trials, at, by)));
}
