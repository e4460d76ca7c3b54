/**
 * Sends a consistent snapshot of the store, the artifacts and the code archives, while the coordinator keeps running.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Database } from 'libsql';
import type { Logger } from 'pino';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { NotFoundError, RejectedError } from '../../proto/errors.ts';
import type { BackupResponse } from '../../proto/gen/trawl/v1/operations_service.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import type { CodeArchives } from '../artifacts/code-archives.ts';
import { BACKUP_STORE, storedFiles } from './backup-folder.ts';

/** The default interval between checkpoints of SQLite, in pages. */
const CHECKPOINT_PAGES = 1_000;

export interface SnapshotSource {
  readonly dir: string;
  readonly db: Database;
  readonly files: ArtifactStore;
  readonly archives: CodeArchives;
  readonly log: Logger;
}

/** Returns a function that sends a snapshot. Only one snapshot can run at a time. */
export function snapshots({ dir, db, files, archives, log }: SnapshotSource): () => AsyncGenerator<BackupResponse> {
  let busy = false;
  return async function* () {
    if (busy) throw new RejectedError('another backup is in progress; retry when it is complete');
    busy = true;
    // Later commits stay in the write-ahead log, because the store's file must not change while the file is sent.
    db.exec('pragma wal_autocheckpoint = 0');
    const release = files.keepAll();
    const releaseCode = archives.keepAll();
    try {
      const left = db.prepare('pragma wal_checkpoint(truncate)').get() as { busy: number };
      if (left.busy !== 0) throw new RejectedError('the store is busy; retry the backup');
      const named = storedFiles(db);
      const store = join(dir, STORE_FILE);
      yield header(BACKUP_STORE, statSync(store).size);
      yield* chunks(readInChildProcess(store));
      for (const file of named) {
        const content =
          file.of === undefined ? archives.read(file.sha256, 0) : files.read(file.of.key, { ...file, ...file.of }, 0);
        const pieces = content[Symbol.asyncIterator]();
        try {
          // The header is sent after the first read, because the first read reports a missing file.
          const first = await pieces.next();
          yield header(file.path, file.size);
          if (first.done !== true) yield* chunks([first.value]);
          yield* chunks({ [Symbol.asyncIterator]: () => pieces });
        } catch (error) {
          if (!isMissingFile(error)) throw error;
          log.warn({ file: file.path }, 'a file that the store names is missing; the backup does not contain it');
        } finally {
          await pieces.return?.();
        }
      }
    } finally {
      busy = false;
      if (db.open) db.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      releaseCode();
      await release();
    }
  };
}

/**
 * Reads a file in a separate process. A process that closes any descriptor of a file loses all of its locks on the
 * file, including SQLite's lock on the store.
 */
async function* readInChildProcess(path: string): AsyncGenerator<Buffer> {
  const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  reader.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = once(reader, 'exit') as Promise<[number | null]>;
  exited.catch(() => {});
  try {
    yield* reader.stdout as Readable & AsyncIterable<Buffer>;
    const [code] = await exited;
    if (code !== 0) throw new Error(`could not read the store: ${errors.trim()}`);
  } finally {
    reader.kill();
  }
}

function header(name: string, size: number): BackupResponse {
  return { message: { $case: 'file', file: { name, size } } };
}

function isMissingFile(error: unknown): boolean {
  return error instanceof NotFoundError || (error instanceof Error && 'code' in error && error.code === 'ENOENT');
}

async function* chunks(pieces: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<BackupResponse> {
  for await (const chunk of pieces) yield { message: { $case: 'chunk', chunk } };
}
