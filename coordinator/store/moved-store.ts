/**
 * Keeps two marks of `trawl migrate` in a coordinator's folder: `migration.json` while the folder has an incomplete
 * copy of a store, and `moved.json` after the folder's own store was moved. A coordinator does not start on a folder
 * that has one of these files.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { MOVED_FILE } from '../../lib/files/coordinator-file.ts';
import { PRIVATE_FILE } from '../../lib/files/private-files.ts';
import { writeDurablySync } from '../../lib/files/write-durably.ts';
import { RejectedError } from '../../proto/errors.ts';

export const UNFINISHED_MIGRATION = 'migration.json';

/** The location to which a store was moved, and the time of the move. */
export const movedStore = z.object({
  /** The coordinator's cluster name on NATS, which is unique to the store. */
  cluster: z.string(),
  /** The folder, or the URL without its password. */
  to: z.string(),
  /** The time of the move, in ISO 8601. */
  at: z.string(),
});
export type MovedStore = z.infer<typeof movedStore>;

/** Describes an incomplete copy, and the store from which it is made. */
export const unfinishedMigration = z.object({
  cluster: z.string(),
  /** The folder, or the URL without its password. */
  from: z.string(),
  /**
   * Whether all rows have been copied. Only a copy in PostgreSQL needs this field. In a folder, the file of the store
   * appears only after all rows have been copied.
   */
  copied: z.boolean().default(false),
});
export type UnfinishedMigration = z.infer<typeof unfinishedMigration>;

/** Returns whether the name of a store is a URL of PostgreSQL rather than a folder. */
export function isPostgresName(name: string): boolean {
  return /^postgres(ql)?:/.test(name);
}

/** Returns the options that name a store: `--dir DIR` or `--store URL`. */
export function storeOptions(name: string): string {
  return isPostgresName(name) ? `--store '${name}'` : `--dir ${name}`;
}

/**
 * Returns where the store of a folder was moved; undefined if it is still in the folder.
 * @throws {RejectedError} if the mark is damaged
 */
export function readMoved(dir: string): MovedStore | undefined {
  return readMark(dir, MOVED_FILE, movedStore);
}

export function writeMoved(dir: string, moved: MovedStore): void {
  writeDurablySync(join(dir, MOVED_FILE), `${JSON.stringify(moved)}\n`, PRIVATE_FILE);
}

/**
 * Returns the store that is being copied into a folder; undefined if no copy is incomplete.
 * @throws {RejectedError} if the mark is damaged
 */
export function readUnfinished(dir: string): UnfinishedMigration | undefined {
  return readMark(dir, UNFINISHED_MIGRATION, unfinishedMigration);
}

export function writeUnfinished(dir: string, unfinished: UnfinishedMigration): void {
  writeDurablySync(join(dir, UNFINISHED_MIGRATION), `${JSON.stringify(unfinished)}\n`, PRIVATE_FILE);
}

function readMark<T>(dir: string, name: string, schema: z.ZodType<T>): T | undefined {
  const path = join(dir, name);
  if (!existsSync(path)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new RejectedError(`${path}, which "trawl migrate" wrote, cannot be read; nothing was changed`, {
      cause: error,
    });
  }
}

/** Returns the error for a store that was moved. @param remedy how the user can make the old copy usable again */
export function movedError(name: string, { to, at }: MovedStore, remedy: string): RejectedError {
  return new RejectedError(
    `the store of ${name} was moved to ${to} on ${at}: start the coordinator there with ${storeOptions(to)}. The old copy ` +
      `lacks everything since then. To use it anyway, ${remedy}`,
  );
}

/** Returns the error for a store that is an incomplete copy. */
export function unfinishedError(name: string, { from }: UnfinishedMigration): RejectedError {
  return new RejectedError(
    `the copy of ${from} in ${name} is not complete: run the same "trawl migrate" again, or continue to use ${from}`,
  );
}

/** @throws {RejectedError} if the store of a folder was moved, or is an incomplete copy */
export function checkNotMoved(dir: string): void {
  const unfinished = readUnfinished(dir);
  if (unfinished !== undefined) throw unfinishedError(dir, unfinished);
  const moved = readMoved(dir);
  if (moved !== undefined)
    throw movedError(dir, moved, `delete ${MOVED_FILE} and postgres.high-water (if it exists) in ${dir}`);
}
