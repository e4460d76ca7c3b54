/** Records where the artifacts of a store are, and which pruned sweeps still have artifacts there. */
import type { Reader } from './reader.ts';
import { upsert, type WriteSql } from './write-sql.ts';

const LOCATION = 'artifacts';
const REMOVING = 'removing ';

/** Returns the recorded location of the artifacts, such as `s3://bucket/`; undefined if they are in the data folder. */
export async function artifactLocation(reader: Reader): Promise<string | undefined> {
  const row = await reader.get<{ value: string }>('select value from meta where name = ?', LOCATION);
  return row?.value;
}

/** Records where the artifacts are. */
export function writeArtifactLocation(sql: WriteSql, location: string): void {
  sql.change(upsert('meta', ['name'], ['value']))(LOCATION, location);
}

/** Returns the number of artifacts in the store and their total size, checkpoints included. */
export async function artifactTotals(reader: Reader): Promise<{ artifacts: number; bytes: number }> {
  const row = await reader.get<{ artifacts: number; bytes: number }>(
    'select count(*) as artifacts, coalesce(sum(size), 0) as bytes from artifacts',
  );
  return { artifacts: row?.artifacts ?? 0, bytes: row?.bytes ?? 0 };
}

/**
 * Records that the rows of a sweep have been removed, but its artifacts have not. Used within the transaction that
 * removes the rows.
 */
export function writeRemoval(sql: WriteSql, sweepId: string): void {
  sql.change(upsert('meta', ['name'], ['value']))(`${REMOVING}${sweepId}`, '');
}

/** Returns the ids of the sweeps whose rows have been removed, but whose artifacts may remain. */
export async function pendingRemovals(reader: Reader): Promise<string[]> {
  const rows = await reader.all<{ name: string }>('select name from meta where name like ?', `${REMOVING}%`);
  return rows.map(({ name }) => name.slice(REMOVING.length));
}

/** Records that the artifacts of a removed sweep are gone. */
export function writeRemovalEnd(sql: WriteSql, sweepId: string): void {
  sql.change('delete from meta where name = ?')(`${REMOVING}${sweepId}`);
}
