/** A store that is damaged is not worked on: what it says may be wrong, and what is written to it may make it worse. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'libsql';
import { RefusedError } from '../../proto/errors.ts';

/**
 * Reads every page once, and checks that they hang together; bytes inside a value are not checked.
 * @throws {RefusedError} saying what is wrong
 */
export function refuseDamage(db: Database, path: string): void {
  const rows = db.prepare('pragma quick_check(1)').all() as { quick_check: string }[];
  const found = rows[0]?.quick_check ?? 'it cannot be read';
  if (found !== 'ok') throw damaged(path, found);
}

/** What a file is that SQLite will not even open. */
export function damaged(path: string, what: string): RefusedError {
  const told = what.replace('*** in database main ***', '').trim().replace(/\s+/g, ' ');
  return new RefusedError(
    `the store ${path} is damaged (${told}); nothing was done to it. Restore the newest backup into a new folder ` +
      'with "trawl restore FILE --dir NEWDIR", and start the coordinator on that',
  );
}

/**
 * A coordinator removes artifacts that no row names: on a folder whose store is gone that would be all of them.
 * @throws {RefusedError}
 */
export function refuseLostStore(dir: string, path: string): void {
  if (existsSync(path) && statSync(path).size > 0) return;
  const artifacts = join(dir, 'artifacts');
  if (!existsSync(artifacts) || readdirSync(artifacts).length === 0) return;
  const state = existsSync(path) ? 'is empty' : 'is gone';
  throw new RefusedError(
    `the store ${path} ${state}, though ${artifacts} is not; nothing was touched. Put the store back, or restore the ` +
      'newest backup into a new folder with "trawl restore FILE --dir NEWDIR", or start with an empty folder',
  );
}
