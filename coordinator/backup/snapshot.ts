/** Sends the store and its artifacts as of one moment, while the coordinator works on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Database } from 'libsql';
import type { Logger } from 'pino';
import { RefusedError } from '../../proto/errors.ts';
import type { BackupResponse } from '../../proto/gen/trawl/v1/operations_service.ts';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/limits.ts';
import type { ArtifactFiles } from '../artifacts/files.ts';
import { STORE_FILE } from '../store/open.ts';
import { ARTIFACTS, BACKUP_STORE, NAMED_ARTIFACTS, type NamedArtifact } from './backup-folder.ts';

/** SQLite's own: pages in the log before they are written into the store's file. */
const CHECKPOINT_PAGES = 1_000;

export interface SnapshotSource {
  readonly dir: string;
  readonly db: Database;
  readonly files: ArtifactFiles;
  readonly log: Logger;
}

/** Makes snapshots, one at a time. */
export function snapshots({ dir, db, files, log }: SnapshotSource): () => AsyncGenerator<BackupResponse> {
  let busy = false;
  return async function* () {
    if (busy) throw new RefusedError('another backup is being made: try again when it is done');
    busy = true;
    // All of it goes into the store's file, and nothing more does: what is committed meanwhile waits in the log.
    db.exec('pragma wal_autocheckpoint = 0');
    const release = files.keepAll();
    try {
      const left = db.prepare('pragma wal_checkpoint(truncate)').get() as { busy: number };
      if (left.busy !== 0) throw new RefusedError('the store is being written to: try again');
      const named = db.prepare(NAMED_ARTIFACTS).all() as NamedArtifact[];
      const store = join(dir, STORE_FILE);
      yield header(BACKUP_STORE, statSync(store).size);
      yield* chunks(readElsewhere(store));
      for (const { path, size } of named) {
        const file = join(dir, ARTIFACTS, path);
        if (!existsSync(file)) {
          log.warn({ file }, 'an artifact is not where it should be: the backup is made without it');
          continue;
        }
        yield header(`${ARTIFACTS}/${path}`, size);
        yield* chunks(createReadStream(file, { highWaterMark: ARTIFACT_CHUNK_BYTES }));
      }
    } finally {
      busy = false;
      if (db.open) db.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      await release();
    }
  };
}

/**
 * A process that closes a file, by whichever of its descriptors, loses the locks that it has on it: SQLite's among
 * them. So another process reads it.
 */
async function* readElsewhere(path: string): AsyncGenerator<Buffer> {
  const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  reader.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const exited = once(reader, 'exit') as Promise<[number | null]>;
  exited.catch(() => {});
  try {
    yield* reader.stdout as Readable & AsyncIterable<Buffer>;
    const [code] = await exited;
    if (code !== 0) throw new Error(`the store could not be read: ${said.trim()}`);
  } finally {
    reader.kill();
  }
}

function header(name: string, size: number): BackupResponse {
  return { message: { $case: 'file', file: { name, size } } };
}

async function* chunks(pieces: AsyncIterable<Buffer>): AsyncGenerator<BackupResponse> {
  for await (const chunk of pieces) yield { message: { $case: 'chunk', chunk } };
}
