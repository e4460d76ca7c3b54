/**
 * Sends a consistent snapshot of the store, the artifacts and the code archives, while the coordinator keeps running.
 */
import type { Logger } from 'pino';
import { NotFoundError, RejectedError } from '../../proto/errors.ts';
import type { BackupResponse } from '../../proto/gen/trawl/v1/operations_service.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import type { CodeArchives } from '../artifacts/code-archives.ts';
import type { Store, StoreSnapshot } from '../store/store.ts';
import { BACKUP_STORE } from './backup-folder.ts';

export interface SnapshotSource {
  readonly store: Pick<Store, 'snapshot'>;
  readonly files: ArtifactStore;
  readonly archives: CodeArchives;
  readonly log: Logger;
}

/** Returns a function that sends a snapshot. Only one snapshot can run at a time. */
export function snapshots({ store, files, archives, log }: SnapshotSource): () => AsyncGenerator<BackupResponse> {
  let busy = false;
  return async function* () {
    if (busy) throw new RejectedError('another backup is in progress; retry when it is complete');
    busy = true;
    const release = files.keepAll();
    const releaseCode = archives.keepAll();
    let snapshot: StoreSnapshot | undefined;
    try {
      snapshot = await store.snapshot();
      yield header(BACKUP_STORE, snapshot.size);
      yield* chunks(snapshot.read());
      for (const file of snapshot.files) {
        const content =
          file.of === undefined ? archives.read(file.sha256, 0) : files.read(file.of.key, { ...file, ...file.of }, 0);
        const pieces = content[Symbol.asyncIterator]();
        try {
          // If the file is missing, the first read fails. The header is therefore sent only after this read.
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
      snapshot?.end();
      releaseCode();
      await release();
    }
  };
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
