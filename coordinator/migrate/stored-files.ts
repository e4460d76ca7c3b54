/** Copies and verifies the artifacts and the code archives of a store. */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { checksumOfStream } from '../../lib/files/checksum.ts';
import { innerPath } from '../../lib/files/inner-path.ts';
import { createTemporaryFolder } from '../../lib/files/temporary-folder.ts';
import { DamagedError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import { CODE_FOLDER, codeArchiveName } from '../artifacts/code-archives.ts';
import { ARTIFACTS_FOLDER } from '../artifacts/files.ts';
import { moveIntoPlace } from '../artifacts/incoming-file.ts';
import { S3Artifacts } from '../artifacts/s3-artifacts.ts';
import { S3Bucket } from '../artifacts/s3-bucket.ts';
import { S3CodeCopies } from '../artifacts/s3-code.ts';
import { parseS3Location, s3Place } from '../artifacts/s3-location.ts';
import type { StoredFile } from '../backup/backup-folder.ts';
import type { RowSource, StoredRow } from '../store/copy/rows.ts';
import { storeTables } from '../store/store-tables.ts';
import { PARTS_FOLDER } from './folder-ends.ts';

/** The number of files that are copied at the same time. */
const CONCURRENT_FILES = 4;

/** A place for the artifacts and the code archives of a store. */
export interface FilePlace {
  /** The folder, or the location in S3. Two places with equal texts are the same place. */
  readonly place: string;
  /** Reads a file. @throws {NotFoundError} or ENOENT if the file is missing */
  read(file: StoredFile): AsyncIterable<Uint8Array>;
  /** Returns the path of a file on this machine; undefined if the file is only in S3. */
  pathOf(file: StoredFile): string | undefined;
  /**
   * Stores a file durably.
   * @param path the path of the file on this machine, if it is known
   */
  store(file: StoredFile, content: () => AsyncIterable<Uint8Array>, path: string | undefined): Promise<void>;
  /** @throws {RejectedError | UnreachableError | NoSpaceError} if files cannot be stored */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a coordinator's folder. */
export function openFolderPlace(dir: string): FilePlace {
  const top = resolve(dir);
  const pathOf = (file: StoredFile) => innerPath(top, file.path);
  return {
    place: top,
    read: (file) => createReadStream(pathOf(file)),
    pathOf,
    async store(file, content) {
      const part = join(top, PARTS_FOLDER, randomUUID());
      await write(content(), part);
      await moveIntoPlace(part, { path: pathOf(file), top });
    },
    async check() {},
    async close() {},
  };
}

/**
 * Opens a location in S3.
 * @param dir the coordinator's folder, which may have code archives that are not in S3
 */
export async function openS3Place(location: string, dir: string, cluster: string): Promise<FilePlace> {
  const parsed = parseS3Location(location);
  const bucket = await S3Bucket.open(parsed, { onRequest: () => {} });
  const parts = createTemporaryFolder('migrate');
  const artifacts = new S3Artifacts(bucket, parts.path, cluster);
  const code = new S3CodeCopies(bucket, cluster);
  return {
    place: s3Place(parsed),
    read(file) {
      if (file.of !== undefined) return artifacts.read(file.of.key, { ...file, name: file.of.name }, 0);
      return code.read(file.sha256, file.size);
    },
    pathOf: (file) => (file.of === undefined ? existing(innerPath(dir, file.path)) : undefined),
    async store(file, content, path) {
      const part = path === undefined ? join(parts.path, randomUUID()) : undefined;
      try {
        if (part !== undefined) await write(content(), part);
        const from = path ?? part ?? '';
        if (file.of !== undefined) await artifacts.putFile(file.of.key, { ...file, name: file.of.name }, from);
        else await code.replace(file, from);
      } finally {
        if (part !== undefined) await rm(part, { force: true });
      }
    },
    async check() {
      await artifacts.check();
    },
    async close() {
      artifacts.close();
      parts.remove();
    },
  };
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}

async function write(content: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await pipeline(content, createWriteStream(path, { flush: true }));
}

export interface CopiedFiles {
  readonly files: number;
  readonly bytes: number;
  /** The paths of the files that are recorded in the store, but do not exist. */
  readonly missing: readonly string[];
}

/**
 * Copies all files that are recorded in a store, and reads each copy to verify it. A file that is already in the new
 * place is verified, and is copied again only if it is damaged.
 * @param onFile called after each file
 * @throws {DamagedError} if a file differs from its record
 */
export async function copyFiles(
  rows: RowSource,
  from: FilePlace,
  to: FilePlace,
  onFile: (done: CopiedFiles) => void,
): Promise<CopiedFiles> {
  const missing: string[] = [];
  let files = 0;
  let bytes = 0;
  const copyOne = async (file: StoredFile) => {
    if (await copyFile(file, from, to)) {
      files += 1;
      bytes += file.size;
    } else missing.push(file.path);
    onFile({ files, bytes, missing });
  };
  for await (const page of namedFiles(rows)) {
    const queue = [...page];
    const work = async () => {
      try {
        for (let file = queue.shift(); file !== undefined; file = queue.shift()) await copyOne(file);
      } catch (error) {
        queue.length = 0;
        throw error;
      }
    };
    const ended = await Promise.allSettled(Array.from({ length: CONCURRENT_FILES }, work));
    for (const each of ended) if (each.status === 'rejected') throw each.reason;
  }
  return { files, bytes, missing: missing.sort() };
}

type FileState = 'intact' | 'damaged' | 'missing';

/** @returns false if the file is missing */
async function copyFile(file: StoredFile, from: FilePlace, to: FilePlace): Promise<boolean> {
  if ((await stateIn(to, file)) === 'intact') return true;
  // An archive that is not in S3 may be in the coordinator's folder.
  const path = from.pathOf(file);
  const content = () => (path === undefined ? from.read(file) : createReadStream(path));
  const state = await stateOf(content, file);
  if (state === 'missing') return false;
  if (state === 'damaged') {
    throw new DamagedError(
      `the file ${path ?? `${from.place}: ${file.path}`} is damaged: its size or checksum does not match the store. Put the ` +
        'original back, or move the file away and use --allow-missing',
    );
  }
  await to.store(file, content, path);
  if ((await stateIn(to, file)) !== 'intact')
    throw new DamagedError(`the copy of ${file.path} in ${to.place} is damaged`);
  return true;
}

function stateIn(place: FilePlace, file: StoredFile): Promise<FileState> {
  return stateOf(() => place.read(file), file);
}

async function stateOf(content: () => AsyncIterable<Uint8Array>, { size, sha256 }: StoredFile): Promise<FileState> {
  try {
    const found = await checksumOfStream(content());
    return found.size === size && found.sha256 === sha256 ? 'intact' : 'damaged';
  } catch (error) {
    const isMissing =
      error instanceof NotFoundError || (error instanceof Error && 'code' in error && error.code === 'ENOENT');
    if (isMissing) return 'missing';
    if (error instanceof DamagedError) return 'damaged';
    throw error;
  }
}

/** Yields the artifacts and the code archives that are recorded in a store, in pages. */
async function* namedFiles(rows: RowSource): AsyncGenerator<readonly StoredFile[]> {
  yield* pagesOf(rows, 'artifacts', ({ sweep_id, trial_id, attempt, name, size, sha256 }) => {
    const key = { sweepId: `${sweep_id}`, trialId: `${trial_id}`, attempt: Number(attempt) };
    const path = `${ARTIFACTS_FOLDER}/${key.sweepId}/${key.trialId}/${key.attempt}/${name}`;
    return { path, size: Number(size), sha256: `${sha256}`, of: { key, name: `${name}` } };
  });
  // Several sweeps may have the same archive.
  const archives = new Map<string, StoredFile>();
  for await (const page of pagesOf(rows, 'sources', ({ sha256, size }) => {
    return { path: `${CODE_FOLDER}/${codeArchiveName(`${sha256}`)}`, size: Number(size), sha256: `${sha256}` };
  })) {
    for (const file of page) archives.set(file.path, file);
  }
  yield [...archives.values()];
}

async function* pagesOf(
  rows: RowSource,
  name: 'artifacts' | 'sources',
  fileOf: (row: Readonly<Record<string, StoredRow[number]>>) => StoredFile,
): AsyncGenerator<readonly StoredFile[]> {
  const table = storeTables().find((each) => each.name === name);
  if (table === undefined) throw new Error(`the store has no table ${name}`);
  for await (const page of rows.pages(table)) {
    yield page.map((row) =>
      fileOf(Object.fromEntries(table.columns.map((column, at) => [column.name, row[at] ?? null]))),
    );
  }
}

/** @throws {RejectedError} if files are missing */
export function requireAll({ missing }: CopiedFiles, from: FilePlace): void {
  const [first] = missing;
  if (first === undefined) return;
  throw new RejectedError(
    `${missing.length} of the files recorded in the store are missing in ${from.place}, such as ${first}: name the ` +
      'folder of the coordinator with --dir, or use --allow-missing to continue without them',
  );
}
