/**
 * Moves a store, its artifacts and its code archives between a coordinator's folder and PostgreSQL with S3.
 *
 * The steps are in an order that keeps the original usable until the copy is complete: the new store is marked as
 * incomplete, the files are copied and verified, the rows are copied and verified in one transaction, the original is
 * marked as moved, and the mark of the new store is removed. A killed migration is repeated with the same command.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { requireExistingFolder } from '../../lib/files/folder.ts';
import { readToken, tokenFile } from '../../lib/files/token-file.ts';
import { DamagedError, RejectedError } from '../../proto/errors.ts';
import { parseS3Location, s3Place } from '../artifacts/s3-location.ts';
import { compareStoreRows, copyStoreRows, type NamedContent, type RowSource } from '../store/copy/rows.ts';
import { checkPostgresMark } from '../store/high-water.ts';
import { movedError } from '../store/moved-store.ts';
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
  /** The coordinator's folder, which exists. */
  readonly dir: string;
  /** The URL of the database with the store; undefined if the store is in `dir`. */
  readonly store: string | undefined;
  /** The new place of the store: a new folder, or an empty database. */
  readonly to: { readonly dir: string } | { readonly store: string };
  /**
   * The new location of the artifacts in S3. If undefined, they are copied into a new folder, or stay where they are if
   * the store is moved into a database.
   */
  readonly artifacts: string | undefined;
  /** Whether the migration continues if files that the store names do not exist. */
  readonly allowMissing: boolean;
  /** Called at the start of each step, and after each file and before each table of a step. */
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
 * @throws {BadInputError | NotFoundError | UnreachableError | RejectedError} if a store cannot be used
 * @throws {DamagedError} if a row or a file of the copy differs from the original
 */
export async function migrate(options: MigrationOptions): Promise<MigrationResult> {
  const { dir, store, to, artifacts } = options;
  requireExistingFolder('--dir', dir);
  if (artifacts !== undefined) parseS3Location(artifacts);
  const origin = store === undefined ? openFolderOrigin(dir) : await openPostgresOrigin(store);
  try {
    const { cluster, commits, name } = origin;
    if (store !== undefined) checkPostgresMark(dir, name, { cluster, commits });
    if ('dir' in to && resolve(to.dir) === resolve(dir)) throw new RejectedError('--to-dir must be a new folder');
    const created = await openNewStore(origin, options);
    try {
      return await moveStore(origin, created, options);
    } finally {
      await created.close();
    }
  } finally {
    await origin.close();
  }
}

async function openNewStore(origin: OriginStore, { dir, to }: MigrationOptions): Promise<NewStore> {
  try {
    if ('store' in to) return await openNewDatabase(to.store, origin, dir);
    const token = existsSync(tokenFile(dir)) ? readToken(tokenFile(dir)) : undefined;
    return openNewFolder(to.dir, origin, token);
  } catch (error) {
    // The complete store is in the place to which an earlier migration moved it.
    if (origin.moved === undefined || !(error instanceof RejectedError)) throw error;
    throw movedError(origin.name, origin.moved, origin.unmove);
  }
}

async function moveStore(origin: OriginStore, created: NewStore, options: MigrationOptions): Promise<MigrationResult> {
  const { dir, to, onProgress, allowMissing, now } = options;
  if (origin.moved !== undefined && !created.isCopied) throw movedError(origin.name, origin.moved, origin.unmove);
  onProgress({ step: 'marked' });
  const location = options.artifacts ?? ('store' in to ? origin.artifacts : undefined);
  const newDir = 'dir' in to ? to.dir : dir;
  const from = await openPlace(origin.artifacts, dir, origin.cluster);
  const files = await openPlace(location, newDir, origin.cluster)
    .then(async (place) => {
      const done = await copyFiles(origin.rows, from, place, (each) => onProgress({ step: 'files', done: each }));
      await place.close();
      return done;
    })
    .finally(() => from.close());
  if (!allowMissing) requireAll(files, from);
  const rows = relocated(origin.rows, location);
  const tables = (await verifiedCopy(rows, created, options)) ?? (await copiedRows(rows, created, options));
  onProgress({ step: 'copied' });
  await origin.markMoved({ cluster: origin.cluster, to: created.name, at: new Date(now).toISOString() });
  onProgress({ step: 'moved' });
  await created.finish();
  const place = location === undefined ? resolve(newDir) : s3Place(parseS3Location(location));
  return { from: origin.name, to: created.name, dir: newDir, artifacts: place, tables, files };
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
      // A coordinator has changed the original since.
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

/** Returns the same rows, with `location` as the recorded location of the artifacts. */
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
