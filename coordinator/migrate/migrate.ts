/**
 * Moves a store, its artifacts and its code archives to a new place. A store is in a coordinator's folder or in
 * PostgreSQL. The artifacts and the code archives are in the folder or in S3.
 *
 * The order of the steps keeps the original usable until the copy is complete. First, the new store is marked as
 * incomplete. The files are copied and verified. The rows are copied and verified in one transaction. Then, the
 * original is marked as moved. Finally, the mark of the new store is removed. If the process is killed, the same
 * command continues the migration.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { requireExistingFolder } from '../../lib/files/folder.ts';
import { readToken, tokenFile } from '../../lib/files/token-file.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import {
  DamagedError,
  isDiskFull,
  NoSpaceError,
  RejectedError,
  TrawlError,
  UnreachableError,
} from '../../proto/errors.ts';
import { S3UnavailableError } from '../artifacts/s3-errors.ts';
import { compareStoreRows, copyStoreRows, type NamedContent, type RowSource } from '../store/copy/rows.ts';
import { checkPostgresMark } from '../store/high-water.ts';
import { movedError } from '../store/moved-store.ts';
import { isDisconnect } from '../store/postgres/transactions.ts';
import { openFolderOrigin, openNewFolder } from './folder-ends.ts';
import { openNewDatabase, openPostgresOrigin } from './postgres-ends.ts';
import type { NewStore, OriginStore } from './store-ends.ts';
import {
  type CopiedFiles,
  copyFiles,
  type FilePlace,
  openFolderPlace,
  openS3Place,
  requireAll,
} from './stored-files.ts';

export interface MigrationOptions {
  /** The coordinator's folder, which must exist. */
  readonly dir: string;
  /** The URL of the database with the store; undefined if the store is in `dir`. */
  readonly store: string | undefined;
  /** The new place of the store: a new folder, or an empty database. */
  readonly to: { readonly dir: string } | { readonly store: string };
  /**
   * The new location of the artifacts in S3. If undefined, the artifacts are copied into the new folder or, if the
   * store is moved into a database, stay where they are.
   */
  readonly artifacts: string | undefined;
  /** Whether the migration continues if files that are recorded in the store do not exist. */
  readonly allowMissing: boolean;
  /**
   * Called after each file, before each table that is copied or verified, and after each of the steps `marked`,
   * `copied` and `moved`.
   */
  readonly onProgress: (progress: MigrationProgress) => void;
  /** The current time in Unix milliseconds. */
  readonly now: number;
}

export type MigrationProgress =
  | { readonly step: 'files'; readonly done: CopiedFiles }
  | { readonly step: 'copy' | 'verify'; readonly table: string }
  | { readonly step: 'marked' | 'copied' | 'moved' };

export interface MigrationResult {
  readonly from: string;
  readonly to: string;
  /** The coordinator's folder from now on. */
  readonly dir: string;
  /** Where the artifacts are. */
  readonly artifacts: string;
  readonly tables: readonly NamedContent[];
  readonly files: CopiedFiles;
}

/**
 * @throws {BadInputError | NotFoundError | UnreachableError | RejectedError | NoSpaceError} if a store cannot be used
 * @throws {DamagedError} if a row or a file of the copy differs from the original
 */
export async function migrate(options: MigrationOptions): Promise<MigrationResult> {
  try {
    return await migrateStore(options);
  } catch (error) {
    throw explained(error);
  }
}

async function migrateStore(options: MigrationOptions): Promise<MigrationResult> {
  const { dir, store, to } = options;
  requireExistingFolder('--dir', dir);
  const origin = store === undefined ? openFolderOrigin(dir) : await openPostgresOrigin(store);
  try {
    const { cluster, commits, name } = origin;
    if (store !== undefined) checkPostgresMark(dir, name, { cluster, commits });
    if ('dir' in to && resolve(to.dir) === resolve(dir)) throw new RejectedError('--to-dir must be a new folder');
    const places = await openPlaces(origin, options);
    try {
      // A wrong bucket is reported before anything is created.
      if (options.artifacts !== undefined && origin.moved === undefined) await places.to.check();
      const created = await openNewStore(origin, options);
      try {
        return await moveStore(origin, created, places, options);
      } finally {
        await created.close();
      }
    } finally {
      await places.close();
    }
  } finally {
    await origin.close();
  }
}

/** Returns an error for the user if a server failed during the migration. Returns other errors unchanged. */
function explained(error: unknown): unknown {
  if (error instanceof S3UnavailableError && error.needsPerson) {
    return new RejectedError(error.message, { cause: error });
  }
  if (error instanceof TrawlError || isDiskFull(error)) return error;
  const again = 'the old store is still usable unless it is marked as moved; run the same command again';
  if (isServerFull(error)) return new NoSpaceError(`PostgreSQL has no disk space (${errorMessage(error)}); ${again}`);
  if (!isDisconnect(error)) return error;
  return new UnreachableError(`the connection to PostgreSQL was lost (${errorMessage(error)}); ${again}`);
}

