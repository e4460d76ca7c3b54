/** Creates the store's tables, and upgrades older versions. */
import type { Database } from 'libsql';
import { RejectedError } from '../../proto/errors.ts';
import { DRAINS } from './added-tables.ts';
import { BASE_TABLES } from './base-tables.ts';
import { MIGRATIONS } from './migrations.ts';

export const SCHEMA_VERSION = 27;

/**
 * The statements that create the tables of a new store: the tables of the first version and all later additions, in
 * their present form.
 */
export const TABLES = [BASE_TABLES, DRAINS, ...Object.values(MIGRATIONS).map(({ adds = '' }) => adds)].join('\n');

export function newerSchemaError(version: number): RejectedError {
  return new RejectedError(
    `the store has schema ${version}, but this trawl supports up to ${SCHEMA_VERSION}: use the trawl that wrote it, or a newer one`,
  );
}

export function schemaVersion(db: Database): number {
  return (db.prepare('pragma user_version').get() as { user_version: number }).user_version;
}

/**
 * Checks that a store has the tables of this version of trawl, for a reader that cannot upgrade them.
 * @param name the name of the store in the message
 * @throws {RejectedError}
 */
export function checkSchemaVersion(name: string, version: number): void {
  if (version > SCHEMA_VERSION) throw newerSchemaError(version);
  if (version === SCHEMA_VERSION) return;
  throw new RejectedError(
    `the store of ${name} has schema ${version}, but this trawl requires schema ${SCHEMA_VERSION}: to upgrade the ` +
      'store, start a coordinator of this version with the store, and then stop the coordinator',
  );
}

/**
 * Creates the tables of an empty store, and upgrades the tables of an older version.
 * @param cluster the coordinator's cluster name on NATS, recorded in a new store
 * @param beforeUpgrade called before an older store is upgraded, with the version of the store
 * @throws {RejectedError} if a newer version of trawl wrote the store
 */
export function ensureSchema(db: Database, cluster: string, beforeUpgrade: (version: number) => void): void {
  const version = schemaVersion(db);
  if (version > SCHEMA_VERSION) throw newerSchemaError(version);
  if (version === SCHEMA_VERSION) return;
  if (version > 0) beforeUpgrade(version);
  db.transaction(() => {
    if (version === 0) {
      db.exec(TABLES);
      db.prepare('insert into meta (name, value) values (?, ?)').run('cluster', cluster);
    } else {
      for (let to = version + 1; to <= SCHEMA_VERSION; to++) {
        const { before = '', adds = '', after = '' } = MIGRATIONS[to] ?? {};
        db.exec(`${before}\n${adds}\n${after}`);
      }
    }
    db.exec(`pragma user_version = ${SCHEMA_VERSION}`);
  })();
}
