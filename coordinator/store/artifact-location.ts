/** Records where the artifacts of a store are, and which pruned sweeps still have artifacts there. */
import type { Database } from 'libsql';
import { commitCounted } from './high-water.ts';

const LOCATION = 'artifacts';
const REMOVING = 'removing ';

/** Returns the recorded location of the artifacts, such as `s3://bucket/`; undefined for the coordinator's folder. */
export function artifactLocation(db: Database): string | undefined {
  const row = db.prepare('select value from meta where name = ?').get(LOCATION) as { value: string } | undefined;
  return row?.value;
}

/** Records where the artifacts are. */
export function setArtifactLocation(db: Database, location: string): void {
  commitCounted(db, () =>
    db.prepare('insert or replace into meta (name, value) values (?, ?)').run(LOCATION, location),
  );
}

/** Returns the number of artifacts in the store, checkpoints included. */
export function countArtifacts(db: Database): number {
  return (db.prepare('select count(*) as n from artifacts').get() as { n: number }).n;
}

/** Returns the total size of the artifacts in the store, checkpoints included. */
export function artifactBytes(db: Database): number {
  return (db.prepare('select coalesce(sum(size), 0) as bytes from artifacts').get() as { bytes: number }).bytes;
}

/**
 * Records that the rows of a sweep have been removed, but its artifacts have not. Used within the transaction that
 * removes the rows.
 */
export function noteRemoval(db: Database, sweepId: string): void {
  db.prepare('insert or replace into meta (name, value) values (?, ?)').run(`${REMOVING}${sweepId}`, '');
}

/** Returns the ids of the sweeps whose rows are removed and whose artifacts may remain. */
export function pendingRemovals(db: Database): string[] {
  const rows = db.prepare('select name from meta where name like ?').all(`${REMOVING}%`) as { name: string }[];
  return rows.map(({ name }) => name.slice(REMOVING.length));
}

/** Records that the artifacts of a removed sweep are gone. */
export function endRemoval(db: Database, sweepId: string): void {
  commitCounted(db, () => db.prepare('delete from meta where name = ?').run(`${REMOVING}${sweepId}`));
}