/** Returns whether an error is PostgreSQL's error 53100 (disk full). */
function isServerFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '53100';
}

interface Places {
  readonly from: FilePlace;
  readonly to: FilePlace;
  /** The new location of the artifacts in S3; undefined for the coordinator's folder. */
  readonly location: string | undefined;
  close(): Promise<void>;
}

async function openPlaces(origin: OriginStore, { dir, to, artifacts }: MigrationOptions): Promise<Places> {
  const location = artifacts ?? ('store' in to ? origin.artifacts : undefined);
  const from = await openPlace(origin.artifacts, dir, origin.cluster);
  try {
    const place = await openPlace(location, 'dir' in to ? to.dir : dir, origin.cluster);
    const close = async () => void (await Promise.all([from.close(), place.close()]));
    return { from, to: place, location, close };
  } catch (error) {
    await from.close();
    throw error;
  }
}

async function openNewStore(origin: OriginStore, { dir, to }: MigrationOptions): Promise<NewStore> {
  try {
    if ('store' in to) return await openNewDatabase(to.store, origin, dir);
    const token = existsSync(tokenFile(dir)) ? readToken(tokenFile(dir)) : undefined;
    return openNewFolder(to.dir, origin, token);
  } catch (error) {
    // If an earlier migration has already moved the store, the error names the place to which it was moved, instead of
    // the problem with the requested place.
    if (origin.moved === undefined || !(error instanceof RejectedError)) throw error;
    throw movedError(origin.name, origin.moved, origin.unmove);
  }
}

async function moveStore(
  origin: OriginStore,
  created: NewStore,
  { from, to: place, location }: Places,
  options: MigrationOptions,
): Promise<MigrationResult> {
  const { dir, to, onProgress, allowMissing, now } = options;
  if (origin.moved !== undefined && !created.isCopied) throw movedError(origin.name, origin.moved, origin.unmove);
  onProgress({ step: 'marked' });
  const newDir = 'dir' in to ? to.dir : dir;
  const files = await copyFiles(origin.rows, from, place, (each) => onProgress({ step: 'files', done: each }));
  if (!allowMissing) requireAll(files, from);
  const rows = relocated(origin.rows, location);
  const tables = (await verifiedCopy(rows, created, options)) ?? (await copiedRows(rows, created, options));
  onProgress({ step: 'copied' });
  await origin.markMoved({ cluster: origin.cluster, to: created.name, at: new Date(now).toISOString() });
  onProgress({ step: 'moved' });
  await created.finish();
  return { from: origin.name, to: created.name, dir: newDir, artifacts: place.place, tables, files };
}

function openPlace(location: string | undefined, dir: string, cluster: string): Promise<FilePlace> {
  return location === undefined ? Promise.resolve(openFolderPlace(dir)) : openS3Place(location, dir, cluster);
}

/** Verifies the rows that an interrupted run has copied. Returns undefined if they must be copied again. */
async function verifiedCopy(
  rows: RowSource,
  created: NewStore,
  { onProgress }: MigrationOptions,
): Promise<readonly NamedContent[] | undefined> {
  if (!created.isCopied) return undefined;
  return created.readCopy(async (copy) => {
    try {
      return await compareStoreRows(rows, copy, (table) => onProgress({ step: 'verify', table }));
    } catch (error) {
      // A coordinator has changed the original since the interrupted run.
      if (error instanceof DamagedError) return undefined;
      throw error;
    }
  });
}

function copiedRows(rows: RowSource, created: NewStore, { onProgress }: MigrationOptions) {
  return created.write(
    (target) => copyStoreRows(rows, target, (table) => onProgress({ step: 'copy', table })),
    (target) => compareStoreRows(rows, target, (table) => onProgress({ step: 'verify', table })),
  );
}

const LOCATION = 'artifacts';

/** Returns the rows of `source`, with `location` as the recorded location of the artifacts. */
function relocated(source: RowSource, location: string | undefined): RowSource {
  return {
    lastEvent: () => source.lastEvent(),
    async *pages(table) {
      if (table.name !== 'meta') return yield* source.pages(table);
      const at = table.columns.findIndex(({ name }) => name === 'name');
      const rows = [];
      for await (const page of source.pages(table)) rows.push(...page.filter((row) => row[at] !== LOCATION));
      if (location !== undefined) rows.push(table.columns.map(({ name }) => (name === 'name' ? LOCATION : location)));
      yield rows.sort((a, b) => (`${a[at]}` < `${b[at]}` ? -1 : 1));
    },
  };
}
